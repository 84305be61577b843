#include "base/options.h"

#include <sysexits.h>

#include "base/num.h"

struct parser {
    const struct program *program;
    struct arena *arena;
    void *values;
    struct strings *operands;
    struct err *err;
};

/* --- values --------------------------------------------------------------- */

static const char *join_names(struct arena *arena, const char *const *names)
{
    char *joined = "";

    for (size_t i = 0; names[i]; i++)
        joined = arena_format(arena, "%s%s%s", joined, i > 0 ? ", " : "", names[i]);
    return joined;
}

static int parse_flag(const char *text, bool *ret_value, struct err *err)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return err_set(err, ERR_INVALID, "must be true or false, not \"%.64s\"", text);
    *ret_value = yes;
    return 0;
}

static int parse_int(const struct option *option, const char *text, int64_t *ret_value,
                     struct err *err)
{
    bool limited = option->minimum != 0 || option->maximum != 0;

    return num_int64(span_of(text), limited ? option->minimum : INT64_MIN,
                     limited ? option->maximum : INT64_MAX, ret_value, err);
}

static int parse_duration(const struct option *option, const char *text, int64_t *ret_value,
                          struct err *err)
{
    char minimum[NUM_DURATION_TEXT], maximum[NUM_DURATION_TEXT];
    int64_t ms;

    if (num_duration_ms(span_of(text), &ms, err))
        return -1;
    if ((option->minimum != 0 || option->maximum != 0) &&
        (ms < option->minimum || ms > option->maximum)) {
        num_format_duration(option->minimum, minimum);
        num_format_duration(option->maximum, maximum);
        return err_set(err, ERR_INVALID, "must be a duration from %s to %s", minimum, maximum);
    }
    *ret_value = ms;
    return 0;
}

static int parse_name(const struct parser *parser, const struct option *option, const char *text,
                      int *ret_index)
{
    for (int i = 0; option->names[i]; i++) {
        if (strcmp(option->names[i], text) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return err_set(parser->err, ERR_INVALID, "must be one of %s, not \"%.64s\"",
                   join_names(parser->arena, option->names), text);
}

/* The arena cannot grow an array in place; lists of options are short. */
static void append_text(struct arena *arena, struct strings *list, const char *text)
{
    const char **items = arena_zero(arena, list->count + 1, sizeof(items[0]));

    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(items[0]));
    items[list->count] = text;
    *list = (struct strings){ items, list->count + 1 };
}

static int option_value(const struct parser *parser, const struct option *option, const char *text,
                        void *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return parse_flag(text, value, parser->err);
    case OPTION_TEXT:
        *(const char **)value = text;
        return 0;
    case OPTION_INT:
        return parse_int(option, text, value, parser->err);
    case OPTION_DURATION:
        return parse_duration(option, text, value, parser->err);
    case OPTION_ENUM:
        return parse_name(parser, option, text, value);
    case OPTION_TEXTS:
        append_text(parser->arena, value, text);
        return 0;
    }
    return err_set(parser->err, ERR_INTERNAL, "has an unknown kind in its table");
}

static void *place_of(const struct parser *parser, const struct option *option)
{
    return (char *)parser->values + option->offset;
}

/* --- environment and defaults --------------------------------------------- */

static int take_environment(const struct parser *parser, const struct option *option)
{
    const char *text = option->environment ? getenv(option->environment) : NULL;

    if (!text || !text[0]) {
        if (!option->fallback)
            return 0;
        if (option_value(parser, option, option->fallback, place_of(parser, option)))
            return err_wrap(parser->err, "default of --%s", option->name);
        return 0;
    }
    if (option_value(parser, option, text, place_of(parser, option)))
        return err_wrap(parser->err, "environment variable %s", option->environment);
    return 0;
}

/* --- command line --------------------------------------------------------- */

static const struct option *find_option(const struct program *program, struct span name)
{
    for (size_t i = 0; i < program->option_count; i++) {
        if (span_equals(name, program->options[i].name))
            return &program->options[i];
    }
    return NULL;
}

static int unknown_option(const struct parser *parser, const char *argument)
{
    return err_set(parser->err, ERR_INVALID, "unknown option %.64s (see %s --help)", argument,
                   parser->program->name);
}

/* "--no-flag", or NULL. */
static const struct option *find_negated(const struct program *program, struct span name)
{
    if (name.length <= 3 || memcmp(name.data, "no-", 3) != 0)
        return NULL;
    const struct option *option =
        find_option(program, (struct span){ name.data + 3, name.length - 3 });

    return option && option->kind == OPTION_FLAG ? option : NULL;
}

static int set_option(struct parser *parser, const struct option *option, const char *text,
                      bool *seen)
{
    void *value = place_of(parser, option);

    /* what the command line says replaces a list from the environment */
    if (option->kind == OPTION_TEXTS && !*seen)
        *(struct strings *)value = (struct strings){ 0 };
    *seen = true;
    if (option_value(parser, option, text, value))
        return err_wrap(parser->err, "--%s", option->name);
    return 0;
}

/* One option at argv[*index], which moves on when the value is the next one. */
static int take_option(struct parser *parser, int argc, char *const *argv, int *index, bool *seen)
{
    const struct program *program = parser->program;
    const char *argument = argv[*index], *equals = strchr(argument, '=');
    struct span name = { argument + 2,
                         equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2 };
    const struct option *option = find_option(program, name);
    const struct option *negated = option ? NULL : find_negated(program, name);

    if (negated) {
        if (equals)
            return err_set(parser->err, ERR_INVALID, "--no-%s takes no value", negated->name);
        return set_option(parser, negated, "false", &seen[negated - program->options]);
    }
    if (!option)
        return unknown_option(parser, argument);
    bool *option_seen = &seen[option - program->options];

    if (equals)
        return set_option(parser, option, equals + 1, option_seen);
    if (option->kind == OPTION_FLAG)
        return set_option(parser, option, "true", option_seen);
    if (*index + 1 >= argc)
        return err_set(parser->err, ERR_INVALID, "--%s: needs a value", option->name);
    return set_option(parser, option, argv[++*index], option_seen);
}

static int take_operand(struct parser *parser, const char *text)
{
    if (parser->operands->count == parser->program->maximum_operands)
        return err_set(parser->err, ERR_INVALID, "unexpected argument \"%.64s\" (see %s --help)",
                       text, parser->program->name);
    append_text(parser->arena, parser->operands, text);
    return 0;
}

static int take_arguments(struct parser *parser, int argc, char *const *argv)
{
    bool *seen = arena_zero(parser->arena, parser->program->option_count, sizeof(bool));
    bool options_ended = false;

    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        int result;

        if (!options_ended && strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        if (options_ended || argument[0] != '-' || argument[1] == '\0')
            result = take_operand(parser, argument);
        else if (argument[1] != '-')
            result = unknown_option(parser, argument);
        else
            result = take_option(parser, argc, argv, &i, seen);
        if (result)
            return -1;
    }
    return 0;
}

/* Help is given even when other arguments are wrong: who asks needs it. */
static enum options_outcome asked_for(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return OPTIONS_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return OPTIONS_VERSION;
    }
    return OPTIONS_RUN;
}

int options_parse(const struct program *program, int argc, char *const *argv, struct arena *arena,
                  void *ret_values, struct strings *ret_operands, enum options_outcome *ret_outcome,
                  struct err *err)
{
    struct strings operands = { 0 };
    struct parser parser = { program, arena, ret_values, &operands, err };
    enum options_outcome outcome = asked_for(argc, argv);

    if (outcome == OPTIONS_RUN) {
        for (size_t i = 0; i < program->option_count; i++) {
            if (take_environment(&parser, &program->options[i]))
                return -1;
        }
        if (take_arguments(&parser, argc, argv))
            return -1;
        *ret_operands = operands;
    }
    *ret_outcome = outcome;
    return 0;
}

bool options_begin(const struct program *program, int argc, char *const *argv, struct arena *arena,
                   void *ret_values, struct strings *ret_operands, int *ret_code)
{
    enum options_outcome outcome;
    struct err err;

    if (options_parse(program, argc, argv, arena, ret_values, ret_operands, &outcome, &err)) {
        fprintf(stderr, "%s: %s\n", program->name, err.message);
        *ret_code = EX_USAGE;
        return false;
    }
    if (outcome == OPTIONS_RUN)
        return true;
    if (outcome == OPTIONS_HELP)
        options_print_help(program);
    else
        options_print_version(program);
    *ret_code = EX_OK;
    return false;
}
