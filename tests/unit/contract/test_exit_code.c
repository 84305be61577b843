/* Goal: an error ends a program with the documented code and word.
 * Method: every kind of error, and reason words that say more than a kind. */
#include "unit.h"

#include "contract/exit_code.h"
#include "contract/reasons.h"

static void test_codes(void **state)
{
    (void)state;
    static const struct {
        enum err_kind kind;
        const char *reason;
        int code;
        const char *word;
    } cases[] = {
        { ERR_INVALID, "", 65, "DataInvalid" },
        { ERR_INVALID, "UsageError", 64, "UsageError" },
        { ERR_TOO_BIG, "", 65, "DataInvalid" },
        { ERR_UNSUPPORTED, "", 64, "UsageError" },
        { ERR_UNSUPPORTED, "DataInvalid", 65, "DataInvalid" },
        { ERR_NOT_FOUND, "", 66, "InputNotFound" },
        { ERR_GONE, "", 66, "InputChanged" },
        { ERR_CONFLICT, "InputChanged", 66, "InputChanged" },
        { ERR_RETRY, "", 69, "Unreachable" },
        { ERR_INTERNAL, "", 70, "Internal" },
        { ERR_EXISTS, "", 73, "OutputExists" },
        { ERR_CONFLICT, "", 73, "OutputExists" },
        { ERR_IO, "OutputFailed", 73, "OutputFailed" },
        { ERR_IO, "", 75, "TryAgain" },
        { ERR_DENIED, "", 77, "PermissionDenied" },
        { ERR_CANCELED, "", 143, "Terminated" },
        { ERR_DENIED, "SomeStorageWord", 77, "PermissionDenied" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        err_reason(&err, cases[i].kind, cases[i].reason, "why");
        CASE(err_kind_name(cases[i].kind), exit_code_of(&err) == cases[i].code);
        CASE(err_kind_name(cases[i].kind), strcmp(exit_reason_of(&err), cases[i].word) == 0);
    }
    assert_string_equal(exit_code_reason(65), "DataInvalid");
    assert_string_equal(exit_code_reason(1), "Internal");
    assert_string_equal(exit_code_meaning(200), "unknown exit code");
}

/* What an operator reads when a pod left no message. */
static void test_every_code_has_a_meaning(void **state)
{
    (void)state;
    static const int codes[] = { 0, 64, 65, 66, 69, 70, 73, 75, 77, 137, 143 };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        const char *meaning = exit_code_meaning(codes[i]);
        CASE(meaning, strcmp(meaning, "unknown exit code") != 0);
        for (size_t j = 0; j < i; j++)
            CASE(meaning, strcmp(meaning, exit_code_meaning(codes[j])) != 0);
    }
}

static void test_reasons_are_words(void **state)
{
    (void)state;
    for (size_t i = 0; reasons[i].word; i++) {
        assert_in_range(reasons[i].word[0], 'A', 'Z');
        for (size_t j = 0; j < i; j++)
            CASE(reasons[i].word, strcmp(reasons[i].word, reasons[j].word) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_codes),
                                        cmocka_unit_test(test_every_code_has_a_meaning),
                                        cmocka_unit_test(test_reasons_are_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
