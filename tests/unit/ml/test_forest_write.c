/* Goal: a blend is the weighted sum of its forests, for us and for libxgboost. Method: boosters of
 * two shapes on seeded data. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/boost.h"
#include "ml/forest.h"
#include "ml/forest_write.h"

#define ROWS    300
#define COLUMNS 3

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct matrix all = { values, ROWS, COLUMNS };

static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 2);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = random_below(&random, 9) == 0 ? NAN : (float)random_unit(&random);
    for (size_t row = 0; row < ROWS; row++)
        labels[row] = values[row * COLUMNS] + 0.2F * values[row * COLUMNS + 1] > 0.8F;
    return 0;
}

static struct span trained(int depth, size_t rows, double *ret_margins)
{
    struct boost_options options = {
        .max_depth = depth, .min_child_weight = 1, .learning_rate = 0.2, .lambda = 1
    };
    struct err err;
    char *bytes;
    size_t size;
    auto_booster struct booster *booster = booster_train(
        &options, rows_of((struct matrix){ values, rows, COLUMNS }), labels, 12, &err);
    assert_non_null(booster);
    assert_int_equal(booster_margins(booster, all, 0, ret_margins, &err), 0);
    assert_int_equal(booster_save(booster, &bytes, &size, &err), 0);
    return (struct span){ bytes, size };
}

static void a_blend_is_the_weighted_sum(void **state)
{
    (void)state;
    struct err err;
    double first[ROWS], second[ROWS], ours[ROWS], theirs[ROWS];
    struct forest_part parts[] = { { trained(2, ROWS, first), 0.7 },
                                   { trained(5, ROWS / 2, second), 0.4 } };
    auto_free char *bytes = NULL;
    size_t size;
    auto_forest struct forest forest = { 0 };
    if (forest_blend(parts, 2, COLUMNS, &bytes, &size, &err) < 0 ||
        forest_read((struct span){ bytes, size }, COLUMNS, &forest, &err) < 0)
        fail_msg("%s", err.message);
    auto_booster struct booster *booster =
        booster_load((struct span){ bytes, size }, COLUMNS, &err);
    assert_non_null(booster);
    assert_int_equal(booster_margins(booster, all, 0, theirs, &err), 0);
    forest_margins(&forest, values, ROWS, ours);
    assert_int_equal(forest.tree_count, 24);
    for (size_t row = 0; row < ROWS; row++) {
        double expected = 0.7 * first[row] + 0.4 * second[row];
        check_near(ours[row], expected, 1e-5, "our forest");
        check_near(theirs[row], expected, 1e-5, "libxgboost");
    }
    free((void *)parts[0].bytes.data);
    free((void *)parts[1].bytes.data);
}

/* Libxgboost's own bytes of one forest come back, but for what it notes of the training. */
static void one_forest_of_weight_one_is_itself(void **state)
{
    (void)state;
    struct err err;
    double margins[ROWS], again[ROWS];
    struct forest_part part = { trained(4, ROWS, margins), 1 };
    char *bytes;
    size_t size;
    auto_forest struct forest before = { 0 }, after = { 0 };
    assert_int_equal(forest_blend(&part, 1, COLUMNS, &bytes, &size, &err), 0);
    assert_int_equal(forest_read(part.bytes, COLUMNS, &before, &err), 0);
    assert_int_equal(forest_read((struct span){ bytes, size }, COLUMNS, &after, &err), 0);
    assert_int_equal(before.node_count, after.node_count);
    assert_memory_equal(before.nodes, after.nodes, before.node_count * sizeof(*before.nodes));
    check_near(after.base, before.base, 1e-8, "base");
    forest_margins(&after, values, ROWS, again);
    for (size_t row = 0; row < ROWS; row++)
        check_near(again[row], margins[row], 1e-5, "margin");
    free(bytes);
    free((void *)part.bytes.data);
}

static void a_damaged_part_is_refused(void **state)
{
    (void)state;
    struct err err;
    double margins[ROWS];
    struct forest_part parts[] = { { trained(2, ROWS, margins), 1 }, { span_of("{}"), 1 } };
    char *bytes;
    size_t size;
    assert_int_equal(forest_blend(parts, 2, COLUMNS, &bytes, &size, &err), -1);
    assert_string_equal(err.reason, "DataInvalid");
    free((void *)parts[0].bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blend_is_the_weighted_sum),
        cmocka_unit_test(one_forest_of_weight_one_is_itself),
        cmocka_unit_test(a_damaged_part_is_refused),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
