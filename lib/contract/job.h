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

/* What a Job is for, which decides what results it may report (result.h). */
enum job_kind {
    JOB_TRAIN,   /* a Train document                                  */
    JOB_SCORE,   /* a Score document that is not sharded, or a Compose */
    JOB_SHARD,   /* a Score document with shard.count > 1             */
    JOB_DISCARD, /* a Compose document with discard                   */
};

#define KEEP_DEFAULT          "5" /* versions */
#define KEEP_MAXIMUM          100
#define KEEP_VERSIONS_MAXIMUM 256

struct model_source {
    const char *uri;     /* the version's folder                          */
    const char *version; /* NULL: whatever the folder holds               */
};

struct artifacts_spec {
    const char *uri; /* folder; versions are <uri>/<namespace>.<model>/<version>/ */
    int64_t keep;    /* spec.artifacts of a ChurnModel only: train_job.keep        */
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
    const char *uri;        /* file; a folder only on a laptop, unsharded */
    const char *generation; /* what must be read; NULL: what is there     */
};

/* The input in byte ranges, one for each index of an Indexed Job. */
struct shard_spec {
    int64_t count; /* 1: not sharded, one program does everything */
};

#define SHARDS_MAXIMUM 256

/* Score: a whole file, or one shard of it into a part. Compose: from the parts of
 * all shards to the output, with the same members as the Score document. */
enum score_kind { SCORE_SCORE, SCORE_COMPOSE };

struct score_job {
    int64_t version;
    int kind;              /* enum score_kind                             */
    const char *batch;     /* "<namespace>/<name>", "<name>" on a laptop  */
    const char *spec_hash; /* NULL: an earlier manifest is not looked for */
    struct model_source *model;
    struct input_source *input;
    struct output_spec *output;
    struct scoring_options scoring;
    struct shard_spec *shard;
    const char *parts; /* Compose only: score_job_parts()                  */
    bool discard;      /* Compose only: remove the parts and do no more    */
};

/* One struct artifacts_spec, two objects: a Train document's, and a ChurnModel's, which says
 * how many versions are kept. */
extern const struct fields artifacts_spec_fields;
extern const struct fields model_artifacts_fields;
extern const struct fields train_job_fields;
extern const struct fields score_job_fields;

/* Decode a parsed document, check all rules, fill *ret_job; strings live in the
 * arena. ERR_INVALID with reason UsageError names the member. */
int train_job_decode(const json_t *document, struct arena *arena, struct train_job *ret_job,
                     struct err *err) __attribute__((warn_unused_result));
int score_job_decode(const json_t *document, struct arena *arena, struct score_job *ret_job,
                     struct err *err) __attribute__((warn_unused_result));

/* Read a file of at most LIMIT_JOB_DOCUMENT and decode it; errors name the path: those of
 * decoding, also when there is no file; ERR_IO, ERR_RETRY or ERR_DENIED when it cannot be read. */
int train_job_read(const char *path, struct arena *arena, struct train_job *ret_job,
                   struct err *err) __attribute__((warn_unused_result));
int score_job_read(const char *path, struct arena *arena, struct score_job *ret_job,
                   struct err *err) __attribute__((warn_unused_result));

/* Where the parts of a sharded run are: <output>.parts/<identity_parts()>/. The
 * job's output.uri names a file; a version or generation that is not given
 * counts as empty. In the arena. */
const char *score_job_parts(const struct score_job *job, struct arena *arena);

/* The document; its version, and the kind of a training, are set by these
 * functions. New reference. */
json_t *train_job_encode(const struct train_job *job) __attribute__((warn_unused_result));
json_t *score_job_encode(const struct score_job *job) __attribute__((warn_unused_result));
