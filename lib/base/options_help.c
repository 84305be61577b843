/* --help and --version, made from the table that options.c reads. */
#include "base/options.h"

#include "base/buf.h"

#define HELP_WIDTH      80
#define HELP_INDENT     6
#define DETAILS_MAXIMUM 2048 /* of one option's text */

/* One line of text in lines of at most HELP_WIDTH columns. Blanks it begins
 * with are an indentation that all of them get. */
static void print_line(struct span text, int indent)
{
    int column = 0;

    while (text.length > 0 && text.data[0] == ' ') {
        text.data++, text.length--;
        indent++;
    }
    while (text.length > 0) {
        const char *blank = memchr(text.data, ' ', text.length);
        size_t word = blank ? (size_t)(blank - text.data) : text.length;

        if (column > 0 && column + 1 + (int)word > HELP_WIDTH)
            column = 0, putchar('\n');
        column += printf("%*s%.*s", column == 0 ? indent : 1, "", (int)word, text.data);
        word += blank ? 1 : 0;
        text.data += word;
        text.length -= word;
    }
    putchar('\n');
}

static void print_wrapped(const char *text, int indent)
{
    for (;;) {
        size_t length = strcspn(text, "\n");

        print_line((struct span){ text, length }, indent);
        if (text[length] == '\0' || text[length + 1] == '\0')
            return;
        text += length + 1;
    }
}

static const char *argument_of(const struct option *option)
{
    if (option->argument)
        return option->argument;
    switch (option->kind) {
    case OPTION_INT:
        return "N";
    case OPTION_DURATION:
        return "DURATION";
    case OPTION_ENUM:
        return "NAME";
    default:
        return "TEXT";
    }
}

/* "One of a, b. Default: a. Environment: X." behind the option's sentence. */
static void print_details(const struct option *option)
{
    auto_buf struct buf text = { 0 };

    buf_init(&text, DETAILS_MAXIMUM);
    buf_string(&text, option->help ? option->help : "");
    if (text.length > 0 && text.data[text.length - 1] != '.')
        buf_char(&text, '.');
    for (size_t i = 0; option->kind == OPTION_ENUM && option->names[i]; i++)
        buf_format(&text, "%s%s%s", i == 0 ? " One of " : ", ", option->names[i],
                   option->names[i + 1] ? "" : ".");
    if (option->kind == OPTION_TEXTS)
        buf_string(&text, " May be given several times.");
    if (option->fallback && option->fallback[0])
        buf_format(&text, " Default: %s.", option->fallback);
    if (option->environment)
        buf_format(&text, " Environment: %s.", option->environment);
    print_wrapped(buf_text(&text), HELP_INDENT);
}

static void print_option(const struct option *option)
{
    bool on_by_default = option->fallback && strcmp(option->fallback, "true") == 0;

    if (option->kind != OPTION_FLAG)
        printf("  --%s %s\n", option->name, argument_of(option));
    else
        printf("  --%s%s\n", on_by_default ? "[no-]" : "", option->name);
    print_details(option);
}

void options_print_help(const struct program *program)
{
    printf("Usage: %s %s\n\n", program->name, program->synopsis);
    print_wrapped(program->description, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < program->option_count; i++)
        print_option(&program->options[i]);
    printf("  --help\n");
    print_wrapped("Print this text and exit.", HELP_INDENT);
    printf("  --version\n");
    print_wrapped("Print the version and exit.", HELP_INDENT);
    if (program->epilogue) {
        putchar('\n');
        print_wrapped(program->epilogue, 0);
    }
}

void options_print_version(const struct program *program)
{
    printf("%s %s\n", program->name, CHURN_VERSION);
}
