/* Goal: durations with which two candidates could lead at a time are refused.
 * Method: a table of options. */
#include "../unit.h"

#include "kube/lease.h"

static void test_options(void **state)
{
    static const struct {
        int64_t duration_ms, renew_deadline_ms, retry_period_ms;
        const char *identity, *message; /* NULL: fine */
    } cases[] = {
        { 0, 0, 0, "a", NULL },
        { 3000, 2000, 500, "a", NULL },
        { 10000, 10000, 2000, "a", "longer than the renew deadline" },
        { 15000, 2300, 2000, "a", "longer than 1.2 x the retry period" },
        { 7200 * 1000, 0, 0, "a", "at most" },
        { 0, 0, 0, "", "identity" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lease_options options = { .namespace = "n",
                                         .name = "l",
                                         .identity = cases[i].identity,
                                         .duration_ms = cases[i].duration_ms,
                                         .renew_deadline_ms = cases[i].renew_deadline_ms,
                                         .retry_period_ms = cases[i].retry_period_ms };
        struct err err;
        int outcome = lease_options_complete(&options, &err);

        assert_int_equal(outcome, cases[i].message ? -1 : 0);
        if (cases[i].message && !strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_options) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
