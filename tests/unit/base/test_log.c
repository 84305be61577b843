/* Goal: every record is one line of valid JSON, whatever is put into it.
 * Method: stderr goes to a file while records are written; its lines are parsed. */
#include "unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

static int saved_stderr;
static FILE *capture;

static void capture_start(void)
{
    capture = tmpfile();
    assert_non_null(capture);
    saved_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(capture), STDERR_FILENO), STDERR_FILENO);
}

/* The captured text as one JSON value per line, in an array. */
static json_t *capture_end(void)
{
    json_t *records = json_array();
    char *line = NULL;
    size_t capacity = 0;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(capture);
    for (ssize_t length = getline(&line, &capacity, capture); length > 0;
         length = getline(&line, &capacity, capture)) {
        struct err err = { 0 };
        json_t *record =
            jx_parse((struct span){ line, (size_t)length }, LIMIT_LOG_LINE, "log", &err);

        if (!record)
            fail_msg("%s: %s", line, err.message);
        json_array_append_new(records, record);
    }
    free(line);
    fclose(capture);
    return records;
}

static void members_have_their_types(void **state)
{
    (void)state;
    capture_start();
    log_write(LOG_WARNING, "job \"x\"\n", LOG_TEXT("text", "a\\b\x1f\xff\xc3\xa4"),
              LOG_TEXT("none", NULL), LOG_INT("n", -7), LOG_REAL("r", 0.5),
              LOG_REAL("infinite", 1e308 * 10));
    log_write(LOG_INFO, "plain");
    auto_json json_t *records = capture_end();
    const json_t *record = json_array_get(records, 0);

    assert_int_equal(json_array_size(records), 2);
    assert_string_equal(jx_string(record, "level", NULL), "warning");
    assert_string_equal(jx_string(record, "message", NULL), "job \"x\"\n");
    assert_string_equal(jx_string(record, "text", NULL), "a\\b\x1f?\xc3\xa4");
    assert_true(json_is_null(json_object_get(record, "none")));
    assert_int_equal(jx_int(record, "n", 0), -7);
    assert_true(json_real_value(json_object_get(record, "r")) == 0.5);
    assert_true(json_is_null(json_object_get(record, "infinite")));
    assert_int_equal(strlen(jx_string(record, "time", NULL)), 27);
    assert_int_equal(json_object_size(json_array_get(records, 1)), 3);
}

static void a_record_that_is_too_long_is_cut(void **state)
{
    auto_free char *text = mem_zero(LIMIT_LOG_LINE + 1, 1);

    (void)state;
    memset(text, 'x', LIMIT_LOG_LINE);
    capture_start();
    log_write(LOG_INFO, "short", LOG_TEXT("long", text));
    log_write(LOG_INFO, text, LOG_INT("n", 1));
    auto_json json_t *records = capture_end();

    assert_int_equal(json_array_size(records), 2);
    assert_string_equal(jx_string(json_array_get(records, 0), "message", NULL), "short");
    assert_true(jx_bool(json_array_get(records, 0), "truncated", false));
    assert_true(jx_bool(json_array_get(records, 1), "truncated", false));
}

static void failures_carry_kind_and_reason(void **state)
{
    struct err plain = { 0 }, reasoned = { 0 };

    (void)state;
    err_set(&plain, ERR_IO, "disk full");
    err_reason(&reasoned, ERR_INVALID, "DataInvalid", "line 3");
    capture_start();
    log_failure(LOG_ERROR, "cannot write", &plain);
    log_failure(LOG_ERROR, "cannot read", &reasoned);
    auto_json json_t *records = capture_end();
    const json_t *first = json_array_get(records, 0), *second = json_array_get(records, 1);

    assert_string_equal(jx_string(first, "error", NULL), "disk full");
    assert_string_equal(jx_string(first, "kind", NULL), "IO");
    assert_null(jx_string(first, "reason", NULL));
    assert_string_equal(jx_string(second, "reason", NULL), "DataInvalid");
}

static void levels_below_the_minimum_are_silent(void **state)
{
    (void)state;
    capture_start();
    log_write(LOG_DEBUG, "hidden");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "shown");
    log_set_level(LOG_ERROR);
    log_write(LOG_WARNING, "hidden");
    log_set_level(LOG_INFO);
    auto_json json_t *records = capture_end();

    assert_int_equal(json_array_size(records), 1);
}

static void levels_are_parsed(void **state)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    enum log_level level;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(log_level_parse(names[i], &level, &err), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("Info", &level, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_have_their_types),
        cmocka_unit_test(a_record_that_is_too_long_is_cut),
        cmocka_unit_test(failures_carry_kind_and_reason),
        cmocka_unit_test(levels_below_the_minimum_are_silent),
        cmocka_unit_test(levels_are_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
