#include "trainer/measurements.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "ml/metrics.h"
#include "trainer/groups.h"

#define CURVE_POINTS 21 /* every 5 % and the ends */

static json_t *encode_figures(const struct figures *figures)
{
    json_t *object = json_object();
    for (size_t i = 0; i < figures->count; i++)
        json_object_set_new(object, figures->items[i].name, json_real(figures->items[i].value));
    return object;
}

static json_t *encode_candidates(const struct search_result *search)
{
    json_t *array = json_array();
    for (size_t i = 0; i < search->count; i++) {
        char recipe[128];
        candidate_describe(&search->candidates[i], recipe, sizeof(recipe));
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:f, s:f, s:b}", "algorithm",
                                        model_algorithm_names[search->candidates[i].algorithm],
                                        "recipe", recipe, "logLoss", search->candidates[i].log_loss,
                                        "weight", search->candidates[i].weight, "chosen",
                                        (int)(search->candidates[i].weight > 0)));
    }
    return array;
}

static json_t *encode_by_source(const struct training *training, const double *values)
{
    json_t *object = json_object();
    const struct features *features = &training->final.features;
    for (size_t i = 0; i < features->source_count; i++)
        json_object_set_new(object, features->sources[i].name, json_real(values[i]));
    return object;
}

static json_t *encode_warnings(const struct training *training)
{
    json_t *array = json_array();
    for (size_t i = 0; i < training->warning_count; i++)
        json_array_append_new(array, json_string(training->warnings[i]));
    return array;
}

static json_t *encode_data(const struct training *training)
{
    const struct table *table = &training->table;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "uri", training->history.uri, "sha256",
                     training->history.sha256, "rows", (json_int_t)table->row_count, "rejected",
                     (json_int_t)table->rejected, "positives", (json_int_t)table->positives,
                     "duplicates", (json_int_t)training->folds.duplicates, "heldOut",
                     (json_int_t)training->folds.holdout_count);
}

static json_t *encode_validation(const struct training_spec *spec)
{
    return json_pack("{s:I, s:s, s:I}", "seed", (json_int_t)spec->seed, "holdout",
                     spec->validation->holdout.text, "folds", (json_int_t)spec->validation->folds);
}

/* --- held-out customers -------------------------------------------------- */

/* [{"share": 0.05, "churners": 0.21}, ...]: whom the highest scores reach. */
static json_t *encode_gain(const struct ranking *ranking)
{
    json_t *array = json_array();
    for (size_t i = 1; i < CURVE_POINTS && ranking->positives > 0; i++) {
        double share = (double)i / (CURVE_POINTS - 1);
        double found = metric_lift_at(ranking, share) * share;
        json_array_append_new(array, json_pack("{s:f, s:f}", "share", share, "churners", found));
    }
    return array;
}

static json_t *encode_reliability(const struct ranking *ranking)
{
    struct reliability_bin bins[METRIC_ECE_BINS];
    json_t *array = json_array();
    metric_reliability(ranking, bins, METRIC_ECE_BINS);
    for (size_t i = 0; i < METRIC_ECE_BINS; i++) {
        if (bins[i].rows > 0)
            json_array_append_new(array,
                                  json_pack("{s:f, s:f, s:f}", "rows", bins[i].rows, "predicted",
                                            bins[i].predicted, "observed", bins[i].observed));
    }
    return array;
}

static void add_curves(const struct training *training, json_t *object)
{
    const struct folds *folds = &training->folds;
    const struct calibration none = CALIBRATION_NONE,
                             *calibrations[] = { &training->evaluation.calibration, &none };
    static const char *const names[] = { "reliability", "reliabilityBeforeCalibration" };
    auto_free uint8_t *labels =
        training_labels(&training->table, folds->holdout, folds->holdout_count);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        auto_ranking struct ranking ranking;
        auto_free double *probabilities =
            figures_probabilities(training->holdout_margins, folds->holdout_count, calibrations[i]);
        ranking_init(&ranking, probabilities, labels, folds->holdout_count);
        json_object_set_new(object, names[i], encode_reliability(&ranking));
        if (i == 0)
            json_object_set_new(object, "cumulativeGain", encode_gain(&ranking));
    }
}

static void add_comparison(const struct training *training, json_t *object)
{
    const struct contest *contest = &training->contest;
    if (contest->skipped != NULL)
        json_object_set_new(object, "comparisonSkipped", json_string(contest->skipped));
    if (contest->champion.count > 0)
        json_object_set_new(object, "comparison",
                            json_pack("{s:s, s:I, s:o, s:o}", "champion",
                                      training->job.champion->version, "rows",
                                      (json_int_t)contest->rows, "challengerMetrics",
                                      encode_figures(&contest->challenger), "championMetrics",
                                      encode_figures(&contest->champion)));
}

json_t *measurements_encode(const struct training *training, int64_t trained_ms)
{
    char time_text[NUM_TIME_TEXT];
    num_format_time(trained_ms, time_text);
    json_t *object = json_pack(
        "{s:s, s:s, s:s*, s:s, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:f, s:o}", "version",
        training->final.version, "trainedAt", time_text, "runKey", training->job.run_key,
        "algorithm", model_algorithm_names[training->final.algorithm], "data",
        encode_data(training), "validation", encode_validation(&training->job.training),
        "objective", objective_names[training->job.training.threshold->objective], "metrics",
        encode_figures(&training->figures), "candidates", encode_candidates(&training->search),
        "why", training->search.why, "importance", encode_by_source(training, training->importance),
        "direction", encode_by_source(training, training->direction), "additivityError",
        training->additivity_error, "warnings", encode_warnings(training));
    add_curves(training, object);
    add_comparison(training, object);
    if (training->table.grouping_count > 0)
        json_object_set_new(object, "sensitive", groups_encode(training));
    return object;
}

/* --- reading ------------------------------------------------------------- */

/* Ordinary ones have 20 KiB; names of thousands of columns make more. */
#define LIMIT_MEASUREMENTS (8 * MIB)

static const struct field held_out_items[] = {
    FIELD(struct held_out, seed, "seed", FIELD_INT, .flags = FIELD_REQUIRED,
          .maximum = SEED_MAXIMUM),
    FIELD(struct held_out, holdout, "holdout", FIELD_NUMBER, .flags = FIELD_REQUIRED,
          .maximum = NUMBER_MAXIMUM),
};
static const struct fields held_out_fields = FIELDS(struct held_out, held_out_items, .open = true);

static const struct field head_items[] = {
    FIELD(struct measurements_head, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct measurements_head, trained_at_ms, "trainedAt", FIELD_TIME),
    FIELD(struct measurements_head, validation, "validation", FIELD_OBJECT,
          .table = &held_out_fields),
};
static const struct fields head_fields = FIELDS(struct measurements_head, head_items, .open = true);

int measurements_read(struct stores *stores, const char *folder_uri, struct arena *arena,
                      struct measurements_head *ret_head, struct err *err)
{
    auto_free char *uri = mem_format("%s" MEASUREMENTS_FILE, folder_uri);
    auto_free char *text = NULL;
    size_t length;
    auto_store struct store *store = store_open(stores, uri, err);
    if (store == NULL || store_get_text(store, uri, LIMIT_MEASUREMENTS, &text, &length, err) < 0)
        return -1;
    auto_json json_t *json = jx_parse((struct span){ text, length }, LIMIT_MEASUREMENTS, uri, err);
    if (json == NULL)
        return -1;
    if (fields_decode(json, &head_fields, "", arena, ret_head, err) < 0)
        return err_wrap(err, "%s", uri);
    return 0;
}
