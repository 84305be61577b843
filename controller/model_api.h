/* model_api.h - the ChurnModel resource as C structs with field tables.
 *
 * crds/churnmodels.yaml says the same to the API server; a test walks both. */
#pragma once

#include "contract/job.h"
#include "contract/result.h"
#include "conditions.h"
#include "inbox_api.h"
#include "job_credentials.h"
#include "pod_template.h"

#define API_GROUP    "churnops.io"
#define API_VERSION  "churnops.io/v1alpha1"
#define MODEL_KIND   "ChurnModel"
#define BATCH_KIND   "ChurnBatch"
#define MODEL_PLURAL "churnmodels"
#define BATCH_PLURAL "churnbatches"

struct object_reference {
    const char *name;
};
extern const struct fields object_reference_fields;

struct retrain_spec {
    struct strings on;    /* ImageDigest, Spec, Data, Schedule; see model_retrains_on() */
    const char *schedule; /* five fields (base/cron.h); NULL or "": none */
    const char *time_zone;
    const char *token;
};

struct model_spec {
    const char *image;              /* NULL: the controller's default trainer image */
    struct list image_pull_secrets; /* of struct object_reference                   */
    int64_t image_poll_interval_ms;
    struct training_spec training; /* data, algorithm, ..., seed                   */
    struct retrain_spec *retrain;
    struct promotion_spec *promotion;
    const char *pinned_version; /* "": none */
    struct artifacts_spec *artifacts;
    struct inbox_spec *inbox;             /* NULL: none */
    struct credentials_spec *credentials; /* NULL: the pods' own identity */
    struct pod_template *pod_template;    /* NULL: none */
    int64_t active_deadline_seconds, backoff_limit;
    int64_t history_limit;
    bool suspend;
};

struct image_status {
    const char *reference, *digest, *short_digest;
    int64_t resolved_at_ms; /* when the digest last CHANGED */
};

struct model_version_status {
    const char *version, *uri, *sha256, *image_digest, *data_uri, *data_sha256;
    int64_t rows, trained_at_ms;
    const char *algorithm, *run_key;
};

/* A version that a training made, and what became of it. status.history has the newest
 * first, each version once. */
struct history_entry {
    struct model_version_status model;
    const char *outcome;  /* Promoted | Kept; Pending: not judged yet; Pinned: not
                           * judged while another version is pinned             */
    const char *champion; /* the version that was in use when the training began */
    struct comparison *comparison;
    struct list metrics; /* of struct metric */
};

struct data_source {
    const char *uri, *generation; /* the file that was chosen; generation: only from a folder,
                                   * or with retrain.on Data */
};

struct last_training {
    const char *run_key, *image_digest, *spec_hash, *token;
    struct data_source *data;
    int64_t scheduled_ms; /* the tick it was of; 0: of none */
    const char *outcome;  /* Trained, Reused, Failed */
    const char *version, *reason, *message;
    int64_t finished_at_ms;
};

struct decision {
    const char *action, *reason; /* Started | Skipped; First, Token, ImageDigestUnchanged, ... */
    int64_t time_ms;
};

/* The run that is at work, or the last one: it is over when lastTraining has its
 * run key. Written before its Job is created; the Job is built from it. */
struct training_status {
    const char *job, *run_key;
    int64_t attempt, start_time_ms;
    const char *image_digest, *spec_hash, *token;
    struct data_source *data;
    int64_t scheduled_ms;          /* the tick that it is of; 0: of none   */
    struct model_source *champion; /* the version in use then; NULL: none */
    int64_t lost_results;          /* results that could not be read; another one fails the run */
    struct list steps;             /* of struct step, with the outcome */
};

struct model_status {
    int64_t observed_generation;
    struct list conditions; /* of struct condition */
    struct image_status *image;
    struct model_version_status *model;
    struct list metrics; /* of struct metric, of the current version */
    struct last_training *last_training;
    struct decision *last_decision;
    int64_t trainings_run, trainings_skipped;
    struct inbox_status *inbox;
    struct training_status *training;
    const char *schedule;     /* with its time zone: of what last_schedule_ms speaks         */
    int64_t last_schedule_ms; /* ticks up to then are done: the last one that a training was
                               * of, or when the schedule was new                            */
    struct list history;      /* of struct history_entry */
};

#define HISTORY_LIMIT_MAXIMUM 50

extern const struct fields model_spec_fields;
extern const struct fields model_status_fields;

/* Decodes `spec` of a ChurnModel and checks every rule. ERR_INVALID with the
 * path ("spec.data.uri: must ..."). FIELD_JSON members are borrowed from `spec`. */
int model_spec_decode(const json_t *spec, struct arena *arena, struct model_spec *ret_spec,
                      struct err *err) __attribute__((warn_unused_result));

/* Decodes `status`; NULL and {} give an empty status. Members that this version
 * does not know are ignored, and writes leave them alone. */
int model_status_decode(const json_t *status, struct arena *arena, struct model_status *ret_status,
                        struct err *err) __attribute__((warn_unused_result));

/* The trigger is in retrain.on: "ImageDigest", "Spec", "Data" or "Schedule". */
bool model_retrains_on(const struct model_spec *spec, const char *trigger);

/* What is known about a version of a model: what its history says, else where its folder is. */
struct history_entry model_find_version(const struct model_spec *spec,
                                        const struct model_status *status, const char *namespace,
                                        const char *name, const char *version, struct arena *arena);

/* A training was decided and its outcome is not in status yet. */
bool model_is_training(const struct model_status *status);
