/* Goal: measurements are complete, in order of importance, and what is undefined
 * is left out. Method: a perfect ranking, and one class only. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "trainer/figures.h"

static const double margins[] = { 3, 2, 1, -1, -2, -3, -4, -5 };
static const struct calibration none = CALIBRATION_NONE;

static bool is_known(double value)
{
    return !isnan(value);
}

static void perfect_ranking(void **state)
{
    (void)state;
    static const uint8_t labels[] = { 1, 1, 0, 0, 0, 0, 0, 0 };
    static const struct {
        const char *name;
        double value;
    } expected[] = {
        { "auc", 1 },
        { "pr_auc", 1 },
        { "gini", 1 },
        { "ks", 1 },
        { "threshold", 0.8 },
        { "precision", 1 },
        { "recall", 1 },
        { "f1", 1 },
        { "lift_at_10", 4 },
        { "churn_rate", 0.25 },
        { "precision_at_20", 1 },
        { "profit", 200 * 0.28 / 4 },
    };
    struct figures figures;
    figures_measure(margins, labels, ARRAY_SIZE(margins), &none, 0.8, &figures);
    assert_string_equal(figures.items[0].name, "auc");
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        double value = figures_value(&figures, expected[i].name);
        if (!(fabs(value - expected[i].value) < 1e-9))
            fail_msg("%s is %g, expected %g", expected[i].name, value, expected[i].value);
    }
    assert_false(is_known(figures_value(&figures, "no_such_figure")));
}

static void one_class_leaves_out_what_is_undefined(void **state)
{
    (void)state;
    static const uint8_t labels[] = { 0, 0, 0, 0, 0, 0, 0, 0 };
    struct figures figures;
    figures_measure(margins, labels, ARRAY_SIZE(margins), &none, 0.5, &figures);
    assert_false(is_known(figures_value(&figures, "auc")));
    assert_true(is_known(figures_value(&figures, "log_loss")));
    for (size_t i = 0; i < figures.count; i++)
        assert_true(is_known(figures.items[i].value));
    figures_measure(NULL, NULL, 0, &none, 0.5, &figures);
    for (size_t i = 0; i < figures.count; i++)
        assert_true(is_known(figures.items[i].value));
}

static void calibration_is_applied(void **state)
{
    (void)state;
    const struct calibration shifted = { .slope = 2, .intercept = 1 };
    auto_free double *probabilities = figures_probabilities(margins, 2, &shifted);
    assert_true(fabs(probabilities[0] - 1 / (1 + exp(-7))) < 1e-12);
    assert_true(fabs(probabilities[1] - 1 / (1 + exp(-5))) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_ranking),
        cmocka_unit_test(one_class_leaves_out_what_is_undefined),
        cmocka_unit_test(calibration_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
