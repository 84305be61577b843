/* Goal: our forest says what libxgboost says, and contributions are Shapley values.
 * Method: boosters of every depth on seeded data with missing values; pred_contribs;
 * Shapley's sum over all coalitions by its definition; tables, formula, and both twins
 * against each other. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/boost.h"
#include "ml/forest.h"
#include "ml/shap.h"

#define ROWS    500
#define COLUMNS 6

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct matrix all = { values, ROWS, COLUMNS };
static const uint32_t own_sources[COLUMNS] = { 0, 1, 2, 3, 4, 5 };

/* Column 3 has few values, 4 and 5 are often missing. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (size_t row = 0; row < ROWS; row++) {
        float *cells = values + row * COLUMNS;
        for (size_t i = 0; i < COLUMNS; i++)
            cells[i] = (float)random_unit(&random);
        cells[3] = (float)random_below(&random, 3);
        for (size_t i = 4; i < COLUMNS; i++)
            if (random_below(&random, 3) == 0)
                cells[i] = NAN;
        double signal = (double)cells[0] * (double)cells[1] + (double)cells[3] / 4;
        signal += isnan(cells[4]) ? 0.3 : 0.2 * (double)cells[4];
        labels[row] = signal + 0.4 * random_unit(&random) > 0.9;
    }
    return 0;
}

static const int depths[] = { 1, 2, 4, 5, 6, 8, 10 };

static struct booster *train_with(int depth, double weight, unsigned rounds,
                                  struct forest *ret_forest)
{
    struct boost_options options = {
        .max_depth = depth, .min_child_weight = weight, .learning_rate = 0.3, .lambda = 0.1
    };
    struct err err;
    auto_free char *bytes = NULL;
    size_t size;
    struct booster *booster = booster_train(&options, rows_of(all), labels, rounds, &err);
    assert_non_null(booster);
    if (booster_save(booster, &bytes, &size, &err) < 0 ||
        forest_read((struct span){ bytes, size }, COLUMNS, ret_forest, &err) < 0)
        fail_msg("%s", err.message);
    return booster;
}

static struct booster *train(int depth, unsigned rounds, struct forest *ret_forest)
{
    return train_with(depth, 0, rounds, ret_forest);
}

static void check_all(const double *actual, const double *expected, size_t count, double tolerance,
                      int depth, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(actual[i] - expected[i]) <= tolerance))
            fail_msg("%s, depth %d, item %zu: %.12g, expected %.12g", what, depth, i, actual[i],
                     expected[i]);
}

static void margins_are_those_of_libxgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        struct err err;
        double ours[ROWS], theirs[ROWS];
        auto_forest struct forest forest = { 0 };
        auto_booster struct booster *booster = train(depths[i], 20, &forest);
        assert_int_equal(booster_margins(booster, all, 0, theirs, &err), 0);
        forest_margins(&forest, values, ROWS, ours);
        check_all(ours, theirs, ROWS, 1e-5, depths[i], "margins");
    }
}

static void contributions_are_those_of_libxgboost(void **state)
{
    (void)state;
    static double ours[ROWS * COLUMNS], formula[ROWS * COLUMNS], theirs[ROWS * COLUMNS];
    static double portable[ROWS * COLUMNS];
    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        struct err err;
        const float *contributions;
        double margins[ROWS], quick[ROWS];
        auto_forest struct forest forest = { 0 };
        auto_booster struct booster *booster = train(depths[i], 20, &forest);
        auto_shap struct shap *shap = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
        auto_shap struct shap *plain = shap_new(&forest, own_sources, COLUMNS, 0);
        assert_int_equal(booster_contributions(booster, all, &contributions, &err), 0);
        for (size_t row = 0; row < ROWS; row++)
            for (size_t j = 0; j < COLUMNS; j++)
                theirs[row * COLUMNS + j] = (double)contributions[row * (COLUMNS + 1) + j];
        shap_rows(shap, values, ROWS, ours);
        shap_rows(plain, values, ROWS, formula);
        shap_rows_portable(shap, values, ROWS, portable);
        check_all(ours, theirs, ROWS * COLUMNS, 1e-5, depths[i], "beside pred_contribs");
        check_all(ours, formula, ROWS * COLUMNS, 1e-6, depths[i], "beside the formula");
        assert_memory_equal(ours, portable, sizeof(ours));
        check_near(shap_base(shap), (double)contributions[COLUMNS], 1e-5, "base");
        forest_margins(&forest, values, ROWS, margins);
        forest_margins_portable(&forest, values, ROWS, quick);
        assert_memory_equal(quick, margins, sizeof(margins));
        for (size_t row = 0; row < ROWS; row++) {
            double sum = shap_base(shap);
            for (size_t j = 0; j < COLUMNS; j++)
                sum += ours[row * COLUMNS + j];
            check_near(sum, margins[row], 1e-6, "sum of contributions");
        }
    }
}

/* What a tree is expected to give when only the features of a coalition are known. */
static double worth(const struct forest *forest, uint32_t index, const float *row, unsigned known)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0)
        return (double)node->value;
    if (known >> node->feature & 1)
        return worth(forest, node->left + !forest_goes_left(node, row[node->feature]), row, known);
    double left = worth(forest, node->left, row, known);
    double right = worth(forest, node->left + 1, row, known);
    return (left * (double)forest->nodes[node->left].cover +
            right * (double)forest->nodes[node->left + 1].cover) /
           (double)node->cover;
}

static void contributions_are_shapley_values(void **state)
{
    (void)state;
    static const double factorials[] = { 1, 1, 2, 6, 24, 120, 720 };
    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        auto_forest struct forest forest = { 0 };
        booster_free(train(depths[i], 3, &forest));
        auto_shap struct shap *shap = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
        auto_shap struct shap *plain = shap_new(&forest, own_sources, COLUMNS, 0);
        for (size_t row = 0; row < ROWS; row += 50) {
            const float *cells = values + row * COLUMNS;
            double worths[1 << COLUMNS] = { 0 }, expected[COLUMNS] = { 0 }, found[COLUMNS];
            for (unsigned known = 0; known < 1U << COLUMNS; known++)
                for (size_t tree = 0; tree < forest.tree_count; tree++)
                    worths[known] += worth(&forest, forest.trees[tree].root, cells, known);
            for (unsigned feature = 0; feature < COLUMNS; feature++)
                for (unsigned known = 0; known < 1U << COLUMNS; known++) {
                    int size = __builtin_popcount(known);
                    if (!(known >> feature & 1))
                        expected[feature] += factorials[size] * factorials[COLUMNS - 1 - size] /
                                             factorials[COLUMNS] *
                                             (worths[known | 1U << feature] - worths[known]);
                }
            shap_rows(plain, cells, 1, found);
            check_all(found, expected, COLUMNS, 1e-6, depths[i], "formula beside Shapley");
            shap_rows(shap, cells, 1, found);
            check_all(found, expected, COLUMNS, 1e-6, depths[i], "tables beside Shapley");
        }
    }
}

static void features_of_one_source_are_added_up(void **state)
{
    (void)state;
    static const uint32_t sources[COLUMNS] = { 0, 1, 0, 2, 1, 0 };
    static double each[ROWS * COLUMNS], grouped[ROWS * 3];
    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        auto_forest struct forest forest = { 0 };
        booster_free(train(depths[i], 10, &forest));
        auto_shap struct shap *single = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
        auto_shap struct shap *shap = shap_new(&forest, sources, 3, SHAP_TABLES);
        shap_rows(single, values, ROWS, each);
        shap_rows(shap, values, ROWS, grouped);
        for (size_t row = 0; row < ROWS; row++) {
            double sums[3] = { 0 };
            for (size_t j = 0; j < COLUMNS; j++)
                sums[sources[j]] += each[row * COLUMNS + j];
            check_all(grouped + row * 3, sums, 3, 1e-6, depths[i], "sources");
        }
    }
}

/* Nothing may be split any more. */
static void trees_of_one_leaf(void **state)
{
    (void)state;
    double margins[ROWS], quick[ROWS], contributions[COLUMNS];
    auto_forest struct forest forest = { 0 };
    auto_booster struct booster *booster = train_with(4, 1e6, 3, &forest);
    auto_shap struct shap *shap = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
    struct err err;
    assert_int_equal(forest.node_count, 1 + 3);
    assert_int_equal(booster_margins(booster, all, 0, margins, &err), 0);
    forest_margins_portable(&forest, values, ROWS, quick);
    check_all(quick, margins, ROWS, 1e-5, 0, "margins");
    shap_rows(shap, values, 1, contributions);
    for (size_t i = 0; i < COLUMNS; i++)
        check_near(contributions[i], 0, 0, "contribution");
    check_near(shap_base(shap), margins[0], 1e-5, "base");
}

#define MANY_ROWS 4000

/* More leaves than have numbers: such a tree is walked. */
static void large_trees_give_the_same(void **state)
{
    (void)state;
    static float cells[MANY_ROWS * COLUMNS];
    static uint8_t coins[MANY_ROWS];
    static double margins[MANY_ROWS], portable[MANY_ROWS], expected[MANY_ROWS];
    const struct matrix matrix = { cells, MANY_ROWS, COLUMNS };
    const struct boost_options options = {
        .max_depth = 12, .min_child_weight = 0, .learning_rate = 0.3, .lambda = 0.1
    };
    struct random random;
    struct err err;
    auto_forest struct forest forest = { 0 };
    auto_free char *bytes = NULL;
    size_t size;
    random_seed(&random, 11);
    for (size_t i = 0; i < MANY_ROWS * COLUMNS; i++)
        cells[i] = random_below(&random, 9) == 0 ? NAN : (float)random_unit(&random);
    for (size_t i = 0; i < MANY_ROWS; i++)
        coins[i] = random_below(&random, 2) == 1;
    auto_booster struct booster *booster = booster_train(&options, rows_of(matrix), coins, 3, &err);
    assert_non_null(booster);
    assert_int_equal(booster_save(booster, &bytes, &size, &err), 0);
    assert_int_equal(forest_read((struct span){ bytes, size }, COLUMNS, &forest, &err), 0);
    assert_true(forest.trees[0].leaf_count > FOREST_LEAVES);
    assert_int_equal(booster_margins(booster, matrix, 0, expected, &err), 0);
    forest_margins(&forest, cells, MANY_ROWS, margins);
    forest_margins_portable(&forest, cells, MANY_ROWS, portable);
    check_all(margins, expected, MANY_ROWS, 1e-5, 12, "margins");
    assert_memory_equal(margins, portable, sizeof(margins));
}

/* Trees with the same few splits are one group, until it has all the leaves that a group may. */
static void few_splits_make_few_groups(void **state)
{
    (void)state;
    static float cells[ROWS * COLUMNS];
    static uint8_t sums[ROWS];
    static double tables[ROWS * COLUMNS], formula[ROWS * COLUMNS];
    struct random random;
    struct err err;
    random_seed(&random, 12);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < COLUMNS; i++)
            cells[row * COLUMNS + i] = (float)random_below(&random, 2);
        const float *own = cells + row * COLUMNS;
        sums[row] = random_unit(&random) <
                    0.1 + 0.4 * (double)own[0] + 0.2 * (double)own[1] + 0.1 * (double)own[2];
    }
    static const struct {
        int depth;
        unsigned rounds;
        size_t groups; /* at most */
    } cases[] = { { 1, 20, 1 }, { 2, 20, 1 }, { 3, 20, 1 }, { 3, 200, 8 } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct boost_options options = {
            .max_depth = cases[i].depth, .min_child_weight = 0, .learning_rate = 0.1, .lambda = 0.1
        };
        auto_forest struct forest forest = { 0 };
        auto_free char *bytes = NULL;
        size_t size;
        auto_booster struct booster *booster =
            booster_train(&options, rows_of((struct matrix){ cells, ROWS, COLUMNS }), sums,
                          cases[i].rounds, &err);
        assert_non_null(booster);
        assert_int_equal(booster_save(booster, &bytes, &size, &err), 0);
        assert_int_equal(forest_read((struct span){ bytes, size }, COLUMNS, &forest, &err), 0);
        auto_shap struct shap *shap = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
        auto_shap struct shap *plain = shap_new(&forest, own_sources, COLUMNS, 0);
        assert_true(forest.ranks.lane_count <= SHAP_PLACES); /* of one threshold each */
        assert_in_range(shap_groups(shap), 1, cases[i].groups);
        assert_int_equal(shap_groups(plain), 0);
        shap_rows(shap, cells, ROWS, tables);
        shap_rows(plain, cells, ROWS, formula);
        check_all(tables, formula, ROWS * COLUMNS, 1e-6, cases[i].depth,
                  "tables beside the formula");
    }
}

/* Neither the other rows of a call nor their number changes a row. */
static void a_row_is_explained_alone(void **state)
{
    (void)state;
    static double together[ROWS * COLUMNS], alone[COLUMNS];
    static const int few[] = { 4, 10 };
    for (size_t i = 0; i < ARRAY_SIZE(few); i++) {
        double margins[ROWS], margin;
        auto_forest struct forest forest = { 0 };
        booster_free(train(few[i], 20, &forest));
        auto_shap struct shap *shap = shap_new(&forest, own_sources, COLUMNS, SHAP_TABLES);
        shap_rows(shap, values, ROWS, together);
        forest_margins(&forest, values, ROWS, margins);
        for (size_t row = 0; row < ROWS; row += 7) {
            shap_rows(shap, values + row * COLUMNS, 1, alone);
            forest_margins(&forest, values + row * COLUMNS, 1, &margin);
            assert_memory_equal(alone, together + row * COLUMNS, sizeof(alone));
            assert_memory_equal(&margin, &margins[row], sizeof(margin));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(margins_are_those_of_libxgboost),
        cmocka_unit_test(contributions_are_those_of_libxgboost),
        cmocka_unit_test(contributions_are_shapley_values),
        cmocka_unit_test(features_of_one_source_are_added_up),
        cmocka_unit_test(trees_of_one_leaf),
        cmocka_unit_test(large_trees_give_the_same),
        cmocka_unit_test(few_splits_make_few_groups),
        cmocka_unit_test(a_row_is_explained_alone),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
