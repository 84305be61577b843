/* Goal: command line, environment and defaults fill one struct, in that order of
 * rank; help is made from the same table and fits 80 columns.
 * Method: a table with every kind; argument lists and what they give. The
 * environment's part runs in the same process with the variables of `env`. */
#include "unit.h"

#include "base/options.h"

struct values {
    bool verbose, cache;
    const char *job;
    int64_t port, timeout_ms;
    int format;
    struct strings hosts;
};

static const char *const formats[] = { "text", "json", NULL };

static const struct option options[] = {
    { .name = "verbose",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct values, verbose),
      .help = "Say more." },
    { .name = "cache",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct values, cache),
      .fallback = "true",
      .help = "Keep what was read" },
    { .name = "job",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct values, job),
      .environment = "TEST_OPTIONS_JOB",
      .fallback = "/etc/churn/job.json",
      .argument = "FILE",
      .help = "The job document that says what is trained, on which data, and where the result "
              "goes." },
    { .name = "port",
      .kind = OPTION_INT,
      .offset = offsetof(struct values, port),
      .fallback = "8080",
      .minimum = 1,
      .maximum = 65535,
      .help = "Where to listen." },
    { .name = "timeout",
      .kind = OPTION_DURATION,
      .offset = offsetof(struct values, timeout_ms),
      .fallback = "30s",
      .minimum = 1000,
      .maximum = 60000,
      .help = "How long to wait." },
    { .name = "format",
      .kind = OPTION_ENUM,
      .offset = offsetof(struct values, format),
      .names = formats,
      .fallback = "text",
      .help = "How to print." },
    { .name = "host",
      .kind = OPTION_TEXTS,
      .offset = offsetof(struct values, hosts),
      .environment = "TEST_OPTIONS_HOST",
      .argument = "HOST:PORT",
      .help = "A host that may be asked." },
};

static const struct program program = {
    .name = "churn-test",
    .synopsis = "[options] [FILE]",
    .description = "Does nothing, but at some length: this paragraph is longer than a line, so "
                   "that it must be wrapped.\n\nA second paragraph.",
    .epilogue = "Exit codes:\n  0   done\n  64  the command line or the job document is wrong, "
                "as the message on standard error says",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 1,
};

#define ARGUMENTS_MAXIMUM 8

static int parse(const char *const *arguments, struct arena *arena, struct values *values,
                 struct strings *operands, enum options_outcome *outcome, struct err *err)
{
    char *argv[ARGUMENTS_MAXIMUM + 1] = { arena_strdup(arena, "churn-test") };
    int argc = 1;

    for (; arguments[argc - 1]; argc++)
        argv[argc] = arena_strdup(arena, arguments[argc - 1]);
    *values = (struct values){ 0 };
    return options_parse(&program, argc, argv, arena, values, operands, outcome, err);
}

static void defaults_and_arguments(void **state)
{
    static const char *const none[] = { NULL };
    static const char *const many[] = { "--verbose", "--no-cache", "--job=x=y",     "--port",
                                        "81",        "file",       "--format=json", NULL };
    auto_arena struct arena arena = { 0 };
    enum options_outcome outcome;
    struct strings operands;
    struct values values;

    (void)state;
    assert_int_equal(parse(none, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(outcome, OPTIONS_RUN);
    assert_true(!values.verbose && values.cache && values.format == 0);
    assert_string_equal(values.job, "/etc/churn/job.json");
    assert_true(values.port == 8080 && values.timeout_ms == 30000 && values.hosts.count == 0);
    assert_int_equal(operands.count, 0);
    assert_int_equal(parse(many, &arena, &values, &operands, &outcome, NULL), 0);
    assert_true(values.verbose && !values.cache && values.format == 1 && values.port == 81);
    assert_string_equal(values.job, "x=y");
    assert_int_equal(operands.count, 1);
    assert_string_equal(operands.items[0], "file");
}

static void lists_operands_and_the_end_of_options(void **state)
{
    static const char *const arguments[] = { "--host", "a:1", "--host=b:2", "--", "--port", NULL };
    static const char *const dash[] = { "-", NULL };
    auto_arena struct arena arena = { 0 };
    enum options_outcome outcome;
    struct strings operands;
    struct values values;

    (void)state;
    assert_int_equal(parse(arguments, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(values.hosts.count, 2);
    assert_string_equal(values.hosts.items[0], "a:1");
    assert_string_equal(values.hosts.items[1], "b:2");
    assert_string_equal(operands.items[0], "--port");
    assert_int_equal(parse(dash, &arena, &values, &operands, &outcome, NULL), 0);
    assert_string_equal(operands.items[0], "-");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *const arguments[3];
        const char *message;
    } cases[] = {
        { { "--porto=1" }, "unknown option --porto=1 (see churn-test --help)" },
        { { "-v" }, "unknown option -v (see churn-test --help)" },
        { { "--no-job" }, "unknown option --no-job (see churn-test --help)" },
        { { "--port" }, "--port: needs a value" },
        { { "--port", "0" }, "--port: must be an integer from 1 to 65535, not \"0\"" },
        { { "--timeout=2h" }, "--timeout: must be a duration from 1s to 1m" },
        { { "--timeout=5" }, "--timeout: must be a duration like 1h30m" },
        { { "--format=xml" }, "--format: must be one of text, json, not \"xml\"" },
        { { "--verbose=maybe" }, "--verbose: must be true or false, not \"maybe\"" },
        { { "--no-cache=true" }, "--no-cache takes no value" },
        { { "one", "two" }, "unexpected argument \"two\" (see churn-test --help)" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        enum options_outcome outcome;
        struct strings operands;
        struct values values;
        struct err err = { 0 };

        CASE(cases[i].message,
             parse(cases[i].arguments, &arena, &values, &operands, &outcome, &err) == -1);
        CASE(cases[i].message, err.kind == ERR_INVALID);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, err.message);
    }
}

static void a_flag_beats_the_environment(void **state)
{
    static const char *const none[] = { NULL };
    static const char *const flag[] = { "--job=flag", NULL };
    static const char *const hosts[] = { "--host=a", "--host=b", NULL };
    static char job[] = "TEST_OPTIONS_JOB=environment", host[] = "TEST_OPTIONS_HOST=c";
    static char *environment[] = { job, host, NULL };
    char **saved = environ;
    auto_arena struct arena arena = { 0 };
    enum options_outcome outcome;
    struct strings operands;
    struct values values;

    (void)state;
    environ = environment;
    assert_int_equal(parse(none, &arena, &values, &operands, &outcome, NULL), 0);
    assert_string_equal(values.job, "environment");
    assert_int_equal(parse(flag, &arena, &values, &operands, &outcome, NULL), 0);
    assert_string_equal(values.job, "flag");
    assert_int_equal(values.hosts.count, 1);
    assert_string_equal(values.hosts.items[0], "c");
    assert_int_equal(parse(hosts, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(values.hosts.count, 2); /* the list is replaced, not made longer */
    assert_string_equal(values.hosts.items[0], "a");
    environ = saved;
}

static void help_is_asked_for_even_among_mistakes(void **state)
{
    static const char *const help[] = { "--wrong", "--help", NULL };
    static const char *const version[] = { "--version", NULL };
    static const char *const operand[] = { "--", "--help", NULL };
    auto_arena struct arena arena = { 0 };
    enum options_outcome outcome;
    struct strings operands;
    struct values values;

    (void)state;
    assert_int_equal(parse(help, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(outcome, OPTIONS_HELP);
    assert_int_equal(parse(version, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(outcome, OPTIONS_VERSION);
    assert_int_equal(parse(operand, &arena, &values, &operands, &outcome, NULL), 0);
    assert_int_equal(outcome, OPTIONS_RUN);
}

static void a_main_goes_on_or_ends_with_a_code(void **state)
{
    static const struct {
        const char *argument;
        bool goes_on;
        int code;
    } cases[] = { { "file", true, -1 }, { "--help", false, 0 }, { "--wrong", false, 64 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        char *argv[] = { arena_strdup(&arena, "churn-test"),
                         arena_strdup(&arena, cases[i].argument), NULL };
        struct strings operands;
        struct values values = { 0 };
        int code = -1;

        CASE(cases[i].argument, options_begin(&program, 2, argv, &arena, &values, &operands,
                                              &code) == cases[i].goes_on);
        CASE(cases[i].argument, code == cases[i].code);
    }
}

static void help_names_everything_within_80_columns(void **state)
{
    static const char *const expected[] = {
        "Usage: churn-test [options] [FILE]\n",
        "  --job FILE\n",
        "  --[no-]cache\n",
        "  --host HOST:PORT\n",
        "Default: 30s.",
        "Environment: TEST_OPTIONS_JOB.",
        "One of text, json.",
        "\n\nA second paragraph.\n",
        "  64  the command line",
    };
    FILE *file = tmpfile();
    int saved_stdout = dup(STDOUT_FILENO);
    char text[4096];

    (void)state;
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    options_print_help(&program);
    options_print_version(&program);
    fflush(stdout);
    dup2(saved_stdout, STDOUT_FILENO);
    close(saved_stdout);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        CASE(expected[i], strstr(text, expected[i]) != NULL);
    assert_non_null(strstr(text, "churn-test " CHURN_VERSION "\n"));
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");

        assert_true(length <= 80);
        assert_true(length == 0 || line[length - 1] != ' ');
        line += length + (line[length] == '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_arguments),
        cmocka_unit_test(lists_operands_and_the_end_of_options),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_flag_beats_the_environment),
        cmocka_unit_test(help_is_asked_for_even_among_mistakes),
        cmocka_unit_test(a_main_goes_on_or_ends_with_a_code),
        cmocka_unit_test(help_names_everything_within_80_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
