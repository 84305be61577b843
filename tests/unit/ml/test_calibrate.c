/* Goal: calibration finds the true line, and does no harm where it cannot.
 * Method: labels drawn from a known slope and intercept; separable and
 * degenerate data. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/calibrate.h"

#define ROWS 20000

static void finds_the_line_that_made_the_labels(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double slope, intercept;
    } cases[] = {
        { "calibrated", 1, 0 },
        { "over-confident", 0.5, 0.3 },
        { "too timid", 2, -1.5 },
    };
    auto_free double *margins = mem_zero(ROWS, sizeof(*margins));
    auto_free uint8_t *labels = mem_zero(ROWS, 1);
    struct random random;
    random_seed(&random, 7);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t row = 0; row < ROWS; row++) {
            margins[row] = 6 * random_unit(&random) - 3;
            double log_odds = cases[i].slope * margins[row] + cases[i].intercept;
            labels[row] = random_unit(&random) < probability_of(log_odds);
        }
        struct calibration found = calibration_fit(margins, labels, ROWS);
        check_near(found.slope, cases[i].slope, 0.06, cases[i].name);
        check_near(found.intercept, cases[i].intercept, 0.06, cases[i].name);
    }
}

static void separable_data_stay_finite(void **state)
{
    (void)state;
    static const double margins[] = { -2, -1, 1, 2 };
    static const uint8_t labels[] = { 0, 0, 1, 1 };
    struct calibration found = calibration_fit(margins, labels, 4);
    assert_true(found.slope > 0 && found.slope < 10);
    check_near(found.intercept, 0, 1e-6, "symmetric");
}

static void useless_margins_are_left_alone(void **state)
{
    (void)state;
    static const double margins[] = { -2, -1, 1, 2 };
    static const uint8_t backwards[] = { 1, 1, 0, 0 }, one_class[] = { 1, 1, 1, 1 };
    check_near(calibration_fit(margins, backwards, 4).slope, 1, 0, "backwards");
    check_near(calibration_fit(margins, one_class, 4).slope, 1, 0, "one class");
    check_near(calibration_fit(NULL, NULL, 0).slope, 1, 0, "no rows");
}

static void probabilities_do_not_overflow(void **state)
{
    (void)state;
    check_near(probability_of(0), 0.5, 0, "zero");
    check_near(probability_of(1000), 1, 0, "far above");
    check_near(probability_of(-1000), 0, 0, "far below");
    check_near(probability_of(2) + probability_of(-2), 1, 1e-15, "symmetry");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_line_that_made_the_labels),
        cmocka_unit_test(separable_data_stay_finite),
        cmocka_unit_test(useless_margins_are_left_alone),
        cmocka_unit_test(probabilities_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
