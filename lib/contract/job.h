/* job.h - the job documents: what a Job's program is told to do.
 *
 * One JSON document per Job, in the annotation churnops.io/job and, through a
 * downwardAPI volume, in the pod's file /etc/churn/job.json. Decoding is
 * strict: unknown members are errors. Encoding leaves out members equal to
 * their documented default, so that an older image refuses a document only when
 * it uses something newer. The same document runs on a laptop; there the
 * identities that only a controller knows (runKey, specHash, generation) may
 * be left out, and nothing made by an earlier run is then looked for. */
#pragma once

#include "contract/spec.h"

#define JOB_VERSION    1
#define JOB_ANNOTATION "churnops.io/job"
#define JOB_FOLDER     "/etc/churn"
#define JOB_FILE       "job.json"
#define JOB_PATH       JOB_FOLDER "/" JOB_FILE /* without $CHURN_JOB    */
#define RESULT_PATH    "/dev/termination-log"  /* without $CHURN_RESULT */
#define JOB_CONTAINER  "churn"                 /* of the pod            */

enum job_kind { JOB_TRAIN, JOB_SCORE };

#define KEEP_DEFAULT          "5" /* versions */
#define KEEP_MAXIMUM          100
#define KEEP_VERSIONS_MAXIMUM 256

struct model_source {
    const char *uri;     /* the version's folder                          */
    const char *version; /* NULL: whatever the folder holds               */
};

struct artifacts_spec {
    const char *uri; /* folder; versions are <uri>/<namespace>.<model>/<version>/ */
};

struct train_job {
    int64_t version;
    int kind;                      /* always 0 after decoding: "Train"              */
    const char *model;             /* "<namespace>/<name>", "<name>" on a laptop    */
    const char *run_key;           /* NULL: earlier runs are not looked for         */
    struct training_spec training; /* data.uri: what the controller resolved */
    struct artifacts_spec *artifacts;
    int64_t keep;                     /* old versions that stay besides the protected ones */
    struct strings keep_versions;     /* versions that are never deleted                   */
    struct model_source *champion;    /* the version in use, both members; NULL: none   */
    struct promotion_spec *promotion; /* the metric alone                               */
};

struct input_source {
    const char *uri;        /* file; a folder only on a laptop            */
    const char *generation; /* what must be read; NULL: what is there     */
};

struct score_job {
    int64_t version;
    int kind;              /* always 0 after decoding: "Score"            */
    const char *batch;     /* "<namespace>/<name>", "<name>" on a laptop  */
    const char *spec_hash; /* NULL: an earlier manifest is not looked for */
    struct model_source *model;
    struct input_source *input;
    struct output_spec *output;
    struct scoring_options scoring;
};

extern const struct fields artifacts_spec_fields;
extern const struct fields train_job_fields;
extern const struct fields score_job_fields;

/* Decode a parsed document, check all rules, fill *ret_job; strings live in the
 * arena. ERR_INVALID with reason UsageError names the member. */
int train_job_decode(const json_t *document, struct arena *arena, struct train_job *ret_job,
                     struct err *err) __attribute__((warn_unused_result));
int score_job_decode(const json_t *document, struct arena *arena, struct score_job *ret_job,
                     struct err *err) __attribute__((warn_unused_result));

/* Read a file of at most LIMIT_JOB_DOCUMENT and decode it; errors name the path. */
int train_job_read(const char *path, struct arena *arena, struct train_job *ret_job,
                   struct err *err) __attribute__((warn_unused_result));
int score_job_read(const char *path, struct arena *arena, struct score_job *ret_job,
                   struct err *err) __attribute__((warn_unused_result));

/* The document; version and kind are set by these functions. New reference. */
json_t *train_job_encode(const struct train_job *job) __attribute__((warn_unused_result));
json_t *score_job_encode(const struct score_job *job) __attribute__((warn_unused_result));
