/* Goal: probabilities are those of the formula, with AVX2 and without. Method: all sizes of
 * margins, and every number of rows that does not fill the lanes. */
#include "check.h"

#include <string.h>

#include "ml/calibrate.h"
#include "ml/logistic.h"

#define ROWS 4001

static void probabilities_are_right(void **state)
{
    (void)state;
    static float margins[ROWS], found[ROWS], portable[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        margins[i] = ((float)i - 2000) / 25;
    logistic_rows(margins, ROWS, found);
    logistic_rows_portable(margins, ROWS, portable);
    assert_memory_equal(found, portable, sizeof(found));
    for (size_t i = 0; i < ROWS; i++) {
        double expected = probability_of((double)margins[i]);
        check_near((double)found[i], expected, 1e-5 * expected, "probability");
    }
}

static void the_rest_is_done_too_and_no_more(void **state)
{
    (void)state;
    for (size_t count = 0; count < 20; count++) {
        float rows[21];
        for (size_t i = 0; i < 21; i++)
            rows[i] = i % 2 ? 1000 : -1000;
        logistic_rows(rows, count, rows);
        for (size_t i = 0; i < count; i++)
            check_near((double)rows[i], i % 2 ? 1 : 0, 1e-30, "extreme");
        check_near((double)rows[count], count % 2 ? 1000 : -1000, 0, "behind the last");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_right),
        cmocka_unit_test(the_rest_is_done_too_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
