/* Goal: the solver finds the minimum, inputs are prepared as promised, saved
 * weights score the same. Method: the gradient at the solution by differences;
 * known coefficients; a round trip through JSON. */
#include "check.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "ml/calibrate.h"
#include "ml/linear.h"
#include "ml/metrics.h"

#define ROWS    3000
#define COLUMNS 4

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct matrix all = { values, ROWS, COLUMNS };

/* log-odds = 1.5 a - b + 2 [c missing]; column 3 is a long-tailed copy of a. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (size_t row = 0; row < ROWS; row++) {
        float *line = values + row * COLUMNS;
        double a = 4 * random_unit(&random) - 2, b = 4 * random_unit(&random) - 2;
        bool missing = random_unit(&random) < 0.2;
        line[0] = (float)a;
        line[1] = (float)b;
        line[2] = missing ? NAN : (float)random_unit(&random);
        line[3] = (float)exp(3 * a);
        labels[row] = random_unit(&random) < probability_of(1.5 * a - b + (missing ? 2 : 0) - 0.4);
    }
    return 0;
}

static struct linear solved(struct matrix matrix, enum linear_inputs inputs, double l2)
{
    struct err err;
    struct linear linear;
    assert_int_equal(linear_prepare(matrix, inputs, &linear, &err), 0);
    auto_linear_design struct linear_design design;
    linear_design_init(&design, &linear, rows_of(matrix));
    assert_int_equal(linear_solve(&linear, &design, labels, l2, &err), 0);
    return linear;
}

static double loss_at(const struct linear *linear, double l2)
{
    double sum = 0;
    auto_free double *margins = mem_zero(ROWS, sizeof(*margins));
    linear_margins(linear, all, margins);
    for (size_t row = 0; row < ROWS; row++)
        sum -= log(probability_of(labels[row] ? margins[row] : -margins[row]));
    for (size_t i = 0; i < linear->column_count; i++)
        sum += l2 / 2 *
               (linear->columns[i].weight * linear->columns[i].weight +
                linear->columns[i].missing_weight * linear->columns[i].missing_weight);
    return sum;
}

static void solution_is_a_minimum(void **state)
{
    (void)state;
    static const double penalties[] = { 0.1, 10, 1000 };
    for (size_t i = 0; i < ARRAY_SIZE(penalties); i++) {
        auto_linear struct linear linear = solved(all, LINEAR_STANDARDISED, penalties[i]);
        double best = loss_at(&linear, penalties[i]);
        double *parameters[] = { &linear.intercept, &linear.columns[0].weight,
                                 &linear.columns[1].weight, &linear.columns[2].missing_weight };
        for (size_t k = 0; k < ARRAY_SIZE(parameters); k++) {
            for (double step = -0.01; step < 0.02; step += 0.02) {
                *parameters[k] += step;
                assert_true(loss_at(&linear, penalties[i]) > best - 1e-6);
                *parameters[k] -= step;
            }
        }
    }
}

static void finds_the_coefficients(void **state)
{
    (void)state;
    auto_linear struct linear linear = solved(all, LINEAR_STANDARDISED, 0.01);
    /* Of inputs as they are: divide by the scale. */
    check_near(linear.columns[1].weight / linear.columns[1].scale, -1, 0.12, "b");
    check_near(linear.columns[2].missing_weight, 2, 0.35, "c missing");
    check_near(linear.columns[2].missing_share, 0.2, 0.03, "c missing");
    check_near(linear.columns[0].missing_weight, 0, 0, "a is never missing");
}

static void quantiles_tame_long_tails(void **state)
{
    (void)state;
    /* Only the long-tailed copy of a. */
    auto_free float *tail = mem_zero(ROWS, sizeof(*tail));
    for (size_t row = 0; row < ROWS; row++)
        tail[row] = values[row * COLUMNS + 3];
    struct matrix matrix = { tail, ROWS, 1 };
    double area[2], losses[2];
    for (int inputs = 0; inputs < 2; inputs++) {
        auto_linear struct linear linear = solved(matrix, (enum linear_inputs)inputs, 1);
        auto_free double *margins = mem_zero(ROWS, sizeof(*margins));
        linear_margins(&linear, matrix, margins);
        auto_ranking struct ranking ranking;
        ranking_init(&ranking, margins, labels, ROWS);
        area[inputs] = metric_auc(&ranking);
        for (size_t row = 0; row < ROWS; row++)
            margins[row] = probability_of(margins[row]);
        losses[inputs] = metric_log_loss(margins, labels, ROWS);
    }
    check_near(area[0], area[1], 0.003, "both keep the order");
    assert_true(losses[LINEAR_QUANTILES] < losses[LINEAR_STANDARDISED] - 0.02);
}

static void contributions_are_centred(void **state)
{
    (void)state;
    for (int inputs = 0; inputs < 2; inputs++) {
        auto_linear struct linear linear = solved(all, (enum linear_inputs)inputs, 1);
        for (size_t i = 0; i < COLUMNS; i++) {
            double sum = 0;
            for (size_t row = 0; row < ROWS; row++)
                sum += linear_contribution(&linear.columns[i], (double)values[row * COLUMNS + i]);
            check_near(sum / ROWS, 0, 1e-6, linear_inputs_names[inputs]);
        }
    }
}

static void saved_weights_score_the_same(void **state)
{
    (void)state;
    struct err err;
    auto_linear struct linear linear = solved(all, LINEAR_QUANTILES, 1), again = { 0 };
    auto_json json_t *json = linear_to_json(&linear);
    auto_free char *text = jx_canonical(json);
    auto_json json_t *parsed = jx_parse(span_of(text), 1 << 20, "weights", &err);
    assert_int_equal(linear_from_json(parsed, COLUMNS, &again, &err), 0);
    auto_free double *before = mem_zero(ROWS, sizeof(double));
    auto_free double *after = mem_zero(ROWS, sizeof(double));
    linear_margins(&linear, all, before);
    linear_margins(&again, all, after);
    assert_memory_equal(before, after, ROWS * sizeof(double));
}

static void damaged_weights_are_refused(void **state)
{
    (void)state;
#define COLUMN "{\"centre\": 0, \"scale\": 1, \"weight\": 1}"
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "{\"intercept\": 0, \"columns\": []}",
          "columns: 0 weights, but the model has 1 features" },
        { "{\"intercept\": 0, \"columns\": [{\"centre\": 0, \"scale\": 0, \"weight\": 1}]}",
          "columns[0]: scale must be greater than 0" },
        { "{\"intercept\": 0, \"columns\": [{\"centre\": 0, \"scale\": 1, \"weight\": 1, "
          "\"knots\": [1, 1], \"quantiles\": [0, 1]}]}",
          "columns[0]: knots must ascend" },
        { "{\"intercept\": 0, \"columns\": [{\"centre\": 0, \"scale\": 1, \"weight\": 1, "
          "\"knots\": [1]}]}",
          "columns[0]: needs as many quantiles as knots" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        struct linear linear;
        auto_json json_t *json = jx_parse(span_of(cases[i].text), 4096, "weights", &err);
        assert_int_equal(linear_from_json(json, 1, &linear, &err), -1);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void constant_columns_do_no_harm(void **state)
{
    (void)state;
    auto_free float *with_constant = mem_zero(ROWS * 2, sizeof(float));
    for (size_t row = 0; row < ROWS; row++) {
        with_constant[row * 2] = values[row * COLUMNS];
        with_constant[row * 2 + 1] = 7;
    }
    auto_linear struct linear linear =
        solved((struct matrix){ with_constant, ROWS, 2 }, LINEAR_STANDARDISED, 0);
    check_near(linear.columns[1].weight, 0, 1e-9, "constant");
    assert_true(linear.columns[0].weight > 1);
}

static void read_again(const void *context, size_t first, size_t count, float *ret_values)
{
    const struct matrix *matrix = context;
    for (size_t i = 0; i < count; i++)
        memcpy(ret_values + i * COLUMNS, matrix->values + (first + i) % matrix->rows * COLUMNS,
               COLUMNS * sizeof(float));
}

static void blocks_are_prepared_as_a_matrix_is(void **state)
{
    (void)state;
    struct err err;
    size_t rows = 2 * ROW_SOURCE_BLOCK + 7;
    auto_free float *whole = mem_zero(rows * COLUMNS, sizeof(*whole));
    read_again(&all, 0, rows, whole);
    struct matrix matrix = { whole, rows, COLUMNS };
    auto_linear struct linear linear = { 0 };
    assert_int_equal(linear_prepare(matrix, LINEAR_QUANTILES, &linear, &err), 0);
    auto_linear_design struct linear_design from_matrix, from_blocks;
    linear_design_init(&from_matrix, &linear, rows_of(matrix));
    linear_design_init(&from_blocks, &linear,
                       (struct row_source){
                           .rows = rows, .columns = COLUMNS, .read = read_again, .context = &all });
    assert_int_equal(from_blocks.rows, rows);
    assert_int_equal(from_blocks.width, COLUMNS + 1); /* column 2 is missing now and then */
    assert_int_equal(from_matrix.width, from_blocks.width);
    assert_memory_equal(from_matrix.values, from_blocks.values,
                        rows * from_blocks.width * sizeof(float));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solution_is_a_minimum),
        cmocka_unit_test(finds_the_coefficients),
        cmocka_unit_test(quantiles_tame_long_tails),
        cmocka_unit_test(contributions_are_centred),
        cmocka_unit_test(saved_weights_score_the_same),
        cmocka_unit_test(damaged_weights_are_refused),
        cmocka_unit_test(constant_columns_do_no_harm),
        cmocka_unit_test(blocks_are_prepared_as_a_matrix_is),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
