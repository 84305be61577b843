/* Goal: weights are about the best there are, never cost more than they may, and say what they
 * give. Method: members that are the truth with noise of their own; all weights of two members
 * tried. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/blend.h"
#include "ml/calibrate.h"
#include "ml/metrics.h"

#define ROWS    2000
#define MEMBERS 3

static double margins[MEMBERS * ROWS];
static uint8_t labels[ROWS];

static double wobble(struct random *random)
{
    return random_unit(random) + random_unit(random) + random_unit(random) - 1.5;
}

/* Members 0 and 1 err apart from each other, 2 errs more. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 8);
    for (size_t row = 0; row < ROWS; row++) {
        double truth = 4 * wobble(&random);
        labels[row] = random_unit(&random) < probability_of(truth);
        margins[row] = truth + 2 * wobble(&random);
        margins[ROWS + row] = truth + 2.5 * wobble(&random);
        margins[2 * ROWS + row] = truth + 8 * wobble(&random);
    }
    return 0;
}

static double loss_of(const double *weights, size_t members)
{
    double probabilities[ROWS];
    for (size_t row = 0; row < ROWS; row++) {
        double margin = 0;
        for (size_t i = 0; i < members; i++)
            margin += weights[i] * margins[i * ROWS + row];
        probabilities[row] = probability_of(margin);
    }
    return metric_log_loss(probabilities, labels, ROWS);
}

static void weights_are_about_the_best(void **state)
{
    (void)state;
    static const unsigned costs[] = { 10, 10 };
    struct blend_input input = { margins, 2, ROWS, labels, costs, 20 };
    double weights[2], best = INFINITY;
    double loss = blend_weights(&input, weights);
    for (int i = 0; i <= 100; i++) {
        double tried[] = { i / 100., 1 - i / 100. };
        best = fmin(best, loss_of(tried, 2));
    }
    check_near(loss, best, 1e-4, "loss");
    check_near(loss, loss_of(weights, 2), 1e-9, "loss that is told");
    check_near(weights[0] + weights[1], 1, 1e-9, "sum");
    static const double first[] = { 1, 0 }, second[] = { 0, 1 };
    assert_true(loss < loss_of(first, 2) - 0.001 && loss < loss_of(second, 2) - 0.001);
}

static void a_budget_is_kept(void **state)
{
    (void)state;
    static const struct {
        unsigned costs[MEMBERS], budget;
        bool used[MEMBERS];
    } cases[] = {
        { { 10, 10, 10 }, 19, { true, false, false } },
        /* the best is too dear for company: it stays alone, though it costs too much */
        { { 30, 10, 10 }, 25, { true, false, false } },
        { { 10, 10, 10 }, 20, { true, true, false } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct blend_input input = {
            margins, MEMBERS, ROWS, labels, cases[i].costs, cases[i].budget
        };
        double weights[MEMBERS];
        (void)blend_weights(&input, weights);
        for (size_t j = 0; j < MEMBERS; j++)
            if ((weights[j] > 0) != cases[i].used[j])
                fail_msg("case %zu: member %zu has weight %g", i, j, weights[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_about_the_best),
        cmocka_unit_test(a_budget_is_kept),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
