/* Goal: the search finds what made the labels, keeps to what the user fixed, and
 * does not depend on the number of threads. Method: seeded data of three shapes. */
#include "check.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "ml/calibrate.h"
#include "ml/forest.h"
#include "ml/search.h"

#define ROWS    600
#define COLUMNS 4
#define FOLDS   3

static float values[ROWS * COLUMNS];
static uint8_t labels[ROWS], fold[ROWS];
static const struct matrix matrix = { values, ROWS, COLUMNS };

enum shape { SHAPE_LINEAR, SHAPE_STEPS };

static void make_data(enum shape shape)
{
    struct random random;
    random_seed(&random, 3);
    for (size_t row = 0; row < ROWS; row++) {
        float *line = values + row * COLUMNS;
        for (size_t i = 0; i < COLUMNS; i++)
            line[i] = (float)(2 * random_unit(&random) - 1);
        double a = (double)line[0], b = (double)line[1];
        double sum = a + b + (double)line[2] - (double)line[3];
        double log_odds = shape == SHAPE_LINEAR ? 3 * sum : a * b > 0 ? 3 : -3;
        labels[row] = random_unit(&random) < probability_of(log_odds);
        fold[row] = (uint8_t)(row % FOLDS);
    }
}

static void make_weak_data(unsigned seed)
{
    struct random random;
    random_seed(&random, seed);
    for (size_t row = 0; row < ROWS; row++) {
        float *line = values + row * COLUMNS;
        for (size_t i = 0; i < COLUMNS; i++)
            line[i] = (float)(2 * random_unit(&random) - 1);
        labels[row] = random_unit(&random) < probability_of(0.8 * (double)line[0]);
    }
}

static struct search_result searched(const struct search_request *request)
{
    struct err err = { 0 };
    struct search_result result;
    if (search_run(request, matrix, labels, fold, FOLDS, &result, &err) < 0)
        fail_msg("%s", err.message);
    return result;
}

static void auto_takes_what_fits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum shape shape;
        enum model_algorithm algorithm;
    } cases[] = {
        { "a sum", SHAPE_LINEAR, MODEL_LOGISTIC_REGRESSION },
        { "an interaction", SHAPE_STEPS, MODEL_GRADIENT_BOOSTING },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        make_data(cases[i].shape);
        struct search_request request = SEARCH_REQUEST_AUTO;
        auto_search_result struct search_result result = searched(&request);
        const struct candidate *chosen = &result.candidates[result.chosen];
        if (chosen->algorithm != cases[i].algorithm)
            fail_msg("%s: %s", cases[i].name, result.why);
        if (chosen->algorithm == MODEL_GRADIENT_BOOSTING)
            assert_true(chosen->boost.max_depth > 1);
        assert_true(strlen(result.why) > 40);
    }
}

static double figure_after(const char *sentence, const char *words)
{
    const char *figure = strstr(sentence, words);
    assert_non_null(figure);
    figure += strlen(words);
    double value;
    struct span text = { figure, strspn(figure, "-.0123456789") };
    while (text.length > 0 && text.data[text.length - 1] == '.')
        text.length--; /* the sentence's */
    assert_int_equal(num_double(text, &value, NULL), 0);
    return value;
}

/* Weak signals in a few rows: logistic regression is often a little ahead. It is taken only when
 * that is more than SEARCH_CLEARLY and more than a standard error, as its sentence says. */
static void a_lead_within_the_error_is_no_lead(void **state)
{
    (void)state;
    unsigned within_error = 0, clear = 0;
    for (unsigned seed = 1; seed <= 4; seed++) {
        make_weak_data(seed);
        struct search_request request = SEARCH_REQUEST_AUTO;
        request.max_depth = 1;
        request.max_trees = 60;
        auto_search_result struct search_result result = searched(&request);
        double difference = figure_after(result.why, "the difference is ");
        double error = figure_after(result.why, "a standard error of ");
        bool linear = result.candidates[result.chosen].algorithm == MODEL_LOGISTIC_REGRESSION;
        if (linear != (-difference > SEARCH_CLEARLY && -difference > error))
            fail_msg("seed %u: %s", seed, result.why);
        clear += linear;
        within_error += !linear && -difference > SEARCH_CLEARLY;
    }
    assert_true(within_error > 0 && clear > 0);
}

static double loss_of(const double *margins)
{
    double sum = 0;
    for (size_t row = 0; row < ROWS; row++) {
        double p = probability_of(margins[row]);
        sum -= log(labels[row] ? p : 1 - p);
    }
    return sum / ROWS;
}

/* A small fold's labels are noise: its trees stop early, while those of the others go on and get
 * better. The loss of a recipe is that of the predictions it gives, of the stopped fold's too. */
static void a_fold_may_stop_before_the_others(void **state)
{
    (void)state;
    make_data(SHAPE_STEPS);
    struct random random;
    random_seed(&random, 5);
    for (size_t row = 0; row < ROWS; row++) {
        const float *line = values + row * COLUMNS;
        fold[row] = (uint8_t)(row % 20 == 0 ? 0 : 1 + row % 2);
        labels[row] = fold[row] == 0 ? random_unit(&random) < 0.5 : line[0] * line[1] > 0;
    }
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_linear = false;
    request.max_depth = 3;
    request.min_child_weight = 1;
    request.lambda = 1;
    auto_search_result struct search_result result = searched(&request);
    assert_true(result.candidates[0].rounds > 200); /* patience is 50 */
    check_near(result.candidates[0].log_loss, loss_of(result.margins), 1e-6, "log-loss");
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    make_data(SHAPE_STEPS);
    struct search_request request = SEARCH_REQUEST_AUTO;
    auto_search_result struct search_result one = searched(&request);
    request.threads = 3;
    auto_search_result struct search_result three = searched(&request);
    /* one final to five; four shapes of symmetric trees, three of XGBoost's; twelve of logistic
     * regression */
    assert_in_range(one.count, 1 + 7 + 12, 5 + 7 + 12);
    assert_true(one.candidates[0].log_loss <= one.candidates[1].log_loss);
    assert_int_equal(one.count, three.count);
    assert_int_equal(one.chosen, three.chosen);
    assert_memory_equal(one.margins, three.margins, ROWS * sizeof(double));
    for (size_t i = 0; i < one.count; i++)
        check_near(one.candidates[i].log_loss, three.candidates[i].log_loss, 0, "candidate");
}

struct progress {
    size_t done, total;
};

static void note_progress(void *context, size_t done, size_t total)
{
    *(struct progress *)context = (struct progress){ done, total };
}

/* Finals that are not worth their time are no work. */
static void progress_ends_at_its_total(void **state)
{
    (void)state;
    static const enum shape shapes[] = { SHAPE_LINEAR, SHAPE_STEPS };
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        struct progress progress = { 0 };
        make_data(shapes[i]);
        struct search_request request = SEARCH_REQUEST_AUTO;
        request.max_trees = 10;
        request.progress = note_progress;
        request.progress_context = &progress;
        auto_search_result struct search_result result = searched(&request);
        assert_true(result.count > 0 && progress.total > 0);
        assert_int_equal(progress.done, progress.total);
    }
}

/* One level of trees finds nothing in an interaction: after two folds no more of them are spent on
 * it. What was tried is behind the finals, and those are judged on all folds. */
static void hopeless_shapes_end_early(void **state)
{
    (void)state;
    struct progress progress = { 0 };
    make_data(SHAPE_STEPS);
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_linear = false;
    request.progress = note_progress;
    request.progress_context = &progress;
    auto_search_result struct search_result result = searched(&request);
    size_t shapes = 7, out = 0;
    assert_true(result.count > shapes);
    const struct candidate *ranked = result.candidates + result.count - shapes;
    for (size_t i = 0; i < shapes; i++)
        out += ranked[i].log_loss > 1.05 * ranked[0].log_loss;
    assert_in_range(out, 1, shapes - 1);
    assert_int_equal(progress.done, result.count * FOLDS - out * (FOLDS - 2));
    assert_true(ranked[shapes - 1].boost.max_depth == 1);
}

static void users_fix_what_they_name(void **state)
{
    (void)state;
    make_data(SHAPE_STEPS);
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_linear = false;
    request.max_depth = 5;
    request.min_child_weight = 2;
    request.learning_rate = 0.3;
    request.max_trees = 7;
    request.lambda = 4;
    auto_search_result struct search_result result = searched(&request);
    assert_int_equal(result.count, 1);
    const struct candidate *chosen = &result.candidates[0];
    assert_int_equal(chosen->boost.max_depth, 5);
    check_near(chosen->boost.min_child_weight, 2, 0, "min_child_weight");
    check_near(chosen->boost.learning_rate, 0.3, 0, "learning_rate");
    check_near(chosen->boost.lambda, 4, 0, "lambda");
    assert_in_range(chosen->rounds, 1, 7);
    struct search_request linear = SEARCH_REQUEST_AUTO;
    linear.try_boosting = false;
    linear.l2 = 12;
    auto_search_result struct search_result lines = searched(&linear);
    assert_int_equal(lines.count, 2);
    check_near(lines.candidates[lines.chosen].l2, 12, 0, "l2");
}

/* An additive file and one that is not: what no sum says needs the network. */
static void networks_are_searched_when_asked(void **state)
{
    (void)state;
    make_data(SHAPE_STEPS);
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_boosting = request.try_linear = false;
    request.try_network = true;
    request.hidden_units = 16;
    request.ensemble = 2;
    request.epochs = 40;
    request.seed = 9;
    auto_search_result struct search_result one = searched(&request);
    request.threads = 3;
    auto_search_result struct search_result three = searched(&request);
    const struct candidate *chosen = &one.candidates[one.chosen];
    assert_int_equal(chosen->algorithm, MODEL_NEURAL_NETWORK);
    assert_int_equal(one.count, 4);
    assert_true(strlen(one.why) > 20);
    assert_int_equal(chosen->network.hidden_units, 16);
    assert_int_equal(chosen->network.members, 2);
    assert_in_range(chosen->rounds, 1, 40);
    check_near(chosen->log_loss, loss_of(one.margins), 1e-6, "log-loss");
    assert_true(chosen->log_loss < 0.45); /* 0.69 knows nothing, 0.19 is all there is to know */
    assert_memory_equal(one.margins, three.margins, ROWS * sizeof(double));
    request.dropout = 0.25;
    request.weight_decay = 3;
    request.learning_rate = 0.02;
    request.hidden_layers = 1;
    auto_search_result struct search_result fixed = searched(&request);
    assert_int_equal(fixed.count, 2); /* two encodings are left */
    for (size_t i = 0; i < 2; i++) {
        const struct network_options *options = &fixed.candidates[i].network;
        check_near(options->dropout, 0.25, 0, "dropout");
        check_near(options->weight_decay, 3, 0, "weight_decay");
        check_near(options->learning_rate, 0.02, 0, "learning_rate");
        assert_int_equal(options->hidden_layers, 1);
    }
}

/* Margins of all rows, of a model that was fitted on them with only one part, or with all
 * (SIZE_MAX). */
static void fitted_margins(const struct search_result *search, size_t part, double *ret_margins)
{
    struct err err = { 0 };
    struct search_result one = *search;
    for (size_t i = 0; part != SIZE_MAX && i < one.count; i++)
        one.candidates[i].weight = i == part;
    one.chosen = part == SIZE_MAX ? search->chosen : part;
    auto_model struct model model = { 0 };
    if (search_fit(&one, rows_of(matrix), labels, &model, &err) < 0)
        fail_msg("%s", err.message);
    auto_forest struct forest forest = { 0 };
    struct span bytes = { model.weights, model.weights_size };
    assert_int_equal(forest_read(bytes, COLUMNS, &forest, &err), 0);
    assert_in_range(forest.tree_count, 1, 50);
    forest_margins(&forest, values, ROWS, ret_margins);
}

static void the_model_is_the_blend_and_keeps_to_its_trees(void **state)
{
    (void)state;
    make_data(SHAPE_LINEAR);
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_linear = false;
    request.max_trees = 50;
    auto_search_result struct search_result result = searched(&request);
    double expected[ROWS] = { 0 }, margins[ROWS], weights = 0;
    unsigned trees = 0, parts = 0;
    for (size_t i = 0; i < result.count; i++) {
        const struct candidate *candidate = &result.candidates[i];
        if (!(candidate->weight > 0))
            continue;
        parts++;
        trees += candidate->rounds;
        weights += candidate->weight;
        fitted_margins(&result, i, margins);
        for (size_t row = 0; row < ROWS; row++)
            expected[row] += candidate->weight * margins[row];
    }
    assert_true(parts > 1 && trees <= 50);
    check_near(weights, 1, 1e-9, "weights");
    fitted_margins(&result, SIZE_MAX, margins);
    for (size_t row = 0; row < ROWS; row++)
        check_near(margins[row], expected[row], 1e-5, "margin");
    check_near(figure_after(result.why, "with a log-loss of "), loss_of(result.margins), 1e-4,
               "log-loss that is told");
}

/* The labels rise with column 0 only where column 1 is positive; the model has to rise everywhere.
 */
static void the_blend_keeps_directions(void **state)
{
    (void)state;
    make_data(SHAPE_STEPS);
    struct feature_source sources[COLUMNS] = { [0] = { .monotone = 1 }, [3] = { .monotone = -1 } };
    struct feature items[COLUMNS] = { [1] = { .source = 1 }, { .source = 2 }, { .source = 3 } };
    struct features features = { sources, COLUMNS, items, COLUMNS };
    struct search_request request = SEARCH_REQUEST_AUTO;
    request.try_linear = false;
    request.max_trees = 60;
    request.features = &features;
    auto_search_result struct search_result result = searched(&request);
    assert_non_null(strstr(result.why, "directions"));
    struct err err = { 0 };
    struct model model = { .features = features }; /* borrowed */
    assert_int_equal(search_fit(&result, rows_of(matrix), labels, &model, &err), 0);
    auto_forest struct forest forest = { 0 };
    assert_int_equal(
        forest_read((struct span){ model.weights, model.weights_size }, COLUMNS, &forest, &err), 0);
    for (size_t row = 0; row < 50; row++)
        for (size_t column = 0; column < COLUMNS; column += 3) {
            float grid[41 * COLUMNS];
            double margins[41];
            for (size_t i = 0; i < 41; i++) {
                memcpy(grid + i * COLUMNS, values + row * COLUMNS, COLUMNS * sizeof(float));
                grid[i * COLUMNS + column] = (float)i * 0.05F - 1;
            }
            forest_margins(&forest, grid, 41, margins);
            for (size_t i = 1; i < 41; i++)
                assert_true(sources[column].monotone * (margins[i] - margins[i - 1]) >= 0);
        }
    free(model.weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_takes_what_fits),
        cmocka_unit_test(a_lead_within_the_error_is_no_lead),
        cmocka_unit_test(a_fold_may_stop_before_the_others),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(progress_ends_at_its_total),
        cmocka_unit_test(hopeless_shapes_end_early),
        cmocka_unit_test(users_fix_what_they_name),
        cmocka_unit_test(networks_are_searched_when_asked),
        cmocka_unit_test(the_model_is_the_blend_and_keeps_to_its_trees),
        cmocka_unit_test(the_blend_keeps_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
