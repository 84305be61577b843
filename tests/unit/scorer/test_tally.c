/* Goal: mean and quantiles are those of the scores. Method: small sets with the
 * quantiles by hand, a large one against sorting. */
#include "unit.h"

#include <math.h>

#include "base/random.h"
#include "scorer/tally.h"

static const struct drift no_drift = { .bin_total = 0 };

static void quantiles_are_nearest_ranks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double scores[5];
        size_t count;
        double q, expected;
    } cases[] = {
        { "nothing", { 0 }, 0, 0.5, 0 },
        { "one", { 0.25 }, 1, 0.99, 0.25 },
        { "zero", { 0, 0.5 }, 2, 0.5, 0 },
        { "certain", { 1, 1, 1 }, 3, 0.5, 1 },
        { "median of four", { 0.4, 0.1, 0.3, 0.2 }, 4, 0.5, 0.2 },
        { "p90 of five", { 0.1, 0.2, 0.3, 0.4, 0.5 }, 5, 0.9, 0.5 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_tally struct tally tally;
        tally_init(&tally, &no_drift);
        tally_add_scores(&tally, cases[i].scores, cases[i].count, 0.5);
        CASE(cases[i].name, fabs(tally_quantile(&tally, cases[i].q) - cases[i].expected) < 1e-12);
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void large_sets(void **state)
{
    (void)state;
    static double scores[20000];
    auto_tally struct tally tally;
    struct random random;
    double sum = 0;
    size_t above = 0;

    random_seed(&random, 4);
    for (size_t i = 0; i < ARRAY_SIZE(scores); i++) {
        scores[i] = random_unit(&random) * random_unit(&random);
        sum += scores[i];
        above += scores[i] >= 0.3;
    }
    tally_init(&tally, &no_drift);
    for (size_t i = 0; i < ARRAY_SIZE(scores); i += 1000)
        tally_add_scores(&tally, scores + i, 1000, 0.3);
    qsort(scores, ARRAY_SIZE(scores), sizeof(*scores), compare_doubles);
    assert_true(fabs(tally_mean(&tally) - sum / ARRAY_SIZE(scores)) < 1e-9);
    assert_int_equal(tally.above_threshold, above);
    for (int percent = 1; percent < 100; percent++) {
        double exact = scores[ARRAY_SIZE(scores) * (size_t)percent / 100 - 1];
        assert_true(fabs(tally_quantile(&tally, percent / 100.0) - exact) <= 0.6 / TALLY_BINS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_nearest_ranks),
        cmocka_unit_test(large_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
