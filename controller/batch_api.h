/* batch_api.h - the ChurnBatch resource as C structs with field tables.
 *
 * crds/churnbatches.yaml says the same to the API server; a test walks both. */
#pragma once

#include "contract/result.h"
#include "batch_template.h"
#include "conditions.h"
#include "model_api.h"
#include "pod_template.h"

struct input_spec {
    const char *uri;        /* file, or folder: its newest file             */
    const char *generation; /* of the file, which must be it; NULL: any */
};

struct batch_spec {
    struct object_reference *model_ref;
    const char *model_version; /* "": the model's current one */
    struct input_spec *input;
    struct batch_template how;
    const char *retry_token;
    struct credentials_spec *credentials; /* NULL: the model's */
    struct pod_template *pod_template;    /* NULL: the model's */
    bool suspend;
};

/* What a batch's freshness check led to. */
struct freshness_status {
    const char *action, *reason, *digest; /* Skipped | Started; as lastDecision */
};

struct batch_model_status {
    const char *version, *uri, *image_digest;
};

/* Of a sharded run: more than one pod scores, then one composes. */
struct shards_status {
    int64_t total;
    int64_t succeeded; /* equal to total: the parts are there, and are being composed */
    int64_t failed;
    bool discarding; /* the run failed, and its parts are being removed */
};

/* What the pods of a run have of the model: fixed when the run is decided, so that all its Jobs are
 * alike, whatever becomes of the model. */
struct pods_status {
    int64_t model_generation;             /* of the model that this is of         */
    json_t *raw_template;                 /* NULL: none, or the batch has its own */
    struct pod_template *pod_template;    /* raw_template, decoded                */
    struct list pull_secrets;             /* of struct object_reference           */
    struct credentials_spec *credentials; /* NULL: as raw_template             */
};

struct batch_status {
    int64_t observed_generation;
    struct list conditions; /* of struct condition */
    const char *required_digest;
    const char *image; /* of the scorer, with the digest that the run was decided with */
    struct freshness_status *training;
    struct input_result *input;
    struct output_result *output;
    struct batch_model_status *model;
    struct rows_result *rows;
    struct scores_result *scores;
    struct drift_result *drift;
    struct shards_status *shards; /* NULL: one pod does everything */
    struct pods_status *pods;     /* NULL: not recorded, by a version that did not */
    int64_t attempt;
    int64_t lost_results;      /* results that could not be read; another one fails the run */
    const char *job;           /* set: the run is decided                                   */
    struct pairs field_hashes; /* of the spec that it was decided for: batch_hash_fields() */
    int64_t start_time_ms, completion_time_ms;
};

extern const struct fields batch_spec_fields;
extern const struct fields batch_status_fields;

/* As model_spec_decode() and model_status_decode(). */
int batch_spec_decode(const json_t *spec, struct arena *arena, struct batch_spec *ret_spec,
                      struct err *err) __attribute__((warn_unused_result));
int batch_status_decode(const json_t *status, struct arena *arena, struct batch_status *ret_status,
                        struct err *err) __attribute__((warn_unused_result));

/* The file a batch writes: output.uri, or <folder>/<batch name>.csv. */
const char *batch_output_uri(const char *output_uri, const char *batch_name, struct arena *arena);
/* A text that is the same for two batches if they may write the same file, by which the shell
 * indexes unfinished ones. A path is one of the volumes that pods mount, so each namespace has its
 * own; a bucket is the same for all. */
const char *batch_output_place(const char *output_uri, const char *namespace,
                               const char *batch_name, struct arena *arena);

/* A hash for every field of a spec that may not change while the batch runs or is
 * Complete; fields equal to their defaults have none. In the arena. */
void batch_hash_fields(const struct batch_spec *spec, struct arena *arena,
                       struct pairs *ret_hashes);
/* The first field whose hash differs, NULL when none does. */
const char *batch_edited_field(const struct pairs *before, const struct pairs *now);

/* spec.ttlSecondsAfterFinished, also of what project.h leaves of a finished batch. */
struct opt_int batch_ttl_seconds(const json_t *spec);

/* Complete or Failed. */
bool batch_is_finished(const struct batch_status *status);
