#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "contract/check.h"
#include "contract/exit_code.h"
#include "contract/reasons.h"
#include "contract/result.h"

/* The kubelet hands over at most this much of a termination message. */
const char *const outcome_names[] = { "Trained", "Scored",    "Reused", "Failed",
                                      "Part",    "Discarded", NULL };

static const struct field model_result_items[] = {
    FIELD(struct model_result, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct model_result, uri, "uri", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_folder_uri),
    FIELD(struct model_result, sha256, "sha256", FIELD_STRING, .check = check_sha256),
    FIELD(struct model_result, data_uri, "dataURI", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_file_uri),
    FIELD(struct model_result, data_sha256, "dataSHA256", FIELD_STRING, .check = check_sha256),
    FIELD(struct model_result, rows, "rows", FIELD_INT, .fallback = "0", .minimum = 0,
          .maximum = INT64_MAX),
    FIELD(struct model_result, algorithm, "algorithm", FIELD_STRING, .check = check_word),
};
const struct fields model_result_fields =
    FIELDS(struct model_result, model_result_items, .open = true);

static const struct field metric_items[] = {
    FIELD(struct metric, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_metric),
    FIELD(struct metric, value, "value", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .flags = FIELD_REQUIRED),
};
const struct fields metric_fields = FIELDS(struct metric, metric_items, .open = true);

static const struct field comparison_items[] = {
    FIELD(struct comparison, metric, "metric", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_metric),
    FIELD(struct comparison, challenger, "challenger", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .flags = FIELD_REQUIRED),
    FIELD(struct comparison, champion, "champion", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM),
    FIELD(struct comparison, rows, "rows", FIELD_INT, .fallback = "0", .minimum = 0,
          .maximum = INT64_MAX),
};
const struct fields comparison_fields = FIELDS(struct comparison, comparison_items, .open = true);

static const struct field step_items[] = {
    FIELD(struct step, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED, .check = check_word),
    FIELD(struct step, state, "state", FIELD_STRING, .flags = FIELD_REQUIRED, .check = check_word),
    FIELD(struct step, seconds, "seconds", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .number_range = "[0,)"),
};
const struct fields step_fields = FIELDS(struct step, step_items, .open = true);

static const struct field input_result_items[] = {
    FIELD(struct input_result, uri, "uri", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_file_uri),
    FIELD(struct input_result, generation, "generation", FIELD_STRING, .maximum = 256,
          .check = check_line),
    FIELD(struct input_result, bytes, "bytes", FIELD_INT, .fallback = "0", .minimum = 0,
          .maximum = INT64_MAX),
    FIELD(struct input_result, sha256, "sha256", FIELD_STRING, .check = check_sha256),
};
const struct fields input_result_fields =
    FIELDS(struct input_result, input_result_items, .open = true);

static const struct field output_result_items[] = {
    FIELD(struct output_result, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = LIMIT_URI, .check = check_file_uri),
    FIELD(struct output_result, manifest_uri, "manifestURI", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_file_uri),
    FIELD(struct output_result, rejects_uri, "rejectsURI", FIELD_STRING, .maximum = LIMIT_URI,
          .check = check_file_uri),
    FIELD(struct output_result, bytes, "bytes", FIELD_INT, .fallback = "0", .minimum = 0,
          .maximum = INT64_MAX),
    FIELD(struct output_result, sha256, "sha256", FIELD_STRING, .check = check_sha256),
};
const struct fields output_result_fields =
    FIELDS(struct output_result, output_result_items, .open = true);

#define COUNT_FIELD(type, member, name)                                                            \
    FIELD(type, member, name, FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP, .minimum = 0,       \
          .maximum = INT64_MAX / 4)

static const struct field rows_result_items[] = {
    COUNT_FIELD(struct rows_result, read, "read"),
    COUNT_FIELD(struct rows_result, scored, "scored"),
    COUNT_FIELD(struct rows_result, rejected, "rejected"),
};
const struct fields rows_result_fields =
    FIELDS(struct rows_result, rows_result_items, .open = true);

#define SHARE_FIELD(type, member, name)                                                            \
    FIELD(type, member, name, FIELD_NUMBER, .maximum = NUMBER_MAXIMUM, .number_range = "[0,1]")

static const struct field scores_result_items[] = {
    SHARE_FIELD(struct scores_result, mean, "mean"),
    SHARE_FIELD(struct scores_result, p50, "p50"),
    SHARE_FIELD(struct scores_result, p90, "p90"),
    SHARE_FIELD(struct scores_result, p99, "p99"),
    COUNT_FIELD(struct scores_result, above_threshold, "aboveThreshold"),
    SHARE_FIELD(struct scores_result, threshold, "threshold"),
};
const struct fields scores_result_fields =
    FIELDS(struct scores_result, scores_result_items, .open = true);

static const struct field shard_result_items[] = {
    FIELD(struct shard_result, index, "index", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = 0, .maximum = SHARDS_MAXIMUM - 1),
};
const struct fields shard_result_fields =
    FIELDS(struct shard_result, shard_result_items, .open = true);

static const struct field drift_item_items[] = {
    FIELD(struct drift_item, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_line),
    FIELD(struct drift_item, psi, "psi", FIELD_NUMBER, .flags = FIELD_REQUIRED,
          .maximum = NUMBER_MAXIMUM, .number_range = "[0,)"),
};
static const struct fields drift_item_fields =
    FIELDS(struct drift_item, drift_item_items, .open = true);

static const struct field drift_result_items[] = {
    FIELD(struct drift_result, maximum, "max", FIELD_NUMBER, .maximum = NUMBER_MAXIMUM,
          .number_range = "[0,)"),
    FIELD(struct drift_result, feature, "feature", FIELD_STRING, .check = check_line),
    FIELD(struct drift_result, features, "features", FIELD_OBJECTS,
          .maximum = RESULT_DRIFTS_MAXIMUM, .table = &drift_item_fields),
};
const struct fields drift_result_fields =
    FIELDS(struct drift_result, drift_result_items, .open = true);

static const struct field result_items[] = {
    FIELD(struct result, outcome, "outcome", FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .names = outcome_names),
    FIELD(struct result, exit_code, "exitCode", FIELD_INT, .fallback = "0", .minimum = 0,
          .maximum = 255),
    FIELD(struct result, reason, "reason", FIELD_STRING, .check = check_word),
    FIELD(struct result, message, "message", FIELD_STRING, .check = check_line),
    FIELD(struct result, input, "input", FIELD_OBJECT, .table = &input_result_fields),
    FIELD(struct result, output, "output", FIELD_OBJECT, .table = &output_result_fields),
    FIELD(struct result, model, "model", FIELD_OBJECT, .table = &model_result_fields),
    FIELD(struct result, rows, "rows", FIELD_OBJECT, .table = &rows_result_fields),
    FIELD(struct result, scores, "scores", FIELD_OBJECT, .table = &scores_result_fields),
    FIELD(struct result, comparison, "comparison", FIELD_OBJECT, .table = &comparison_fields),
    FIELD(struct result, shard, "shard", FIELD_OBJECT, .table = &shard_result_fields),
    FIELD(struct result, metrics, "metrics", FIELD_OBJECTS, .maximum = RESULT_METRICS_MAXIMUM,
          .table = &metric_fields),
    FIELD(struct result, drift, "drift", FIELD_OBJECT, .table = &drift_result_fields),
    FIELD(struct result, steps, "steps", FIELD_OBJECTS, .maximum = RESULT_STEPS_MAXIMUM,
          .table = &step_fields),
    FIELD(struct result, warnings, "warnings", FIELD_STRINGS, .maximum = RESULT_WARNINGS_MAXIMUM,
          .check = check_line),
};
const struct fields result_fields = FIELDS(struct result, result_items, .open = true);

/* --- encoding ------------------------------------------------------------ */

/* A copy whose parts may be cut one after the other. */
struct draft {
    struct result result;
    struct model_result model;
    struct input_result input;
    struct output_result output;
    struct drift_result drift;
    char message[sizeof(((struct err *)NULL)->message)];
};

#define COPY_PART(draft, source, part)                                                             \
    do {                                                                                           \
        if ((source)->part) {                                                                      \
            (draft)->part = *(source)->part;                                                       \
            (draft)->result.part = &(draft)->part;                                                 \
        }                                                                                          \
    } while (0)

static void start_draft(const struct result *source, struct draft *draft)
{
    *draft = (struct draft){ .result = *source };
    COPY_PART(draft, source, model);
    COPY_PART(draft, source, input);
    COPY_PART(draft, source, output);
    COPY_PART(draft, source, drift);
    if (source->message) {
        snprintf(draft->message, sizeof(draft->message), "%s", source->message);
        draft->result.message = draft->message;
    }
    if (draft->result.metrics.count > RESULT_METRICS_MAXIMUM)
        draft->result.metrics.count = RESULT_METRICS_MAXIMUM;
    if (draft->result.steps.count > RESULT_STEPS_MAXIMUM)
        draft->result.steps.count = RESULT_STEPS_MAXIMUM;
    if (draft->result.warnings.count > RESULT_WARNINGS_MAXIMUM)
        draft->result.warnings.count = RESULT_WARNINGS_MAXIMUM;
}

static bool cut_text(const char **text)
{
    bool was_there = *text != NULL;
    *text = NULL;
    return was_there;
}

/* Shortens by a sixteenth, at a UTF-8 boundary. */
static bool cut_message(char *message)
{
    size_t length = strlen(message);
    if (length <= 64)
        return false;
    length -= length / 16;
    while (((unsigned char)message[length] & 0xC0) == 0x80)
        length--;
    message[length] = '\0';
    return true;
}

/* Removes the least important part; false when nothing is left to remove. The
 * locations that are cut last are known to the controller or follow from others. */
static bool cut(struct draft *draft)
{
    struct result *result = &draft->result;
    if (result->warnings.count > 0)
        return result->warnings.count--, true;
    if (result->steps.count > 0)
        return result->steps.count--, true;
    if (draft->drift.features.count > 0)
        return draft->drift.features.count--, true;
    if (result->metrics.count > 0)
        return result->metrics.count--, true;
    if (result->message && cut_message(draft->message))
        return true;
    return cut_text(&draft->output.manifest_uri) || cut_text(&draft->output.rejects_uri) ||
           cut_text(&draft->input.uri) || cut_text(&draft->model.data_uri) ||
           cut_text(&draft->model.uri);
}

void result_encode(const struct result *result, struct buf *out)
{
    struct draft draft;
    start_draft(result, &draft);
    for (;;) {
        auto_json json_t *document = fields_encode(&result_fields, &draft.result);
        auto_free char *text = json_dumps(document, JSON_COMPACT);
        if (strlen(text) <= LIMIT_RESULT_DOCUMENT || !cut(&draft)) {
            buf_string(out, text);
            return;
        }
    }
}

/* --- decoding ------------------------------------------------------------ */

/* Besides Failed, which any Job may be. */
static const unsigned outcomes_of_kinds[] = {
    [JOB_TRAIN] = 1U << OUTCOME_TRAINED | 1U << OUTCOME_REUSED,
    [JOB_SCORE] = 1U << OUTCOME_SCORED | 1U << OUTCOME_REUSED,
    [JOB_SHARD] = 1U << OUTCOME_PART | 1U << OUTCOME_REUSED,
    [JOB_DISCARD] = 1U << OUTCOME_DISCARDED,
};

static const char *missing_part(const struct result *result, enum job_kind kind)
{
    switch (result->outcome) {
    case OUTCOME_FAILED:
        return result->reason && result->message ? NULL : "reason and message";
    case OUTCOME_PART:
        return result->rows && result->shard ? NULL : "rows and shard";
    case OUTCOME_DISCARDED:
        return NULL;
    }
    if (!result->model)
        return "model";
    if (kind != JOB_TRAIN &&
        (!result->input || !result->output || !result->rows || !result->scores))
        return "input, output, rows and scores";
    return NULL;
}

static int check_result(const struct result *result, enum job_kind kind, struct err *err)
{
    const char *missing = missing_part(result, kind);
    if (result->outcome != OUTCOME_FAILED &&
        !(outcomes_of_kinds[kind] & 1U << (unsigned)result->outcome))
        return err_set(err, ERR_INVALID, "outcome: must be another one than %s for this Job",
                       outcome_names[result->outcome]);
    if (missing)
        return err_set(err, ERR_INVALID, "must have %s", missing);
    const struct rows_result *rows = result->rows;
    if (rows && rows->read != rows->scored + rows->rejected)
        return err_set(err, ERR_INVALID, "rows.read: must be the sum of scored and rejected");
    return 0;
}

int result_decode(struct span text, enum job_kind kind, struct arena *arena,
                  struct result *ret_result, struct err *err)
{
    struct result result;
    struct err why;
    auto_json json_t *document =
        jx_parse(text, LIMIT_TERMINATION_MESSAGE, "termination message", &why);
    if (!document || fields_decode(document, &result_fields, "", arena, &result, &why) < 0 ||
        check_result(&result, kind, &why) < 0)
        return err_reason(err, ERR_INVALID, REASON_ResultInvalid, "result: %s", why.message);
    *ret_result = result;
    return 0;
}

struct result result_of_error(const struct err *error)
{
    return (struct result){
        .outcome = OUTCOME_FAILED,
        .exit_code = exit_code_of(error),
        .reason = exit_reason_of(error),
        .message = error->message,
    };
}

int result_report(const struct result *result, const char *path, struct err *err)
{
    auto_buf struct buf text;
    buf_init(&text, 2 * LIMIT_TERMINATION_MESSAGE);
    result_encode(result, &text);
    buf_char(&text, '\n');
    if (buf_check(&text, "the result document", err) < 0)
        return -1;
    if (path == NULL && access(RESULT_PATH, W_OK) == 0)
        path = RESULT_PATH;
    if (path != NULL)
        return file_write(path, 0666, (struct span){ text.data, text.length }, err);
    if (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout) != 0)
        return err_errno(err, errno, "standard output");
    return 0;
}
