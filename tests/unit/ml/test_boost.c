/* Goal: boosters learn, stop early, give the same bytes every time, survive a
 * round trip, explain themselves exactly, and learn from blocks what they learn from a
 * matrix. Method: seeded data with a known signal; Shapley values by definition over all coalitions
 * of one small tree are left to the SHAP engine's own tests, here contributions must add up. */
#include "check.h"
#include "directions.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/boost.h"
#include "ml/metrics.h"

#define ROWS    600
#define COLUMNS 4

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct boost_options options = {
    .max_depth = 3, .min_child_weight = 1, .learning_rate = 0.2, .lambda = 1
};

/* The label depends on columns 0 and 1; column 3 is missing half of the time. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < COLUMNS; i++)
            values[row * COLUMNS + i] = (float)random_unit(&random);
        if (row % 2 == 0)
            values[row * COLUMNS + 3] = NAN;
        double signal = (double)values[row * COLUMNS] + (double)values[row * COLUMNS + 1];
        labels[row] = signal + 0.3 * random_unit(&random) > 1.2;
    }
    return 0;
}

static const struct matrix all = { values, ROWS, COLUMNS };

static double auc_of(const double *margins, const uint8_t *truth, size_t count)
{
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, margins, truth, count);
    return metric_auc(&ranking);
}

static void learns_and_stops(void **state)
{
    (void)state;
    struct err err;
    struct matrix train = { values, 400, COLUMNS }, test = { values + 400 * COLUMNS, 200, COLUMNS };
    struct boost_curve curve;
    auto_booster struct booster *booster = NULL;
    assert_int_equal(booster_search(&options, train, labels, test, labels + 400, 500, 10, &curve,
                                    &booster, &err),
                     0);
    assert_in_range(curve.count, 12, 499);
    size_t best = 0;
    for (size_t i = 1; i < curve.count; i++)
        best = curve.losses[i] < curve.losses[best] ? i : best;
    assert_int_equal(curve.count - 1 - best, 10);
    double margins[200], probabilities[200];
    assert_int_equal(booster_margins(booster, test, (unsigned)best + 1, margins, &err), 0);
    for (size_t i = 0; i < 200; i++)
        probabilities[i] = 1 / (1 + exp(-margins[i]));
    check_near(metric_log_loss(probabilities, labels + 400, 200), curve.losses[best], 1e-6,
               "curve");
    assert_true(auc_of(margins, labels + 400, 200) > 0.9);
    boost_curve_release(&curve);
}

static void score(const void *booster, struct matrix rows, double *ret_margins)
{
    struct err err;
    assert_int_equal(booster_margins((struct booster *)booster, rows, 0, ret_margins, &err), 0);
}

/* Columns 0 and 1 raise the chance. */
static void directions_are_kept(void **state)
{
    (void)state;
    static const int8_t directions[COLUMNS] = { -1, 1, 0, 1 };
    struct boost_options kept = options;
    struct err err;
    kept.max_depth = 6;
    kept.monotone = directions;
    auto_booster struct booster *booster = booster_train(&kept, rows_of(all), labels, 60, &err);
    assert_non_null(booster);
    assert_int_equal(count_steps_back(score, booster, all, 20, directions), 0);
    double margins[ROWS];
    assert_int_equal(booster_margins(booster, all, 0, margins, &err), 0);
    assert_true(auc_of(margins, labels, ROWS) > 0.7); /* by column 1 alone */
}

static void same_bytes_and_round_trip(void **state)
{
    (void)state;
    struct err err;
    auto_free char *bytes[2] = { NULL, NULL };
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        auto_booster struct booster *booster =
            booster_train(&options, rows_of(all), labels, 30, &err);
        assert_non_null(booster);
        assert_int_equal(booster_save(booster, &bytes[i], &sizes[i], &err), 0);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    auto_booster struct booster *trained = booster_train(&options, rows_of(all), labels, 30, &err);
    auto_booster struct booster *loaded =
        booster_load((struct span){ bytes[0], sizes[0] }, COLUMNS, &err);
    assert_non_null(loaded);
    double before[ROWS], after[ROWS];
    assert_int_equal(booster_margins(trained, all, 0, before, &err), 0);
    assert_int_equal(booster_margins(loaded, all, 0, after, &err), 0);
    assert_memory_equal(before, after, sizeof(before));
    free(bytes[1]);
}

static void contributions_add_up(void **state)
{
    (void)state;
    struct err err;
    auto_booster struct booster *booster = booster_train(&options, rows_of(all), labels, 30, &err);
    double margins[ROWS];
    const float *contributions;
    assert_int_equal(booster_margins(booster, all, 0, margins, &err), 0);
    assert_int_equal(booster_contributions(booster, all, &contributions, &err), 0);
    double used[COLUMNS] = { 0 };
    for (size_t row = 0; row < ROWS; row++) {
        double sum = 0;
        for (size_t i = 0; i <= COLUMNS; i++)
            sum += (double)contributions[row * (COLUMNS + 1) + i];
        for (size_t i = 0; i < COLUMNS; i++)
            used[i] += fabs((double)contributions[row * (COLUMNS + 1) + i]);
        check_near(sum, margins[row], 1e-5, "sum + bias");
    }
    assert_true(used[0] > 3 * used[2] && used[1] > 3 * used[2]);
}

static void other_bytes_are_refused(void **state)
{
    (void)state;
    struct err err;
    auto_free char *bytes = NULL;
    size_t size;
    auto_booster struct booster *booster = booster_train(&options, rows_of(all), labels, 3, &err);
    assert_int_equal(booster_save(booster, &bytes, &size, &err), 0);
    assert_null(booster_load(span_of("trees"), COLUMNS, &err));
    assert_string_equal(err.reason, "DataInvalid");
    assert_null(booster_load((struct span){ NULL, 0 }, COLUMNS, &err));
    assert_null(booster_load((struct span){ bytes, size }, COLUMNS + 1, &err));
    assert_string_equal(err.message, "the trees take 4 features, not 5");
}

/* The rows above, each many times. */
static void read_again(const void *context, size_t first, size_t count, float *ret_values)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        memcpy(ret_values + i * COLUMNS, values + (first + i) * 7 % ROWS * COLUMNS,
               COLUMNS * sizeof(float));
}

/* booster_search() takes floats as they are, booster_train() quantised columns. */
static void blocks_teach_what_a_matrix_teaches(void **state)
{
    (void)state;
    const size_t rows = 2 * ROW_SOURCE_BLOCK + 300;
    auto_free float *whole = mem_zero(rows * COLUMNS, sizeof(*whole));
    auto_free uint8_t *truth = mem_zero(rows, 1);
    auto_free char *expected = NULL, *bytes = NULL;
    size_t expected_size, size;
    struct boost_curve curve;
    struct err err;
    read_again(NULL, 0, rows, whole);
    for (size_t row = 0; row < rows; row++)
        truth[row] = labels[row * 7 % ROWS];
    struct matrix matrix = { whole, rows, COLUMNS };
    struct row_source source = { .rows = rows, .columns = COLUMNS, .read = read_again };
    auto_booster struct booster *searched = NULL;
    assert_int_equal(
        booster_search(&options, matrix, truth, all, labels, 20, 20, &curve, &searched, &err), 0);
    auto_booster struct booster *trained = booster_train(&options, source, truth, 20, &err);
    assert_non_null(trained);
    assert_int_equal(booster_save(searched, &expected, &expected_size, &err), 0);
    assert_int_equal(booster_save(trained, &bytes, &size, &err), 0);
    assert_int_equal(curve.count, 20);
    assert_int_equal(size, expected_size);
    assert_memory_equal(bytes, expected, size);
    boost_curve_release(&curve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_stops),
        cmocka_unit_test(directions_are_kept),
        cmocka_unit_test(same_bytes_and_round_trip),
        cmocka_unit_test(contributions_add_up),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(blocks_teach_what_a_matrix_teaches),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
