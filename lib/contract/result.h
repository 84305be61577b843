/* result.h - the result document: what a Job's program reports.
 *
 * At most LIMIT_RESULT_DOCUMENT bytes of JSON in the termination message; its
 * members are those of the resource's status. A program fills the struct, with
 * members in the documented order of importance; encoding cuts from the end what
 * does not fit. The controller decodes it as untrusted: by table, bounded,
 * patterns enforced, unknown members ignored (a newer program may say more). */
#pragma once

#include "base/buf.h"
#include "base/fields.h"
#include "contract/job.h"

enum outcome {
    OUTCOME_TRAINED,
    OUTCOME_SCORED,
    OUTCOME_REUSED,
    OUTCOME_FAILED,
    OUTCOME_PART,      /* a shard wrote its part, or found it  */
    OUTCOME_DISCARDED, /* the parts of a failed run are removed */
};
extern const char *const outcome_names[]; /* Trained, Scored, Reused, Failed, Part, Discarded */

#define RESULT_METRICS_MAXIMUM  24
#define RESULT_DRIFTS_MAXIMUM   5
#define RESULT_STEPS_MAXIMUM    16
#define RESULT_WARNINGS_MAXIMUM 16

/* The trained model, or the one that scored (then only version and uri). */
struct model_result {
    const char *version;  /* 16 hex digits                               */
    const char *uri;      /* the version's folder                        */
    const char *sha256;   /* of model.json                               */
    const char *data_uri; /* the history file that was read              */
    const char *data_sha256;
    int64_t rows;          /* good rows of it                             */
    const char *algorithm; /* what was fitted: never "Auto"               */
};

struct metric {
    const char *name;     /* auc, pr_auc, log_loss, brier, ece, ...         */
    struct decimal value; /* as text: no floats in API fields               */
};

/* The new version and the one in use, both as fitted without the held-out
 * customers, on the same rows of the present file. */
struct comparison {
    const char *metric; /* of the job's promotion                      */
    struct decimal challenger;
    struct decimal champion; /* absent: there is none, or it was skipped (a warning says why) */
    int64_t rows;
};

struct step {
    const char *name;  /* Ingest, Split, Fit, Calibrate, ...                */
    const char *state; /* Succeeded, Skipped, Failed                        */
    struct decimal seconds;
};

struct input_result {
    const char *uri, *generation;
    int64_t bytes;
    const char *sha256;
};

struct output_result {
    const char *uri, *manifest_uri, *rejects_uri; /* rejects: NULL when no row was bad */
    int64_t bytes;
    const char *sha256;
};

struct rows_result {
    int64_t read, scored, rejected; /* read = scored + rejected */
};

struct scores_result {
    struct decimal mean, p50, p90, p99; /* absent when nothing was scored */
    int64_t above_threshold;
    struct decimal threshold;
};

struct drift_item {
    const char *name; /* of the column */
    struct decimal psi;
};

/* How far the input is from the training data (ml/drift.h). */
struct drift_result {
    struct decimal maximum; /* the largest PSI ... */
    const char *feature;    /* ... and its column  */
    struct list features;   /* of struct drift_item, largest first */
};

/* Which part of a sharded run. */
struct shard_result {
    int64_t index; /* from 0 */
};

struct result {
    int outcome; /* enum outcome */
    /* Failed */
    int64_t exit_code;
    const char *reason, *message;
    /* Trained, Reused: model. Scored, Reused: all five. Part: rows and shard. */
    struct model_result *model;
    struct input_result *input;
    struct output_result *output;
    struct rows_result *rows;
    struct scores_result *scores;
    /* Trained, Reused: absent when the version in use is this one, or when the metric
     * is undefined on the held-out rows */
    struct comparison *comparison;
    struct shard_result *shard;
    /* extras, most important first */
    struct list metrics;        /* of struct metric; the first one is cut last */
    struct drift_result *drift; /* Scored, Reused; may be absent */
    struct list steps;          /* of struct step                              */
    struct strings warnings;    /* one line each                               */
};

extern const struct fields model_result_fields;
extern const struct fields metric_fields;
extern const struct fields comparison_fields;
extern const struct fields step_fields;
extern const struct fields input_result_fields;
extern const struct fields output_result_fields;
extern const struct fields rows_result_fields;
extern const struct fields scores_result_fields;
extern const struct fields shard_result_fields;
extern const struct fields drift_result_fields;
extern const struct fields result_fields;

/* Appends the document as one line of at most LIMIT_RESULT_DOCUMENT bytes.
 * Warnings are cut first, then steps, drifts and metrics, each from its end,
 * then the message. */
void result_encode(const struct result *result, struct buf *out);

/* Decodes a termination message that a program for a `kind` of Job wrote. The
 * outcome is one that such a Job can have, the members that it promises are
 * there, rows add up, `Failed` has a reason. ERR_INVALID with reason ResultInvalid otherwise. */
int result_decode(struct span text, enum job_kind kind, struct arena *arena,
                  struct result *ret_result, struct err *err) __attribute__((warn_unused_result));

/* A Failed result from the error that ends a program (exit_code.h). Borrows
 * the error's text. */
struct result result_of_error(const struct err *error);

/* Writes the document to `path`, or, where that is NULL, to RESULT_PATH if it can
 * be written, else (on a laptop) to standard output. The kubelet's termination
 * log is a file that exists and cannot be replaced, so it is truncated and
 * written in place, with one write when the file takes it all. */
int result_report(const struct result *result, const char *path, struct err *err)
    __attribute__((warn_unused_result));
