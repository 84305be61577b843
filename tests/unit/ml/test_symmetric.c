/* Goal: every split is the best there is, leaves have the values that Newton's steps give, trees
 * learn and stop, keep to directions, the same input gives the same bytes, and libxgboost, our
 * forest and our SHAP read what is saved. Method: a plain search in double over all conditions, by
 * raw values; data with missing numbers and categories; grids on which no score goes back. */
#include "check.h"
#include "directions.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/calibrate.h"
#include "ml/forest.h"
#include "ml/metrics.h"
#include "ml/shap.h"
#include "ml/symmetric.h"
#include "ml/symmetric_grow.h"

#define ROWS    600
#define COLUMNS 7

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct matrix all = { values, ROWS, COLUMNS };

static const struct symmetric_options plain = { .depth = 4,
                                                .learning_rate = 0.3,
                                                .lambda = 1,
                                                .row_share = 1,
                                                .column_share = 1,
                                                .leaf_steps = 1,
                                                .bins = 255 };
static const struct symmetric_options sampled = { .depth = 5,
                                                  .learning_rate = 0.1,
                                                  .lambda = 2,
                                                  .noise = 1,
                                                  .row_share = 0.7,
                                                  .column_share = 0.6,
                                                  .leaf_steps = 3,
                                                  .bins = 40,
                                                  .seed = 3 };

/* Features 0 and 1 matter together, 2 matters when missing, 3 has few values, 4 to 6 are a
 * category. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 21);
    for (size_t row = 0; row < ROWS; row++) {
        float *cells = values + row * COLUMNS;
        uint64_t level = random_below(&random, 4);
        for (size_t i = 0; i < 3; i++)
            cells[i] = (float)random_unit(&random);
        if (random_below(&random, 4) == 0)
            cells[2] = NAN;
        cells[3] = (float)random_below(&random, 3);
        for (size_t i = 4; i < COLUMNS; i++)
            cells[i] = level == i - 4;
        double signal = (cells[0] > 0.5F) == (cells[1] > 0.3F) ? 1 : -1;
        signal += isnan(cells[2]) ? 1.5 : (double)cells[2] - 0.5;
        signal += cells[5] == 1 ? -1.5 : 0;
        labels[row] = random_unit(&random) < probability_of(1.5 * signal);
    }
    return 0;
}

/* --- splits ------------------------------------------------------------------- */

static bool goes_right(const struct bins *bins, const struct symmetric_condition *condition,
                       const float *row)
{
    const struct bin_column *column = &bins->columns[condition->column];
    if (column->feature_count > 0)
        return row[column->feature + condition->bin - 1] == 1;
    float value = row[column->feature];
    if (isnan(value))
        return !condition->missing_left;
    return value >= column->thresholds[condition->bin];
}

/* Features 0 and 5 go against what was learned without: 0 goes both ways, and 5 down. */
static const int8_t directions[COLUMNS] = { 1, 0, -1, 1, 0, 1, -1 };

/* The sum over leaves and sides of G^2 / (H + lambda); of leaves that a split would bring out of
 * order, as one. */
static double score_of(const struct bins *bins, const struct symmetric_condition *condition,
                       const unsigned *leaves, const float *gradients, const float *hessians,
                       const struct symmetric_options *options)
{
    const struct bin_column *column = &bins->columns[condition->column];
    size_t feature = column->feature + (column->feature_count > 0 ? condition->bin - 1 : 0);
    int direction = options->monotone == NULL ? 0 : options->monotone[feature];
    double g[64] = { 0 }, h[64] = { 0 }, score = 0, lambda = options->lambda;
    for (size_t row = 0; row < ROWS; row++) {
        size_t place = leaves[row] * 2 + goes_right(bins, condition, values + row * COLUMNS);
        g[place] += (double)gradients[row];
        h[place] += (double)hessians[row];
    }
    for (size_t i = 0; i < 64; i += 2) {
        double left = -g[i] / (h[i] + lambda), right = -g[i + 1] / (h[i + 1] + lambda);
        double both = g[i] + g[i + 1];
        score += direction * (right - left) < 0 ? both * both / (h[i] + h[i + 1] + lambda)
                                                : -g[i] * left - g[i + 1] * right;
    }
    return score;
}

static double best_score(const struct bins *bins, const unsigned *leaves, const float *gradients,
                         const float *hessians, const struct symmetric_options *options)
{
    double best = 0;
    for (uint32_t column = 0; column < bins->column_count; column++)
        for (uint32_t bin = bins->columns[column].feature_count > 0;
             bin < bins->columns[column].bins; bin++)
            for (int missing = 0; missing < 2; missing++) {
                struct symmetric_condition condition = { column, bin, missing };
                double score = score_of(bins, &condition, leaves, gradients, hessians, options);
                best = score > best ? score : best;
            }
    return best;
}

static void check_splits(const struct symmetric_options *options)
{
    float gradients[ROWS], hessians[ROWS];
    struct random random;
    random_seed(&random, 4);
    auto_bins struct bins bins;
    bins_init(&bins, rows_of(all), 60);
    auto_grower struct grower grower;
    grower_init(&grower, &bins, options);
    for (size_t round = 0; round < 5; round++) {
        struct symmetric_condition conditions[SYMMETRIC_DEPTH_MAXIMUM];
        unsigned leaves[ROWS] = { 0 };
        for (size_t row = 0; row < ROWS; row++) {
            double p = random_unit(&random);
            gradients[row] = (float)(p - labels[row]);
            hessians[row] = (float)(p * (1 - p));
        }
        grower_grow(&grower, gradients, hessians, 0, conditions);
        for (int level = 0; level < plain.depth; level++) {
            double chosen =
                score_of(&bins, &conditions[level], leaves, gradients, hessians, options);
            double best = best_score(&bins, leaves, gradients, hessians, options);
            check_near(chosen, best, 1e-4 * best, "score");
            for (size_t row = 0; row < ROWS; row++)
                leaves[row] =
                    leaves[row] * 2 + goes_right(&bins, &conditions[level], values + row * COLUMNS);
        }
        for (size_t row = 0; row < ROWS; row++)
            for (int level = 0; level < plain.depth; level++)
                assert_int_equal(grower.leaves[row] >> level & 1,
                                 leaves[row] >> (plain.depth - 1 - level) & 1);
    }
}

static void splits_are_the_best_there_are(void **state)
{
    (void)state;
    struct symmetric_options kept = plain;
    kept.monotone = directions;
    check_splits(&plain);
    check_splits(&kept);
}

static void both_twins_choose_the_same(void **state)
{
    (void)state;
    float gradients[ROWS], hessians[ROWS];
    for (size_t row = 0; row < ROWS; row++) {
        gradients[row] = 0.4F - labels[row];
        hessians[row] = 0.24F;
    }
    auto_bins struct bins bins;
    bins_init(&bins, rows_of(all), 60);
    struct symmetric_condition conditions[2][SYMMETRIC_DEPTH_MAXIMUM] = { { { 0 } } };
    for (int portable = 0; portable < 2; portable++) {
        auto_grower struct grower grower;
        grower_init(&grower, &bins, &sampled);
        grower.portable = portable;
        for (int tree = 0; tree < 10; tree++)
            grower_grow(&grower, gradients, hessians, 0.01, conditions[portable]);
    }
    for (int level = 0; level < sampled.depth; level++) {
        assert_int_equal(conditions[0][level].column, conditions[1][level].column);
        assert_int_equal(conditions[0][level].bin, conditions[1][level].bin);
        assert_int_equal(conditions[0][level].missing_left, conditions[1][level].missing_left);
    }
}

/* --- leaves ------------------------------------------------------------------- */

/* One tree of one question, step by step in double: rows that went the same way share a value. */
static void leaves_are_newton_steps(void **state)
{
    (void)state;
    static const unsigned steps[] = { 1, 2, 6 };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct symmetric_options options = plain;
        options.depth = 1;
        options.leaf_steps = steps[i];
        auto_symmetric struct symmetric *tree = symmetric_train(&options, rows_of(all), labels, 1);
        auto_symmetric struct symmetric *nothing =
            symmetric_train(&options, rows_of(all), labels, 0);
        double margins[ROWS], base;
        symmetric_margins(tree, all, 0, margins);
        symmetric_margins(nothing, (struct matrix){ values, 1, COLUMNS }, 0, &base);
        size_t seen = 0;
        for (size_t first = 0; first < ROWS; first++) {
            double value = 0;
            size_t earlier = 0;
            while (margins[earlier] != margins[first])
                earlier++;
            if (earlier < first)
                continue;
            seen++;
            for (unsigned step = 0; step < steps[i]; step++) {
                double g = 0, h = 0;
                for (size_t row = 0; row < ROWS; row++) {
                    double p = probability_of(base + value);
                    g += margins[row] == margins[first] ? p - labels[row] : 0;
                    h += margins[row] == margins[first] ? p * (1 - p) : 0;
                }
                value -= g / (h + options.lambda);
            }
            check_near(margins[first] - base, options.learning_rate * value, 1e-6, "leaf");
        }
        assert_int_equal(seen, 2);
    }
}

/* --- trainings ------------------------------------------------------------------ */

static double loss_of(const double *margins, const uint8_t *truth, size_t count)
{
    double probabilities[ROWS];
    for (size_t i = 0; i < count; i++)
        probabilities[i] = probability_of(margins[i]);
    return metric_log_loss(probabilities, truth, count);
}

static void learns_and_stops(void **state)
{
    (void)state;
    struct matrix train = { values, 400, COLUMNS }, test = { values + 400 * COLUMNS, 200, COLUMNS };
    struct boost_curve curve;
    auto_symmetric struct symmetric *found =
        symmetric_search(&sampled, train, labels, test, labels + 400, 1000, 20, &curve);
    size_t best = 0;
    for (size_t i = 1; i < curve.count; i++)
        best = curve.losses[i] < curve.losses[best] ? i : best;
    assert_in_range(curve.count, 30, 999);
    assert_int_equal(curve.count - 1 - best, 20);
    /* knowing only the share of churners costs 0.69 */
    assert_true(curve.losses[best] < 0.5);
    /* the curve is that of a training of so many rounds, and of the first trees of a longer one */
    auto_symmetric struct symmetric *trained =
        symmetric_train(&sampled, rows_of(train), labels, (unsigned)best + 1);
    double margins[200], first[200];
    symmetric_margins(trained, test, 0, margins);
    check_near(loss_of(margins, labels + 400, 200), curve.losses[best], 1e-9, "curve");
    symmetric_margins(found, test, (unsigned)best + 1, first);
    assert_memory_equal(margins, first, sizeof(margins));
    boost_curve_release(&curve);
}

static void score(const void *trees, struct matrix rows, double *ret_margins)
{
    symmetric_margins(trees, rows, 0, ret_margins);
}

/* Without directions some margins would go back. */
static void directions_are_kept(void **state)
{
    (void)state;
    for (int depth = 1; depth <= SYMMETRIC_DEPTH_MAXIMUM; depth++) {
        struct symmetric_options options = sampled;
        options.depth = depth;
        auto_symmetric struct symmetric *free_trees =
            symmetric_train(&options, rows_of(all), labels, 40);
        assert_true(count_steps_back(score, free_trees, all, 40, directions) > 0);
        options.monotone = directions;
        auto_symmetric struct symmetric *kept = symmetric_train(&options, rows_of(all), labels, 40);
        assert_int_equal(count_steps_back(score, kept, all, 40, directions), 0);
        double margins[ROWS];
        symmetric_margins(kept, all, 0, margins);
        /* and learn all the same: the share of churners alone costs 0.69 */
        assert_true(loss_of(margins, labels, ROWS) < 0.66);
    }
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    struct err err;
    struct symmetric_options options[3] = { sampled, sampled, sampled };
    options[2].seed++;
    char *bytes[3];
    size_t sizes[3];
    for (int i = 0; i < 3; i++) {
        auto_symmetric struct symmetric *trees =
            symmetric_train(&options[i], rows_of(all), labels, 30);
        assert_int_equal(symmetric_save(trees, &bytes[i], &sizes[i], &err), 0);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    assert_true(sizes[0] != sizes[2] || memcmp(bytes[0], bytes[2], sizes[0]) != 0);
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
}

/* Half of the leaves of such deep trees are empty. Rows for scoring have missing values where
 * training had none. */
static void everybody_reads_what_is_saved(void **state)
{
    (void)state;
    static const uint32_t sources[COLUMNS] = { 0, 1, 2, 3, 4, 5, 6 };
    for (int depth = 1; depth <= SYMMETRIC_DEPTH_MAXIMUM; depth++) {
        struct err err;
        struct symmetric_options options = sampled;
        options.depth = depth;
        auto_symmetric struct symmetric *trees =
            symmetric_train(&options, rows_of(all), labels, 20);
        auto_free char *bytes = NULL;
        size_t size;
        auto_forest struct forest forest = { 0 };
        if (symmetric_save(trees, &bytes, &size, &err) < 0 ||
            forest_read((struct span){ bytes, size }, COLUMNS, &forest, &err) < 0)
            fail_msg("depth %d: %s", depth, err.message);
        auto_booster struct booster *booster =
            booster_load((struct span){ bytes, size }, COLUMNS, &err);
        assert_non_null(booster);
        static float rows[ROWS * COLUMNS];
        memcpy(rows, values, sizeof(rows));
        for (size_t row = 0; row < ROWS; row += 3)
            rows[row * COLUMNS + row % COLUMNS] = NAN;
        struct matrix matrix = { rows, ROWS, COLUMNS };
        static double ours[ROWS], forests[ROWS], theirs[ROWS], moved[ROWS * COLUMNS];
        const float *contributions;
        symmetric_margins(trees, matrix, 0, ours);
        forest_margins(&forest, rows, ROWS, forests);
        assert_int_equal(booster_margins(booster, matrix, 0, theirs, &err), 0);
        assert_int_equal(booster_contributions(booster, matrix, &contributions, &err), 0);
        auto_shap struct shap *shap = shap_new(&forest, sources, COLUMNS, SHAP_TABLES);
        shap_rows(shap, rows, ROWS, moved);
        for (size_t row = 0; row < ROWS; row++) {
            check_near(forests[row], ours[row], 1e-8, "our forest");
            check_near(theirs[row], ours[row], 1e-5, "libxgboost");
            double sum = shap_base(shap);
            for (size_t i = 0; i < COLUMNS; i++) {
                check_near(moved[row * COLUMNS + i], (double)contributions[row * (COLUMNS + 1) + i],
                           1e-4, "contribution");
                sum += moved[row * COLUMNS + i];
            }
            check_near(sum, ours[row], 1e-5, "sum of contributions");
        }
    }
}

static void nothing_to_ask_gives_the_base(void **state)
{
    (void)state;
    float same[ROWS] = { 0 };
    same[0] = NAN;
    for (size_t i = 1; i < ROWS; i++)
        same[i] = 5;
    struct matrix one = { same + 1, ROWS - 1, 1 };
    auto_symmetric struct symmetric *trees = symmetric_train(&plain, rows_of(one), labels + 1, 10);
    double margins[2];
    symmetric_margins(trees, (struct matrix){ same, 2, 1 }, 0, margins);
    size_t positives = 0;
    for (size_t i = 1; i < ROWS; i++)
        positives += labels[i];
    check_near(probability_of(margins[0]), (double)positives / (ROWS - 1), 1e-9, "base");
    check_near(margins[1], margins[0], 0, "any row");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_are_the_best_there_are),
        cmocka_unit_test(both_twins_choose_the_same),
        cmocka_unit_test(leaves_are_newton_steps),
        cmocka_unit_test(learns_and_stops),
        cmocka_unit_test(directions_are_kept),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(everybody_reads_what_is_saved),
        cmocka_unit_test(nothing_to_ask_gives_the_base),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
