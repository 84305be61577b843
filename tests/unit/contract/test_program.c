/* Goal: how a program ends is told by its exit code and its result document alike.
 * Method: results and errors into a file, and into one that cannot be written. */
#include "unit.h"

#include "base/file.h"
#include "contract/exit_code.h"
#include "contract/program.h"
#include "contract/reasons.h"

static const struct program program = { .name = "test-program" };
static const struct result trained = {
    .outcome = OUTCOME_TRAINED,
    .model = &(struct model_result){ .version = "0123456789abcdef", .uri = "file:///m/v/" },
};

/* The end of a program that writes to `path`; NULL for error: it is done. */
static int end(const char *path, const struct err *error)
{
    struct program_arguments arguments = { .result = path };
    return error ? program_failed(&program, &arguments, error)
                 : program_done(&program, &arguments, &trained);
}

static void the_document_says_what_the_code_says(void **state)
{
    (void)state;
    char path[] = "/tmp/test_program-XXXXXX";
    auto_close int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct err error = { 0 };
    err_reason(&error, ERR_INVALID, REASON_DataInvalid, "line 7: no number");
    for (int failed = 0; failed <= 1; failed++) {
        char text[4096] = "";
        auto_arena struct arena arena = { 0 };
        struct result result;
        int code = end(path, failed ? &error : NULL);
        assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
        assert_int_equal(result_decode(span_of(text), JOB_TRAIN, &arena, &result, NULL), 0);
        assert_int_equal(code, failed ? EXIT_CODE_DATA : EXIT_CODE_DONE);
        assert_int_equal(result.outcome, failed ? OUTCOME_FAILED : OUTCOME_TRAINED);
        if (failed)
            assert_string_equal(result.message, "line 7: no number");
    }
    unlink(path);
}

static void a_result_that_cannot_be_written(void **state)
{
    (void)state;
    struct err error = { 0 };
    err_set(&error, ERR_NOT_FOUND, "no such file");
    assert_int_equal(end("/nowhere/result", NULL), EXIT_CODE_OUTPUT);
    assert_int_equal(end("/nowhere/result", &error), EXIT_CODE_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_says_what_the_code_says),
        cmocka_unit_test(a_result_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
