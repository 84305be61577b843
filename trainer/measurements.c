#include "trainer/measurements.h"

#include "base/num.h"

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
                              json_pack("{s:s, s:s, s:f, s:b}", "algorithm",
                                        model_algorithm_names[search->candidates[i].algorithm],
                                        "recipe", recipe, "logLoss", search->candidates[i].log_loss,
                                        "chosen", (int)(i == search->chosen)));
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

json_t *measurements_encode(const struct training *training, int64_t trained_ms)
{
    char time_text[NUM_TIME_TEXT];
    num_format_time(trained_ms, time_text);
    return json_pack(
        "{s:s, s:s, s:s*, s:s, s:{s:s, s:s, s:I, s:I, s:I, s:I}, s:o, s:o, s:s, s:o, s:o, s:o}",
        "version", training->final.version, "trainedAt", time_text, "runKey", training->job.run_key,
        "algorithm", model_algorithm_names[training->final.algorithm], "data", "uri",
        training->history.uri, "sha256", training->history.sha256, "rows",
        (json_int_t)training->table.row_count, "rejected", (json_int_t)training->table.rejected,
        "positives", (json_int_t)training->table.positives, "heldOut",
        (json_int_t)training->folds.holdout_count, "metrics", encode_figures(&training->figures),
        "candidates", encode_candidates(&training->search), "why", training->search.why,
        "importance", encode_by_source(training, training->importance), "direction",
        encode_by_source(training, training->direction), "warnings", encode_warnings(training));
}
