/* Goal: a model that was saved scores the same after loading, its version is a
 * hash of its content, and nothing damaged or newer is loaded. Method: both
 * algorithms trained on a small history, saved, loaded, changed. */
#include "check.h"
#include "text_source.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "ml/linear.h"
#include "ml/model.h"
#include "ml/search.h"
#include "ml/trees.h"

#define ROWS 400

static const struct table_options options = { .target = "left",
                                              .positive_label = "yes",
                                              .id = "id" };

struct history {
    struct table table;
    uint32_t rows[ROWS];
    double scores[ROWS];
    float *encoded;
};

/* Those who are old or live in Oslo leave. */
static void read_history(struct table *ret_table)
{
    auto_buf struct buf file;
    buf_init(&file, 1 * MIB);
    buf_string(&file, "id,age,city,income,left\n");
    struct random random;
    random_seed(&random, 21);
    static const char *const cities[] = { "Rome", "Oslo", "Bonn" };
    for (int i = 0; i < ROWS; i++) {
        double age = 20 + 50 * random_unit(&random);
        uint64_t city = random_below(&random, 3);
        bool left = random_unit(&random) < (age > 50 ? 0.7 : 0.1) + (city == 1 ? 0.25 : 0);
        buf_format(&file, "c%d,%.0f,%s,", i, age, cities[city]);
        if (random_below(&random, 4) > 0)
            buf_format(&file, "%.0f", 1000 + 4000 * random_unit(&random));
        buf_format(&file, ",%s\n", left ? "yes" : "no");
    }
    struct text_source text = { { file.data, file.length }, 0 };
    struct byte_source source = text_source(&text);
    struct err err = { 0 };
    if (table_read("h.csv", &source, &options, ret_table, &err) < 0)
        fail_msg("%s", err.message);
}

static const struct candidate recipes[] = {
    { .algorithm = MODEL_GRADIENT_BOOSTING,
      .boost = { .max_depth = 3, .min_child_weight = 1, .learning_rate = 0.1, .lambda = 1 },
      .rounds = 40 },
    { .algorithm = MODEL_NEURAL_NETWORK,
      .network = { .encoding = NETWORK_PIECEWISE,
                   .hidden_layers = 2,
                   .hidden_units = 8,
                   .dropout = 0.1,
                   .learning_rate = 0.01,
                   .weight_decay = 1,
                   .schedule = 5,
                   .members = 2,
                   .seed = 42 },
      .rounds = 4 },
    { .algorithm = MODEL_LOGISTIC_REGRESSION, .inputs = LINEAR_QUANTILES, .l2 = 1 },
};

static void train(const struct candidate *recipe, struct history *ret_history,
                  struct model *ret_model)
{
    struct err err = { 0 };
    struct model model = { .target = mem_strdup("left"),
                           .positive_label = mem_strdup("yes"),
                           .id = mem_strdup("id"),
                           .calibration = { 1.25, -0.1 },
                           .threshold = 0.4 };
    read_history(&ret_history->table);
    for (uint32_t i = 0; i < ROWS; i++)
        ret_history->rows[i] = i;
    const struct table *table = &ret_history->table;
    assert_int_equal(features_fit(table, ret_history->rows, ROWS, &model.features, &err), 0);
    ret_history->encoded = mem_zero(ROWS * model.features.count, sizeof(float));
    assert_int_equal(features_encode_rows(&model.features, table, ret_history->rows, ROWS,
                                          FEATURES_SCORING, ret_history->encoded, &err),
                     0);
    struct matrix matrix = { ret_history->encoded, ROWS, model.features.count };
    assert_int_equal(candidate_fit(recipe, rows_of(matrix), table->labels, &model, &err), 0);
    auto_free double *values = mem_zero(ROWS * model.features.source_count, sizeof(double));
    assert_int_equal(
        features_decode_rows(&model.features, table, ret_history->rows, ROWS, values, &err), 0);
    drift_fit(&model.features, values, ret_history->scores, ROWS, &model.drift);
    *ret_model = model;
}

static void history_release(struct history *history)
{
    table_release(&history->table);
    free(history->encoded);
}

static struct span weights_of(const struct model *model)
{
    return (struct span){ model->weights, model->weights_size };
}

static void score(const struct model *model, const float *encoded, double *ret_probabilities,
                  struct score_reason *ret_reasons)
{
    struct err err = { 0 };
    auto_model_session struct model_session *session = model_session_new(model, &err);
    assert_non_null(session);
    model_score(session, encoded, ROWS, 2, ret_probabilities, ret_reasons);
}

static void loaded_models_score_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct history history = { 0 };
        auto_model struct model model = { 0 }, again = { 0 };
        auto_free char *text = NULL;
        struct err err = { 0 };
        train(&recipes[i], &history, &model);
        assert_int_equal(model_finish(&model, &text, &err), 0);
        if (model_parse("model.json", span_of(text), &again, &err) < 0 ||
            model_attach(&again, weights_of(&model), &err) < 0)
            fail_msg("%s: %s", model_algorithm_names[recipes[i].algorithm], err.message);
        assert_string_equal(again.version, model.version);
        assert_string_equal(again.id, "id");
        static double before[ROWS], after[ROWS];
        static struct score_reason before_reasons[2 * ROWS], after_reasons[2 * ROWS];
        score(&model, history.encoded, before, before_reasons);
        score(&again, history.encoded, after, after_reasons);
        assert_memory_equal(before, after, sizeof(before));
        assert_memory_equal(before_reasons, after_reasons, sizeof(before_reasons));
        history_release(&history);
    }
}

/* What explains takes long to make: who asks for no reasons must not wait for it. */
static void tables_wait_for_the_first_reason(void **state)
{
    struct history history = { 0 };
    auto_model struct model model = { 0 }, again = { 0 };
    auto_free char *text = NULL;
    struct err err = { 0 };
    static double probabilities[ROWS];
    static struct score_reason reasons[2 * ROWS];

    (void)state;
    train(&recipes[0], &history, &model);
    assert_int_equal(model.algorithm, MODEL_GRADIENT_BOOSTING);
    assert_int_equal(model_finish(&model, &text, &err), 0);
    assert_int_equal(model_parse("model.json", span_of(text), &again, &err), 0);
    assert_int_equal(model_attach(&again, weights_of(&model), &err), 0);
    auto_model_session struct model_session *session = model_session_new(&again, &err);
    model_score(session, history.encoded, ROWS, 0, probabilities, NULL);
    assert_null(again.trees->shap);
    model_score(session, history.encoded, ROWS, 2, probabilities, reasons);
    assert_non_null(again.trees->shap);
    history_release(&history);
}

static void contributions_add_up_to_log_odds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct history history = { 0 };
        auto_model struct model model = { 0 };
        auto_free char *text = NULL;
        struct err err = { 0 };
        train(&recipes[i], &history, &model);
        assert_int_equal(model_finish(&model, &text, &err), 0);
        size_t sources = model.features.source_count;
        auto_free double *contributions = mem_zero(ROWS * sources, sizeof(double));
        static double probabilities[ROWS], base;
        static struct score_reason reasons[2 * ROWS];
        score(&model, history.encoded, probabilities, reasons);
        auto_model_session struct model_session *session = model_session_new(&model, &err);
        model_contributions(session, history.encoded, ROWS, contributions, &base);
        for (size_t row = 0; row < ROWS; row++) {
            double sum = base, largest = 0;
            for (size_t k = 0; k < sources; k++) {
                sum += contributions[row * sources + k];
                largest = fmax(largest, fabs(contributions[row * sources + k]));
            }
            check_near(sum, log(probabilities[row] / (1 - probabilities[row])), 1e-5,
                       model_algorithm_names[recipes[i].algorithm]);
            check_near(fabs(reasons[2 * row].contribution), largest, 0, "first reason");
        }
        history_release(&history);
    }
}

static void version_follows_content(void **state)
{
    (void)state;
    struct history history = { 0 }, other = { 0 };
    auto_model struct model model = { 0 }, same = { 0 };
    auto_free char *text = NULL, *same_text = NULL, *changed_text = NULL;
    struct err err = { 0 };
    train(&recipes[0], &history, &model);
    train(&recipes[0], &other, &same);
    assert_int_equal(model_finish(&model, &text, &err), 0);
    assert_int_equal(model_finish(&same, &same_text, &err), 0);
    assert_string_equal(text, same_text);
    assert_int_equal(strlen(model.version), 16);
    same.threshold = 0.41;
    assert_int_equal(model_finish(&same, &changed_text, &err), 0);
    assert_string_not_equal(model.version, same.version);
    history_release(&history);
    history_release(&other);
}

/* model.json with one member replaced; the caller frees. */
static char *changed(const char *text, const char *member, json_t *take_value)
{
    struct err err;
    auto_json json_t *json = jx_parse(span_of(text), LIMIT_MODEL_DOCUMENT, "m", &err);
    json_object_set_new(json, member, take_value);
    return jx_canonical(json);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    struct history history = { 0 };
    auto_model struct model model = { 0 };
    auto_free char *text = NULL;
    struct err err = { 0 };
    train(&recipes[0], &history, &model);
    assert_int_equal(model_finish(&model, &text, &err), 0);
    const struct {
        const char *name, *member, *message;
        json_t *value;
    } cases[] = {
        { "newer format", "format", "model.json: model format 2 is newer", json_integer(2) },
        { "calibration", "calibration", "model.json: calibration.slope: must be greater than 0",
          json_pack("{s:f, s:f}", "slope", -1.0, "intercept", 0.0) },
        { "threshold", "threshold", "model.json: threshold: must be within [0,1]", json_real(2) },
        { "features", "features", "model.json: ", json_object() },
        { "unknown member", "extra", "model.json: ", json_true() },
        { "changed content", "threshold", "model version ", json_real(0.41) },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_model struct model loaded = { 0 };
        auto_free char *bad = changed(text, cases[i].member, cases[i].value);
        err = (struct err){ 0 };
        int outcome = model_parse("model.json", span_of(bad), &loaded, &err);
        if (outcome == 0)
            outcome = model_attach(&loaded, weights_of(&model), &err);
        assert_int_equal(outcome, -1);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_string_equal(err.reason, "DataInvalid");
    }
    history_release(&history);
}

static void changed_trees_are_refused(void **state)
{
    (void)state;
    struct history history = { 0 };
    auto_model struct model model = { 0 }, loaded = { 0 };
    auto_free char *text = NULL;
    struct err err = { 0 };
    train(&recipes[0], &history, &model);
    assert_int_equal(model_finish(&model, &text, &err), 0);
    assert_int_equal(model_parse("model.json", span_of(text), &loaded, &err), 0);
    assert_string_equal(model_weights_file(&loaded), "booster.ubj");
    model.weights[model.weights_size / 2] ^= 1;
    assert_int_equal(model_attach(&loaded, weights_of(&model), &err), -1);
    assert_string_equal(err.reason, "DataInvalid");
    history_release(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_models_score_the_same),
        cmocka_unit_test(tables_wait_for_the_first_reason),
        cmocka_unit_test(contributions_add_up_to_log_odds),
        cmocka_unit_test(version_follows_content),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(changed_trees_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
