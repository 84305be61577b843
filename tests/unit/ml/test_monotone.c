/* Goal: values of leaves keep to directions exactly, and are about the nearest that do. Method:
 * random values; of one question the answer in closed form; of several no step to others that keep
 * to them comes nearer by more than what iterating leaves. */
#include "check.h"

#include "base/random.h"
#include "ml/monotone.h"

#define DEPTH  5
#define LEAVES (1 << DEPTH)

static void draw(struct random *random, double *values, double *weights)
{
    for (size_t i = 0; i < LEAVES; i++) {
        values[i] = 2 * random_unit(random) - 1;
        weights[i] = random_below(random, 4) == 0 ? 1e-6 : 10 * random_unit(random) + 0.1;
    }
}

static bool keeps(const double *values, const int8_t *directions)
{
    for (size_t leaf = 0; leaf < LEAVES; leaf++)
        for (int level = 0; level < DEPTH; level++)
            if (directions[level] * (values[leaf | (size_t)1 << level] - values[leaf]) < 0)
                return false;
    return true;
}

static double distance(const double *values, const double *others, const double *weights)
{
    double sum = 0;
    for (size_t i = 0; i < LEAVES; i++)
        sum += weights[i] * (values[i] - others[i]) * (values[i] - others[i]);
    return sum;
}

static void free_questions_change_nothing(void **state)
{
    (void)state;
    struct random random;
    double values[LEAVES], weights[LEAVES], before[LEAVES];
    random_seed(&random, 1);
    draw(&random, values, weights);
    memcpy(before, values, sizeof(values));
    monotone_project(values, weights, DEPTH, (const int8_t[DEPTH]){ 0 });
    assert_memory_equal(values, before, sizeof(values));
}

static void pairs_out_of_order_become_their_mean(void **state)
{
    (void)state;
    static const double weights[] = { 1, 2, 3, 1 };
    double values[] = { 0.5, -0.2, 1, 0 };
    monotone_project(values, weights, 2, (const int8_t[]){ 0, 1 }); /* 0 below 2, 1 below 3 */
    check_near(values[0], 0.5, 0, "in order");
    check_near(values[3], 0, 0, "in order");
    monotone_project(values, weights, 2, (const int8_t[]){ 0, -1 }); /* 0 above 2, 1 above 3 */
    check_near(values[0], (0.5 + 3 * 1) / 4, 1e-12, "mean");
    check_near(values[2], values[0], 0, "mean");
    check_near(values[1], (2 * -0.2) / 3, 1e-12, "mean");
    check_near(values[3], values[1], 0, "mean");
}

static void nothing_that_keeps_them_is_nearer(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (int round = 0; round < 200; round++) {
        double values[LEAVES], weights[LEAVES], wanted[LEAVES], others[LEAVES], nothing[LEAVES];
        int8_t directions[DEPTH];
        for (int level = 0; level < DEPTH; level++)
            directions[level] = (int8_t)((int)random_below(&random, 3) - 1);
        draw(&random, wanted, weights);
        memcpy(values, wanted, sizeof(values));
        monotone_project(values, weights, DEPTH, directions);
        assert_true(keeps(values, directions));
        /* on the way to any other values that keep them the distance grows */
        draw(&random, others, nothing);
        monotone_project(others, nothing, DEPTH, directions);
        for (size_t i = 0; i < LEAVES; i++)
            others[i] = values[i] + 0.01 * (others[i] - values[i]);
        assert_true(distance(values, wanted, weights) <=
                    distance(others, wanted, weights) * 1.03 + 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_questions_change_nothing),
        cmocka_unit_test(pairs_out_of_order_become_their_mean),
        cmocka_unit_test(nothing_that_keeps_them_is_nearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
