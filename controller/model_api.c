#include "base/cron.h"
#include "contract/check.h"
#include "model_api.h"

static const struct field object_reference_items[] = {
    FIELD(struct object_reference, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_subdomain),
};
const struct fields object_reference_fields =
    FIELDS(struct object_reference, object_reference_items);

/* --- spec ---------------------------------------------------------------- */

static int check_trigger(const char *text, struct err *err)
{
    static const char *const triggers[] = { "ImageDigest", "Spec", "Data", "Schedule" };
    for (size_t i = 0; i < ARRAY_SIZE(triggers); i++)
        if (strcmp(text, triggers[i]) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "must be ImageDigest, Spec, Data or Schedule");
}

static int check_schedule(const char *text, struct err *err)
{
    struct cron cron;
    return *text ? cron_parse(text, &cron, err) : 0;
}

static const struct field retrain_spec_items[] = {
    FIELD(struct retrain_spec, on, "on", FIELD_STRINGS, .maximum = 4, .check = check_trigger),
    FIELD(struct retrain_spec, schedule, "schedule", FIELD_STRING, .maximum = 256,
          .check = check_schedule),
    FIELD(struct retrain_spec, time_zone, "timeZone", FIELD_STRING, .fallback = "UTC",
          .maximum = 64, .check = zone_check_name),
    FIELD(struct retrain_spec, token, "token", FIELD_STRING, .fallback = "", .maximum = 256),
};
static const struct fields retrain_spec_fields = FIELDS(struct retrain_spec, retrain_spec_items);

static const struct field model_spec_items[] = {
    FIELD(struct model_spec, image, "image", FIELD_STRING, .maximum = 512, .check = check_image),
    FIELD(struct model_spec, image_pull_secrets, "imagePullSecrets", FIELD_OBJECTS, .maximum = 16,
          .table = &object_reference_fields),
    FIELD(struct model_spec, image_poll_interval_ms, "imagePollInterval", FIELD_DURATION,
          .fallback = "5m", .minimum = 1000, .maximum = 86400000),
    TRAINING_FIELDS(struct model_spec, training, model_data_fields),
    FIELD(struct model_spec, retrain, "retrain", FIELD_OBJECT, .flags = FIELD_ALWAYS,
          .table = &retrain_spec_fields),
    FIELD(struct model_spec, promotion, "promotion", FIELD_OBJECT, .flags = FIELD_ALWAYS,
          .table = &promotion_spec_fields),
    FIELD(struct model_spec, pinned_version, "pinnedVersion", FIELD_STRING, .fallback = "",
          .check = check_pin),
    FIELD(struct model_spec, artifacts, "artifacts", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &model_artifacts_fields),
    FIELD(struct model_spec, inbox, "inbox", FIELD_OBJECT, .table = &inbox_spec_fields),
    FIELD(struct model_spec, credentials, "credentials", FIELD_OBJECT,
          .table = &credentials_spec_fields),
    FIELD(struct model_spec, pod_template, "podTemplate", FIELD_OBJECT,
          .table = &pod_template_fields),
    FIELD(struct model_spec, active_deadline_seconds, "activeDeadlineSeconds", FIELD_INT,
          .fallback = DEFAULT_DEADLINE_SECONDS, .minimum = 1, .maximum = DEADLINE_MAXIMUM),
    FIELD(struct model_spec, backoff_limit, "backoffLimit", FIELD_INT,
          .fallback = DEFAULT_BACKOFF_LIMIT, .minimum = 0, .maximum = BACKOFF_LIMIT_MAXIMUM),
    FIELD(struct model_spec, history_limit, "historyLimit", FIELD_INT, .fallback = "5",
          .minimum = 1, .maximum = HISTORY_LIMIT_MAXIMUM),
    FIELD(struct model_spec, suspend, "suspend", FIELD_BOOL, .fallback = "false"),
};
const struct fields model_spec_fields = FIELDS(struct model_spec, model_spec_items);

/* The default of a list cannot stand in a table; [] means: never by itself. */
static void default_triggers(const json_t *spec, struct retrain_spec *retrain, struct arena *arena)
{
    static const char *const triggers[] = { "ImageDigest", "Spec" };
    if (jx_get(spec, "retrain", "on", NULL))
        return;
    retrain->on.count = ARRAY_SIZE(triggers);
    retrain->on.items = arena_zero(arena, retrain->on.count, sizeof(*retrain->on.items));
    memcpy(retrain->on.items, triggers, sizeof(triggers));
}

bool model_retrains_on(const struct model_spec *spec, const char *trigger)
{
    for (size_t i = 0; i < spec->retrain->on.count; i++)
        if (strcmp(spec->retrain->on.items[i], trigger) == 0)
            return true;
    return false;
}

int model_spec_decode(const json_t *spec, struct arena *arena, struct model_spec *ret_spec,
                      struct err *err)
{
    struct model_spec decoded;
    if (fields_decode(spec, &model_spec_fields, "spec", arena, &decoded, err) < 0 ||
        training_spec_check(&decoded.training, "spec", err) < 0)
        return -1;
    if (decoded.pod_template &&
        pod_template_check(decoded.pod_template, "spec.podTemplate", err) < 0)
        return -1;
    if (decoded.inbox && inbox_spec_check(decoded.inbox, "spec.inbox", err) < 0)
        return -1;
    default_triggers(spec, decoded.retrain, arena);
    if (model_retrains_on(&decoded, "Schedule") &&
        (!decoded.retrain->schedule || !*decoded.retrain->schedule))
        return err_set(err, ERR_INVALID,
                       "spec.retrain.schedule: must be set, as spec.retrain.on has Schedule");
    *ret_spec = decoded;
    return 0;
}

/* --- status -------------------------------------------------------------- */

static const struct field image_status_items[] = {
    FIELD(struct image_status, reference, "reference", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = 512),
    FIELD(struct image_status, digest, "digest", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_digest),
    FIELD(struct image_status, short_digest, "shortDigest", FIELD_STRING, .maximum = 64),
    FIELD(struct image_status, resolved_at_ms, "resolvedAt", FIELD_TIME),
};
static const struct fields image_status_fields =
    FIELDS(struct image_status, image_status_items, .open = true);

/* The members of a model_version_status that is embedded in struct `type` as `member`. */
#define VERSION_FIELDS(type, member)                                                               \
    FIELD(type, member.version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,                  \
          .check = check_version),                                                                 \
        FIELD(type, member.uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 2048,     \
              .check = check_folder_uri),                                                          \
        FIELD(type, member.sha256, "sha256", FIELD_STRING, .check = check_sha256),                 \
        FIELD(type, member.image_digest, "imageDigest", FIELD_STRING, .check = check_digest),      \
        FIELD(type, member.data_uri, "dataURI", FIELD_STRING, .maximum = 2048),                    \
        FIELD(type, member.data_sha256, "dataSHA256", FIELD_STRING, .check = check_sha256),        \
        FIELD(type, member.rows, "rows", FIELD_INT),                                               \
        FIELD(type, member.trained_at_ms, "trainedAt", FIELD_TIME),                                \
        FIELD(type, member.algorithm, "algorithm", FIELD_STRING, .maximum = 63),                   \
        FIELD(type, member.run_key, "runKey", FIELD_STRING, .check = check_key)

/* A member named by its own struct, so that VERSION_FIELDS has an offset of 0. */
struct model_version_alone {
    struct model_version_status model;
};
static const struct field model_version_items[] = { VERSION_FIELDS(struct model_version_alone,
                                                                   model) };
static const struct fields model_version_fields =
    FIELDS(struct model_version_alone, model_version_items, .open = true);

static const struct field history_items[] = {
    VERSION_FIELDS(struct history_entry, model),
    FIELD(struct history_entry, outcome, "outcome", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct history_entry, champion, "champion", FIELD_STRING, .check = check_version),
    FIELD(struct history_entry, comparison, "comparison", FIELD_OBJECT,
          .table = &comparison_fields),
    FIELD(struct history_entry, metrics, "metrics", FIELD_OBJECTS,
          .maximum = RESULT_METRICS_MAXIMUM, .table = &metric_fields),
};
static const struct fields history_fields =
    FIELDS(struct history_entry, history_items, .open = true);

static const struct field data_source_items[] = {
    FIELD(struct data_source, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 2048,
          .check = check_file_uri),
    FIELD(struct data_source, generation, "generation", FIELD_STRING, .maximum = 256),
};
static const struct fields data_source_fields =
    FIELDS(struct data_source, data_source_items, .open = true);

static const struct field last_training_items[] = {
    FIELD(struct last_training, run_key, "runKey", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_key),
    FIELD(struct last_training, image_digest, "imageDigest", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_digest),
    FIELD(struct last_training, spec_hash, "specHash", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_key),
    FIELD(struct last_training, token, "token", FIELD_STRING, .fallback = "", .maximum = 256),
    FIELD(struct last_training, data, "data", FIELD_OBJECT, .table = &data_source_fields),
    FIELD(struct last_training, scheduled_ms, "scheduledTime", FIELD_TIME),
    FIELD(struct last_training, outcome, "outcome", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct last_training, version, "version", FIELD_STRING, .check = check_version),
    FIELD(struct last_training, reason, "reason", FIELD_STRING, .maximum = 63),
    FIELD(struct last_training, message, "message", FIELD_STRING, .maximum = 1024),
    FIELD(struct last_training, finished_at_ms, "finishedAt", FIELD_TIME),
};
static const struct fields last_training_fields =
    FIELDS(struct last_training, last_training_items, .open = true);

static const struct field decision_items[] = {
    FIELD(struct decision, action, "action", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct decision, reason, "reason", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct decision, time_ms, "time", FIELD_TIME),
};
static const struct fields decision_fields = FIELDS(struct decision, decision_items, .open = true);

static const struct field champion_items[] = {
    FIELD(struct model_source, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct model_source, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 2048,
          .check = check_folder_uri),
};
static const struct fields champion_fields =
    FIELDS(struct model_source, champion_items, .open = true);

static const struct field training_status_items[] = {
    FIELD(struct training_status, job, "job", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_label),
    FIELD(struct training_status, run_key, "runKey", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_key),
    FIELD(struct training_status, attempt, "attempt", FIELD_INT, .flags = FIELD_REQUIRED),
    FIELD(struct training_status, start_time_ms, "startTime", FIELD_TIME),
    FIELD(struct training_status, image_digest, "imageDigest", FIELD_STRING,
          .flags = FIELD_REQUIRED, .check = check_digest),
    FIELD(struct training_status, spec_hash, "specHash", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_key),
    FIELD(struct training_status, token, "token", FIELD_STRING, .fallback = "", .maximum = 256),
    FIELD(struct training_status, data, "data", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &data_source_fields),
    FIELD(struct training_status, scheduled_ms, "scheduledTime", FIELD_TIME),
    FIELD(struct training_status, champion, "champion", FIELD_OBJECT, .table = &champion_fields),
    FIELD(struct training_status, lost_results, "lostResults", FIELD_INT),
    FIELD(struct training_status, steps, "steps", FIELD_OBJECTS, .maximum = RESULT_STEPS_MAXIMUM,
          .table = &step_fields),
};
static const struct fields training_status_fields =
    FIELDS(struct training_status, training_status_items, .open = true);

static const struct field model_status_items[] = {
    FIELD(struct model_status, observed_generation, "observedGeneration", FIELD_INT),
    FIELD(struct model_status, conditions, "conditions", FIELD_OBJECTS, .maximum = 16,
          .table = &condition_fields),
    FIELD(struct model_status, image, "image", FIELD_OBJECT, .table = &image_status_fields),
    FIELD(struct model_status, model, "model", FIELD_OBJECT, .table = &model_version_fields),
    FIELD(struct model_status, metrics, "metrics", FIELD_OBJECTS, .maximum = RESULT_METRICS_MAXIMUM,
          .table = &metric_fields),
    FIELD(struct model_status, last_training, "lastTraining", FIELD_OBJECT,
          .table = &last_training_fields),
    FIELD(struct model_status, last_decision, "lastDecision", FIELD_OBJECT,
          .table = &decision_fields),
    FIELD(struct model_status, trainings_run, "trainingsRun", FIELD_INT, .flags = FIELD_KEEP),
    FIELD(struct model_status, trainings_skipped, "trainingsSkipped", FIELD_INT,
          .flags = FIELD_KEEP),
    FIELD(struct model_status, inbox, "inbox", FIELD_OBJECT, .table = &inbox_status_fields),
    FIELD(struct model_status, training, "training", FIELD_OBJECT,
          .table = &training_status_fields),
    FIELD(struct model_status, schedule, "schedule", FIELD_STRING),
    FIELD(struct model_status, last_schedule_ms, "lastScheduleTime", FIELD_TIME),
    FIELD(struct model_status, history, "history", FIELD_OBJECTS, .maximum = HISTORY_LIMIT_MAXIMUM,
          .table = &history_fields),
};
const struct fields model_status_fields =
    FIELDS(struct model_status, model_status_items, .open = true);

int model_status_decode(const json_t *status, struct arena *arena, struct model_status *ret_status,
                        struct err *err)
{
    if (!status) {
        fields_defaults(&model_status_fields, arena, ret_status);
        return 0;
    }
    return fields_decode(status, &model_status_fields, "status", arena, ret_status, err);
}

bool model_is_training(const struct model_status *status)
{
    return status->training &&
           (!status->last_training ||
            strcmp(status->training->run_key, status->last_training->run_key) != 0);
}

struct history_entry model_find_version(const struct model_spec *spec,
                                        const struct model_status *status, const char *namespace,
                                        const char *name, const char *version, struct arena *arena)
{
    const struct history_entry *history = status->history.items;
    for (size_t i = 0; i < status->history.count; i++)
        if (strcmp(history[i].model.version, version) == 0)
            return history[i];
    return (struct history_entry){
        .model = { .version = version,
                   .uri = arena_format(arena, "%s%s.%s/%s/", spec->artifacts->uri, namespace, name,
                                       version) },
    };
}
