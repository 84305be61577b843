/* Goal: waits grow, stay between half and all of the step, never exceed the cap,
 * and honour Retry-After within reason.
 * Method: a table of ranges; many draws from several seeds must stay in the range
 * and come near to both of its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "net/backoff.h"

static void test_ranges(void **state)
{
    static const struct {
        const char *name;
        int64_t base_ms, cap_ms;
        unsigned attempt, retry_after_ms;
        int64_t from_ms, to_ms;
    } cases[] = {
        { "first", 1000, 60000, 0, 0, 500, 1000 },
        { "third", 1000, 60000, 2, 0, 2000, 4000 },
        { "capped", 1000, 60000, 6, 0, 30000, 60000 },
        { "capped for ever", 1000, 60000, UINT32_MAX, 0, 30000, 60000 },
        { "cap below base", 1000, 100, 0, 0, 50, 100 },
        { "largest cap", 1, INT64_MAX / 2, 62, 0, INT64_MAX / 4 - 1, INT64_MAX / 2 },
        { "asked to wait", 1000, 60000, 0, 7000, 7000, 7000 },
        { "asked for less", 1000, 60000, 0, 10, 500, 1000 },
        { "asked for too much", 1000, 60000, 0, UINT32_MAX, 600000, 600000 },
        { "nothing", 0, 0, 3, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct backoff backoff = { cases[i].base_ms, cases[i].cap_ms };
        int64_t low = INT64_MAX, high = 0;
        struct random random;

        random_seed(&random, i);
        for (int draw = 0; draw < 2000; draw++) {
            int64_t delay =
                backoff_delay_ms(&backoff, cases[i].attempt, cases[i].retry_after_ms, &random);

            low = delay < low ? delay : low;
            high = delay > high ? delay : high;
        }
        int64_t margin = (cases[i].to_ms - cases[i].from_ms) / 20;
        if (low < cases[i].from_ms || high > cases[i].to_ms || low > cases[i].from_ms + margin ||
            high < cases[i].to_ms - margin)
            fail_msg("%s: %lld to %lld", cases[i].name, (long long)low, (long long)high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
