#include "base/sha256.h"
#include "base/uri.h"
#include "batch_api.h"
#include "contract/check.h"

const char *const freshness_names[] = { "Latest", "Current", NULL };

/* --- spec ---------------------------------------------------------------- */

static const struct field model_ref_items[] = {
    FIELD(struct object_reference, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_label),
};
static const struct fields model_ref_fields = FIELDS(struct object_reference, model_ref_items);

static const struct field input_spec_items[] = {
    FIELD(struct input_spec, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_uri),
    FIELD(struct input_spec, generation, "generation", FIELD_STRING, .flags = FIELD_NONEMPTY,
          .maximum = 256, .check = check_line),
};
static const struct fields input_spec_fields = FIELDS(struct input_spec, input_spec_items);

static const struct field batch_spec_items[] = {
    FIELD(struct batch_spec, model_ref, "modelRef", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &model_ref_fields),
    FIELD(struct batch_spec, model_version, "modelVersion", FIELD_STRING, .fallback = "",
          .check = check_pin),
    FIELD(struct batch_spec, input, "input", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &input_spec_fields),
    BATCH_TEMPLATE_FIELDS(struct batch_spec, how),
    FIELD(struct batch_spec, retry_token, "retryToken", FIELD_STRING, .fallback = "",
          .maximum = 256),
    FIELD(struct batch_spec, credentials, "credentials", FIELD_OBJECT,
          .table = &credentials_spec_fields),
    FIELD(struct batch_spec, pod_template, "podTemplate", FIELD_OBJECT,
          .table = &pod_template_fields),
    FIELD(struct batch_spec, suspend, "suspend", FIELD_BOOL, .fallback = "false"),
};
const struct fields batch_spec_fields = FIELDS(struct batch_spec, batch_spec_items);

int batch_spec_decode(const json_t *spec, struct arena *arena, struct batch_spec *ret_spec,
                      struct err *err)
{
    struct batch_spec decoded;
    if (fields_decode(spec, &batch_spec_fields, "spec", arena, &decoded, err) < 0)
        return -1;
    if (decoded.pod_template &&
        pod_template_check(decoded.pod_template, "spec.podTemplate", err) < 0)
        return -1;
    if (decoded.input->generation && uri_is_folder(decoded.input->uri))
        return err_set(err, ERR_INVALID,
                       "spec.input.generation: must not be given with a folder in uri");
    *ret_spec = decoded;
    return 0;
}

/* --- edits --------------------------------------------------------------- */

#define FIELD_HASH 16 /* hex digits */

void batch_hash_fields(const struct batch_spec *spec, struct arena *arena, struct pairs *ret_hashes)
{
    auto_json json_t *fields = fields_encode(&batch_spec_fields, spec);
    const char *name;
    json_t *value;
    json_object_del(fields, "suspend"); /* these two may change at any time */
    json_object_del(fields, TTL_FIELD);
    *ret_hashes = (struct pairs){ .items = arena_zero(arena, json_object_size(fields),
                                                      sizeof(*ret_hashes->items)) };
    json_object_foreach(fields, name, value)
    {
        auto_free char *text = jx_canonical(value);
        char hex[SHA256_HEX];
        sha256_of(span_of(text), hex);
        ret_hashes->items[ret_hashes->count++] =
            (struct pair){ arena_strdup(arena, name), arena_strndup(arena, hex, FIELD_HASH) };
    }
}

static const char *missing_field(const struct pairs *hashes, const struct pairs *others)
{
    for (size_t i = 0; i < hashes->count; i++) {
        const struct pair *wanted = &hashes->items[i];
        size_t j = 0;
        while (j < others->count && (strcmp(others->items[j].name, wanted->name) != 0 ||
                                     strcmp(others->items[j].value, wanted->value) != 0))
            j++;
        if (j == others->count)
            return wanted->name;
    }
    return NULL;
}

const char *batch_edited_field(const struct pairs *before, const struct pairs *now)
{
    const char *edited = missing_field(now, before);
    return edited ? edited : missing_field(before, now); /* back to its default */
}

/* --- status -------------------------------------------------------------- */

static const struct field freshness_status_items[] = {
    FIELD(struct freshness_status, action, "action", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct freshness_status, reason, "reason", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_word),
    FIELD(struct freshness_status, digest, "digest", FIELD_STRING, .check = check_digest),
};
static const struct fields freshness_status_fields =
    FIELDS(struct freshness_status, freshness_status_items, .open = true);

static const struct field batch_model_items[] = {
    FIELD(struct batch_model_status, version, "version", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_version),
    FIELD(struct batch_model_status, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = 2048, .check = check_folder_uri),
    FIELD(struct batch_model_status, image_digest, "imageDigest", FIELD_STRING,
          .check = check_digest),
};
static const struct fields batch_model_fields =
    FIELDS(struct batch_model_status, batch_model_items, .open = true);

static const struct field shards_status_items[] = {
    FIELD(struct shards_status, total, "total", FIELD_INT, .flags = FIELD_REQUIRED | FIELD_KEEP,
          .minimum = 2, .maximum = SHARDS_MAXIMUM),
    FIELD(struct shards_status, succeeded, "succeeded", FIELD_INT, .flags = FIELD_KEEP,
          .fallback = "0", .minimum = 0, .maximum = SHARDS_MAXIMUM),
    FIELD(struct shards_status, failed, "failed", FIELD_INT, .flags = FIELD_KEEP, .fallback = "0",
          .minimum = 0, .maximum = SHARDS_MAXIMUM),
    FIELD(struct shards_status, discarding, "discarding", FIELD_BOOL, .fallback = "false"),
};
static const struct fields shards_status_fields =
    FIELDS(struct shards_status, shards_status_items, .open = true);

static const struct field pods_status_items[] = {
    FIELD(struct pods_status, model_generation, "modelGeneration", FIELD_INT, .flags = FIELD_KEEP),
    FIELD(struct pods_status, raw_template, "podTemplate", FIELD_JSON),
    FIELD(struct pods_status, pull_secrets, "imagePullSecrets", FIELD_OBJECTS, .maximum = 16,
          .table = &object_reference_fields),
    FIELD(struct pods_status, credentials, "credentials", FIELD_OBJECT,
          .table = &credentials_spec_fields),
};
static const struct fields pods_status_fields =
    FIELDS(struct pods_status, pods_status_items, .open = true);

static const struct field batch_status_items[] = {
    FIELD(struct batch_status, observed_generation, "observedGeneration", FIELD_INT),
    FIELD(struct batch_status, conditions, "conditions", FIELD_OBJECTS, .maximum = 16,
          .table = &condition_fields),
    FIELD(struct batch_status, required_digest, "requiredDigest", FIELD_STRING,
          .check = check_digest),
    FIELD(struct batch_status, image, "image", FIELD_STRING, .maximum = 640),
    FIELD(struct batch_status, training, "training", FIELD_OBJECT,
          .table = &freshness_status_fields),
    FIELD(struct batch_status, input, "input", FIELD_OBJECT, .table = &input_result_fields),
    FIELD(struct batch_status, output, "output", FIELD_OBJECT, .table = &output_result_fields),
    FIELD(struct batch_status, model, "model", FIELD_OBJECT, .table = &batch_model_fields),
    FIELD(struct batch_status, rows, "rows", FIELD_OBJECT, .table = &rows_result_fields),
    FIELD(struct batch_status, scores, "scores", FIELD_OBJECT, .table = &scores_result_fields),
    FIELD(struct batch_status, drift, "drift", FIELD_OBJECT, .table = &drift_result_fields),
    FIELD(struct batch_status, shards, "shards", FIELD_OBJECT, .table = &shards_status_fields),
    FIELD(struct batch_status, pods, "pods", FIELD_OBJECT, .table = &pods_status_fields),
    FIELD(struct batch_status, attempt, "attempt", FIELD_INT),
    FIELD(struct batch_status, lost_results, "lostResults", FIELD_INT),
    FIELD(struct batch_status, job, "job", FIELD_STRING, .check = check_label),
    FIELD(struct batch_status, field_hashes, "fieldHashes", FIELD_MAP, .maximum = FIELD_HASH),
    FIELD(struct batch_status, start_time_ms, "startTime", FIELD_TIME),
    FIELD(struct batch_status, completion_time_ms, "completionTime", FIELD_TIME),
};
const struct fields batch_status_fields =
    FIELDS(struct batch_status, batch_status_items, .open = true);

int batch_status_decode(const json_t *status, struct arena *arena, struct batch_status *ret_status,
                        struct err *err)
{
    if (!status) {
        fields_defaults(&batch_status_fields, arena, ret_status);
        return 0;
    }
    if (fields_decode(status, &batch_status_fields, "status", arena, ret_status, err) < 0)
        return -1;
    struct pods_status *pods = ret_status->pods;
    if (!pods || !pods->raw_template)
        return 0;
    pods->pod_template = arena_zero(arena, 1, sizeof(*pods->pod_template));
    return fields_decode(pods->raw_template, &pod_template_fields, "status.pods.podTemplate", arena,
                         pods->pod_template, err);
}

const char *batch_output_uri(const char *output_uri, const char *batch_name, struct arena *arena)
{
    if (uri_is_folder(output_uri))
        return arena_format(arena, "%s%s.csv", output_uri, batch_name);
    return arena_strdup(arena, output_uri);
}

const char *batch_output_place(const char *output_uri, const char *namespace,
                               const char *batch_name, struct arena *arena)
{
    const char *uri = batch_output_uri(output_uri, batch_name, arena);
    return strncmp(uri, "file:", 5) == 0 ? arena_format(arena, "%s %s", namespace, uri) : uri;
}

struct opt_int batch_ttl_seconds(const json_t *spec)
{
    int64_t seconds = jx_int(spec, TTL_FIELD, -1);
    return (struct opt_int){ seconds >= 0 && seconds <= TTL_MAXIMUM, seconds };
}

bool batch_is_finished(const struct batch_status *status)
{
    return condition_is_true(&status->conditions, "Complete") ||
           condition_is_true(&status->conditions, "Failed");
}
