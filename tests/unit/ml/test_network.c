/* Goal: a network learns what its gradient says, scores what it learned, gives reasons that
 * add up and are the integral they claim to be, and survives its file. Method: differences of
 * the loss; plain twins in double precision of scoring and of reasons; a round trip; damage. */
#include "check.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "ml/calibrate.h"
#include "ml/metrics.h"
#include "ml/network_steps.h"
#include "ml/parallel.h"

#define ROWS    600
#define COLUMNS 10
#define LEVELS  6 /* the last columns */

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS];
static const struct matrix all = { values, ROWS, COLUMNS };
static char city_name[] = "city";
static struct feature_source sources[] = {
    { .type = VALUE_NUMERIC, .first_feature = 0, .feature_count = 1 },
    { .type = VALUE_NUMERIC, .first_feature = 1, .feature_count = 1 },
    { .type = VALUE_NUMERIC, .first_feature = 2, .feature_count = 1 },
    { .type = VALUE_BOOLEAN, .first_feature = 3, .feature_count = 1 },
    { .name = city_name, .type = VALUE_CATEGORICAL, .first_feature = 4, .feature_count = LEVELS },
};
static struct feature items[COLUMNS];
static const struct features features = { sources, ARRAY_SIZE(sources), items, COLUMNS };

/* They leave when a and b have the same sign, or c is missing, or in the first city. */
static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 8);
    for (size_t i = 0; i < COLUMNS; i++)
        items[i].source = i < 4 ? i : 4;
    for (size_t row = 0; row < ROWS; row++) {
        float *line = values + row * COLUMNS;
        double a = 4 * random_unit(&random) - 2, b = 4 * random_unit(&random) - 2;
        bool missing = random_unit(&random) < 0.2;
        size_t city = random_below(&random, LEVELS);
        line[0] = (float)a;
        line[1] = (float)exp(2 * b);
        line[2] = missing ? NAN : (float)random_unit(&random);
        line[3] = random_unit(&random) < 0.5;
        for (size_t i = 0; i < LEVELS; i++)
            line[4 + i] = i == city;
        double log_odds = (a * b > 0 ? 2.5 : -2.5) + (missing ? 2 : 0) + (city == 0 ? 2 : 0);
        labels[row] = random_unit(&random) < probability_of(log_odds);
    }
    return 0;
}

static const struct network_options usual = {
    .encoding = NETWORK_PIECEWISE,
    .hidden_layers = 2,
    .hidden_units = 17, /* no multiple of what the kernel does at once */
    .dropout = 0.1,
    .learning_rate = 0.01,
    .weight_decay = 0.1,
    .schedule = 30,
    .members = 2,
    .seed = 42,
};

static struct network fitted(const struct network_options *options, struct matrix matrix)
{
    struct err err = { 0 };
    struct network network;
    if (network_fit(options, &features, matrix, labels, options->schedule, &network, &err) < 0)
        fail_msg("%s", err.message);
    return network;
}

/* --- learning --------------------------------------------------------------- */

/* Loss of the loaded batch, with the same units dropped each time. */
static double loss_of(struct learner *learner, size_t rows)
{
    struct random random;
    random_seed(&random, 1);
    return learner_differentiate(learner, labels, rows, &random);
}

/* The slope along a random direction within some parameters, by the gradient and by the
 * difference of two losses. */
static void check_slope(struct learner *learner, size_t rows, size_t begin, size_t count,
                        const char *what)
{
    const double step = 1e-4; /* short: few ReLUs have their kink on the way */
    struct random random;
    random_seed(&random, 5);
    auto_free float *before = mem_zero(learner->count, sizeof(float));
    auto_free float *direction = mem_zero(count, sizeof(float));
    memcpy(before, learner->parameters, learner->count * sizeof(float));
    (void)loss_of(learner, rows);
    double slope = 0, losses[2];
    for (size_t i = 0; i < count; i++) {
        direction[i] = random_unit(&random) < 0.5 ? -1 : 1;
        if (fabsf(learner->gradient[begin + i]) > 1e-4F) /* uphill: slopes do not cancel */
            direction[i] = learner->gradient[begin + i] > 0 ? 1 : -1;
        slope += (double)(direction[i] * learner->gradient[begin + i]);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++)
            learner->parameters[begin + i] =
                before[begin + i] + (float)(side == 0 ? -step : step) * direction[i];
        losses[side] = loss_of(learner, rows);
        memcpy(learner->parameters, before, learner->count * sizeof(float));
    }
    check_near((losses[1] - losses[0]) / (2 * step), slope, 0.02 * fabs(slope) + 2e-4, what);
}

static void gradients_are_those_of_the_loss(void **state)
{
    (void)state;
    const size_t rows = 200;
    struct err err = { 0 };
    struct random random;
    struct network_inputs inputs;
    assert_int_equal(network_inputs_fit(all, &features, NETWORK_QUANTILES, &inputs, &err), 0);
    for (int i = 0; i < 2; i++) {
        struct network_options options = usual;
        options.dropout = i * 0.3;
        random_seed(&random, 3);
        auto_learner struct learner learner;
        learner_init(&learner, &options, &inputs, &features, rows, 0.4, &random);
        auto_free uint32_t *numbers = mem_zero(rows, sizeof(*numbers));
        for (uint32_t row = 0; row < rows; row++)
            numbers[row] = row;
        learner_load(&learner, all, numbers, rows);
        size_t units = options.hidden_units;
        const struct network_segment *city = &learner.segments[learner.segment_count - 1];
        assert_true(city->embedded && city->count == LEVELS && city->width < LEVELS);
        check_slope(&learner, rows, city->weights, city->count * city->width, "embedding");
        for (size_t k = 0; k < options.hidden_layers; k++) {
            const struct hidden_layer *layer = &learner.layers[k];
            check_slope(&learner, rows, layer->weights, units * layer->in, "weights");
            check_slope(&learner, rows, layer->gains, units, "gains");
            check_slope(&learner, rows, layer->shifts, units, "shifts");
        }
        check_slope(&learner, rows, learner.output_weights, units, "output weights");
        check_slope(&learner, rows, learner.output_bias, 1, "output bias");
    }
    network_inputs_release(&inputs);
}

/* Statistics of a batch that comes again and again become those of rows outside training. */
static void running_statistics_follow_the_batches(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct random random;
    struct network_inputs inputs;
    struct network_options options = usual;
    options.dropout = 0;
    random_seed(&random, 3);
    assert_int_equal(network_inputs_fit(all, &features, NETWORK_PIECEWISE, &inputs, &err), 0);
    auto_learner struct learner learner;
    learner_init(&learner, &options, &inputs, &features, 2, 0.4, &random);
    learner_load(&learner, all, (const uint32_t[]){ 3, 4 }, 2);
    for (int i = 0; i < 300; i++)
        (void)loss_of(&learner, 2);
    float trained[] = { learner.margins[0], learner.margins[1] };
    learner_margins(&learner, 2);
    for (int i = 0; i < 2; i++)
        check_near((double)learner.margins[i], (double)trained[i], 1e-3, "margin");
    assert_true(fabsf(trained[0] - trained[1]) > 0.01F);
    network_inputs_release(&inputs);
}

static double auc_of(const double *scores)
{
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, scores, labels, ROWS);
    return metric_auc(&ranking);
}

static void learns_what_no_sum_says(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct network_options options = usual;
        options.encoding = (enum network_encoding)i;
        auto_network struct network network = fitted(&options, all);
        static double margins[ROWS];
        network_margins(&network, all, margins);
        if (auc_of(margins) < 0.85)
            fail_msg("%s: AUC %f", network_encoding_names[i], auc_of(margins));
    }
}

/* Validation rows are the training rows here, so the last loss is that of the fit. */
static void early_stopping_sees_the_network_that_is_fitted(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct network_curve curve;
    struct network_options options = usual;
    options.members = 1;
    assert_int_equal(
        network_search(&options, &features, all, labels, all, labels, 100, &curve, &err), 0);
    assert_int_equal(curve.count, options.schedule);
    auto_network struct network network = fitted(&options, all);
    static double margins[ROWS], probabilities[ROWS];
    network_margins(&network, all, margins);
    for (size_t row = 0; row < ROWS; row++)
        probabilities[row] = probability_of(margins[row]);
    check_near(metric_log_loss(probabilities, labels, ROWS), curve.losses[curve.count - 1], 1e-5,
               "what was learned and what was folded");
    assert_true(curve.losses[curve.count - 1] < curve.losses[0] - 0.05);
    network_curve_release(&curve);
}

static void impatience_ends_a_search(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct network_curve curve;
    struct network_options options = usual;
    options.learning_rate = 0.2;
    options.schedule = 300;
    static uint8_t opposite[ROWS];
    for (size_t row = 0; row < ROWS; row++)
        opposite[row] = !labels[row]; /* the more is learned the worse it gets */
    assert_int_equal(
        network_search(&options, &features, all, labels, all, opposite, 3, &curve, &err), 0);
    assert_true(curve.count <= 10);
    network_curve_release(&curve);
}

static void a_rate_that_is_too_large_is_said(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct network network;
    struct network_options options = usual;
    options.learning_rate = 1e30;
    assert_int_equal(network_fit(&options, &features, all, labels, 30, &network, &err), -1);
    assert_string_equal(err.reason, "DataInvalid");
    assert_non_null(strstr(err.message, "learning_rate"));
}

#define FITS 24

static int fit_task(void *context, size_t index, struct err *err)
{
    struct buf *files = context;
    auto_network struct network network = { 0 };
    if (network_fit(&usual, &features, all, labels, 6, &network, err) < 0)
        return -1;
    buf_init(&files[index], 1 * MIB);
    network_encode(&network, &files[index]);
    return 0;
}

/* OpenBLAS's serial build hands out the same memory twice, were it not for the lock of ours. */
static void fits_side_by_side_do_not_meet(void **state)
{
    (void)state;
    struct err err = { 0 };
    static struct buf files[FITS];
    assert_int_equal(parallel_run(8, FITS, fit_task, files, &err), 0);
    for (size_t i = 0; i < FITS; i++) {
        assert_int_equal(files[i].length, files[0].length);
        if (memcmp(files[i].data, files[0].data, files[0].length) != 0)
            fail_msg("fit %zu differs from the first", i);
    }
    for (size_t i = 0; i < FITS; i++)
        buf_release(&files[i]);
}

/* --- inputs ----------------------------------------------------------------- */

static void numbers_become_places_between_knots(void **state)
{
    (void)state;
    /* four values in equal numbers, and as many missing ones */
    static float column[200];
    for (size_t i = 0; i < ARRAY_SIZE(column); i++)
        column[i] = i % 5 == 4 ? NAN : (float[]){ 1, 2, 4, 8 }[i % 5];
    struct err err = { 0 };
    struct network_inputs inputs;
    struct matrix matrix = { column, ARRAY_SIZE(column), 1 };
    assert_int_equal(network_inputs_fit(matrix, NULL, NETWORK_PIECEWISE, &inputs, &err), 0);
    assert_int_equal(inputs.width, 4); /* three pairs of knots, and whether it is missing */
    static const struct {
        float value, row[4];
    } cases[] = {
        { 3, { 1, 0.5F, 0, 0 } }, { 4, { 1, 1, 0, 0 } },        { 5, { 1, 1, 0.25F, 0 } },
        { -7, { 0, 0, 0, 0 } },   { INFINITY, { 1, 1, 1, 0 } },
    };
    static const float means[] = { 0.75F, 0.5F, 0.25F, 0.2F };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        float row[4];
        network_prepare(&inputs, &cases[i].value, row);
        for (size_t k = 0; k < 4; k++)
            check_near((double)row[k], (double)(cases[i].row[k] - means[k]), 1e-6, "input");
    }
    float row[4], missing = NAN;
    network_prepare(&inputs, &missing, row);
    for (size_t k = 0; k < 4; k++)
        check_near((double)row[k], k == 3 ? 0.8 : 0, 1e-6, "missing");
    network_inputs_release(&inputs);
}

static void the_average_customer_is_all_zeros(void **state)
{
    (void)state;
    struct err err = { 0 };
    for (int i = 0; i < 2; i++) {
        struct network_inputs inputs;
        assert_int_equal(
            network_inputs_fit(all, &features, (enum network_encoding)i, &inputs, &err), 0);
        auto_free float *row = mem_zero(inputs.width, sizeof(float));
        auto_free double *sums = mem_zero(inputs.width, sizeof(double));
        for (size_t k = 0; k < ROWS; k++) {
            network_prepare(&inputs, values + k * COLUMNS, row);
            for (size_t j = 0; j < inputs.width; j++)
                sums[j] += (double)row[j] / ROWS;
        }
        for (size_t j = 0; j < inputs.width; j++)
            check_near(sums[j], 0, 1e-5, "mean of an input");
        network_inputs_release(&inputs);
    }
}

static void too_many_columns_are_refused(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct network_inputs inputs;
    auto_free float *wide = mem_zero(2 * 1025, sizeof(float));
    struct matrix matrix = { wide, 2, 1025 };
    assert_int_equal(network_inputs_fit(matrix, NULL, NETWORK_PIECEWISE, &inputs, &err), -1);
    assert_non_null(strstr(err.message, "at most 1024 features, not 1025"));
    /* as many as may be, each with as many values as rows */
    auto_free float *full = mem_zero(40 * 1024, sizeof(float));
    for (size_t i = 0; i < 40 * 1024; i++)
        full[i] = (float)i;
    matrix = (struct matrix){ full, 40, 1024 };
    assert_int_equal(network_inputs_fit(matrix, NULL, NETWORK_PIECEWISE, &inputs, &err), 0);
    assert_true(inputs.width <= NETWORK_INPUTS_MAXIMUM);
    network_inputs_release(&inputs);
}

/* --- scoring: plain twins --------------------------------------------------- */

#define POINTS 4000 /* of the way */

/* The margin at `row` x `share`, and with ret_slopes its gradient by the row. */
static double plain_member(const struct network_layer *layers, size_t count, const double *row,
                           double share, double *ret_slopes)
{
    double sums[3][32] = { 0 }, slopes[3][32] = { 0 }; /* after each hidden layer */
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < layers[i].out; j++) {
            sums[i][j] = (double)layers[i].biases[j];
            for (size_t k = 0; k < layers[i].in; k++)
                sums[i][j] += (double)layers[i].weights[j * layers[i].in + k] *
                              (i == 0 ? share * row[k] : fmax(sums[i - 1][k], 0));
        }
    slopes[count - 1][0] = 1;
    for (size_t i = count; ret_slopes != NULL && i-- > 0;)
        for (size_t k = 0; k < layers[i].in; k++) {
            double slope = 0;
            for (size_t j = 0; j < layers[i].out; j++)
                slope += slopes[i][j] * (double)layers[i].weights[j * layers[i].in + k];
            if (i == 0)
                ret_slopes[k] += slope;
            else
                slopes[i - 1][k] = sums[i - 1][k] > 0 ? slope : 0;
        }
    return sums[count - 1][0];
}

static void plain_row(const struct network *network, size_t row, double *ret_row)
{
    auto_free float *prepared = mem_zero(network->inputs.width, sizeof(float));
    network_prepare(&network->inputs, values + row * COLUMNS, prepared);
    for (size_t i = 0; i < network->inputs.width; i++)
        ret_row[i] = (double)prepared[i];
}

static void margins_are_those_of_plain_loops(void **state)
{
    (void)state;
    auto_network struct network network = fitted(&usual, all);
    auto_free double *row = mem_zero(network.inputs.width, sizeof(double));
    static double margins[ROWS], few[5];
    network_margins(&network, all, margins);
    for (size_t i = 0; i < ROWS; i++) {
        plain_row(&network, i, row);
        double sum = 0;
        for (size_t member = 0; member < 2; member++)
            sum += plain_member(network.layers + 3 * member, 3, row, 1, NULL);
        check_near(margins[i], sum / 2, 1e-4, "margin");
    }
    static double portable[ROWS];
    network.portable = true;
    network_margins(&network, all, portable);
    assert_memory_equal(portable, margins, sizeof(margins));
    /* where a block begins changes nothing */
    network_margins(&network, (struct matrix){ values + 7 * COLUMNS, 5, COLUMNS }, few);
    assert_memory_equal(few, margins + 7, sizeof(few));
    network_margins(&network, (struct matrix){ values, 0, COLUMNS }, few);
}

static void reasons_are_the_integral_of_the_slope(void **state)
{
    (void)state;
    auto_network struct network network = fitted(&usual, all);
    const struct network_inputs *inputs = &network.inputs;
    auto_free double *row = mem_zero(inputs->width, sizeof(double));
    auto_free double *slopes = mem_zero(inputs->width, sizeof(double));
    auto_free float *contributions = mem_zero(ROWS * COLUMNS, sizeof(float));
    network_contributions(&network, all, contributions);
    for (size_t i = 0; i < ROWS; i += 30) {
        plain_row(&network, i, row);
        memset(slopes, 0, inputs->width * sizeof(double));
        for (size_t member = 0; member < 2; member++)
            for (int point = 0; point < POINTS; point++)
                (void)plain_member(network.layers + 3 * member, 3, row, (point + 0.5) / POINTS,
                                   slopes);
        for (size_t k = 0; k < COLUMNS; k++) {
            double integral = 0;
            for (size_t j = inputs->items[k].first;
                 j < inputs->items[k].first + inputs->items[k].width; j++)
                integral += row[j] * slopes[j] / POINTS / 2;
            check_near((double)contributions[i * COLUMNS + k], integral, 0.02, "contribution");
        }
    }
}

static void reasons_add_up_to_the_margin(void **state)
{
    (void)state;
    auto_network struct network network = fitted(&usual, all);
    auto_free float *contributions = mem_zero(ROWS * COLUMNS, sizeof(float));
    static double margins[ROWS];
    network_contributions(&network, all, contributions);
    network_margins(&network, all, margins);
    for (size_t i = 0; i < ROWS; i++) {
        double sum = network_base(&network);
        for (size_t k = 0; k < COLUMNS; k++)
            sum += (double)contributions[i * COLUMNS + k];
        check_near(sum, margins[i], 1e-4, "sum of reasons");
    }
}

/* --- network.bin -------------------------------------------------------------- */

static void a_file_scores_the_same(void **state)
{
    (void)state;
    struct err err = { 0 };
    auto_network struct network network = fitted(&usual, all), again = fitted(&usual, all),
                                read = { 0 };
    auto_buf struct buf bytes, same;
    buf_init(&bytes, 1 * MIB);
    buf_init(&same, 1 * MIB);
    network_encode(&network, &bytes);
    network_encode(&again, &same);
    assert_int_equal(bytes.length, same.length); /* the same options and rows, the same bytes */
    assert_memory_equal(bytes.data, same.data, bytes.length);
    struct span span = { bytes.data, bytes.length };
    if (network_decode(span, COLUMNS, &read, &err) < 0)
        fail_msg("%s", err.message);
    static double before[ROWS], after[ROWS];
    network_margins(&network, all, before);
    network_margins(&read, all, after);
    assert_memory_equal(before, after, sizeof(before));
    auto_free float *reasons = mem_zero(2 * ROWS * COLUMNS, sizeof(float));
    network_contributions(&network, all, reasons);
    network_contributions(&read, all, reasons + ROWS * COLUMNS);
    assert_memory_equal(reasons, reasons + ROWS * COLUMNS, ROWS * COLUMNS * sizeof(float));
}

static void check_refused(struct span bytes, size_t columns, const char *why)
{
    struct err err = { 0 };
    struct network network;
    /* in memory of their own, so that the sanitizer sees what is read behind them */
    auto_free char *copy = mem_zero(bytes.length, 1);
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    if (network_decode((struct span){ copy, bytes.length }, columns, &network, &err) == 0)
        fail_msg("%zu bytes are accepted: %s", bytes.length, why);
    assert_string_equal(err.reason, "DataInvalid");
    if (strstr(err.message, why) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", err.message, why);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct network_options options = usual;
    options.hidden_layers = 1;
    options.hidden_units = 2;
    options.members = 1;
    auto_network struct network network = fitted(&options, all);
    auto_buf struct buf bytes;
    buf_init(&bytes, 1 * MIB);
    network_encode(&network, &bytes);
    for (size_t length = 0; length < bytes.length; length++)
        check_refused((struct span){ bytes.data, length }, COLUMNS, "network.bin: ");
    check_refused((struct span){ bytes.data, bytes.length }, COLUMNS + 1, "10 features, but the");
    static const struct {
        size_t offset;
        uint32_t word;
        const char *why;
    } cases[] = {
        { 0, 0, "no network of format 1" },
        { 8, 2, "no network of format 1" },
        { 12, UINT32_MAX, "features, but the model" },
        { 16, 0, "out of range" },
        { 16, 17, "out of range" },
        { 20, 0, "out of range" },
        { 20, UINT32_MAX, "out of range" },
        { 24, 0, "out of range" },
        { 24, 1025, "out of range" },
        { 24, 3, "does not fit its layers" },
        { 28, 1, "wrong number of knots" },
        { 28, UINT32_MAX, "wrong number of knots" },
        { 32, 4, "wrong number of knots" },
        { 36 + 4, 0x7FF00000, "knots must ascend" }, /* infinite */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t before;
        memcpy(&before, bytes.data + cases[i].offset, sizeof(before));
        memcpy(bytes.data + cases[i].offset, &cases[i].word, sizeof(before));
        check_refused((struct span){ bytes.data, bytes.length }, COLUMNS, cases[i].why);
        memcpy(bytes.data + cases[i].offset, &before, sizeof(before));
    }
    float last = 1e35F;
    memcpy(bytes.data + bytes.length - sizeof(last), &last, sizeof(last));
    check_refused((struct span){ bytes.data, bytes.length }, COLUMNS, "finite and small enough");
    last = NAN;
    memcpy(bytes.data + bytes.length - sizeof(last), &last, sizeof(last));
    check_refused((struct span){ bytes.data, bytes.length }, COLUMNS, "finite and small enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_the_loss),
        cmocka_unit_test(running_statistics_follow_the_batches),
        cmocka_unit_test(learns_what_no_sum_says),
        cmocka_unit_test(early_stopping_sees_the_network_that_is_fitted),
        cmocka_unit_test(impatience_ends_a_search),
        cmocka_unit_test(a_rate_that_is_too_large_is_said),
        cmocka_unit_test(fits_side_by_side_do_not_meet),
        cmocka_unit_test(numbers_become_places_between_knots),
        cmocka_unit_test(the_average_customer_is_all_zeros),
        cmocka_unit_test(too_many_columns_are_refused),
        cmocka_unit_test(margins_are_those_of_plain_loops),
        cmocka_unit_test(reasons_are_the_integral_of_the_slope),
        cmocka_unit_test(reasons_add_up_to_the_margin),
        cmocka_unit_test(a_file_scores_the_same),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
