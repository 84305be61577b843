/* view.h - everything a reconcile may know, gathered before it by the shell.
 *
 * Reconcilers are functions of a view and nothing else: no clock, no I/O. The
 * shell fills a view from its cache (objects as project.h reduced them), from
 * the facts it holds, and from its settings. All pointers are borrowed for the
 * time of one reconcile. Times in objects are wall-clock milliseconds since 1970;
 * times of facts are those of a steady clock that never jumps, good for ages only.
 *
 * Facts are slow look-ups. A plan asks for one (plan.h); the shell looks it up,
 * shares it between the keys that asked for the same thing, wakes them, and from
 * then on puts it into their views. IMAGE, FOLDER and INBOX facts stay, with their age.
 * JOB and PODS facts are answers to one question: they are in the view of the
 * pass that they wake and of no later one. */
#pragma once

#include "base/fields.h"
#include "base/zone.h"
#include "batch_api.h"
#include "model_api.h"

struct metadata {
    const char *namespace_, *name, *uid, *resource_version;
    int64_t generation, created_ms;
    bool deleting;
};

/* --- Jobs ---------------------------------------------------------------- */

enum job_state { JOB_UNFINISHED, JOB_COMPLETE, JOB_FAILED };

struct job_view {
    const char *name, *uid, *resource_version;
    const char *owner_uid;        /* of the controlling owner of one of our kinds, or NULL */
    const char *run_key;          /* label churnops.io/run                                */
    const char *template_hash;    /* annotation churnops.io/template (job_builder.h), or NULL */
    const char *keep_versions;    /* annotation churnops.io/keep-versions: of a training; or NULL */
    int64_t attempt;              /* annotation churnops.io/attempt                       */
    enum job_state state;         /* by the conditions Complete and Failed alone          */
    const char *reason, *message; /* of the condition Failed; NULL otherwise           */
    int64_t active, ready;        /* pods                                              */
    int64_t succeeded, failed_indexes; /* of an Indexed Job                            */
    int64_t started_ms;                /* status.startTime; 0 while it is not set           */
    bool suspended;                    /* spec.suspend: Kueue's                             */
    struct opt_int ttl_seconds;        /* spec.ttlSecondsAfterFinished                      */
    bool deleting;
};

/* --- facts --------------------------------------------------------------- */

enum image_error {
    IMAGE_OK,
    IMAGE_UNREACHABLE,
    IMAGE_DENIED,
    IMAGE_NOT_FOUND,
    IMAGE_UNRESOLVABLE, /* the digest cannot be had by asking: it has to be pinned */
};

/* What a tag points to. */
struct image_fact {
    const char *reference;       /* as in the request                                       */
    struct strings pull_secrets; /* what opened the registry, as in the request       */
    const char *service_account;
    const char *digest;       /* last one known, "sha256:..."; NULL: never               */
    int64_t checked_ms;       /* START of the last look-up that ended; 0: none ended     */
    int64_t took_ms;          /* from then to its answer                                 */
    int64_t pending_ms;       /* since when one is under way, or waits for its turn; 0: none */
    enum image_error error;   /* of the last one that ended                              */
    const char *message;      /* its error text, NULL when OK                            */
    int64_t failing_since_ms; /* first of the failures in a row; 0: the last one was OK */
};

/* The newest data file of a folder (store.h); of a file's own URI, that file. */
struct folder_fact {
    const char *uri;        /* of the folder or file                                   */
    const char *newest_uri; /* NULL: no data file in it, or no such file               */
    const char *generation;
    int64_t bytes;
    int64_t checked_ms, took_ms, pending_ms; /* as above                               */
    int64_t pushed_ms;                       /* a look-up that began before that is out of date */
    const char *message;                     /* error of the last look-up, NULL when OK */
};

/* A file in an inbox's folder (inbox_files.h). */
struct inbox_file {
    const char *key;  /* "<time> <name>"                                         */
    const char *name; /* without the folder                                      */
    const char *generation;
    int64_t since_ms; /* START of the first look-up that found it as it is now   */
};

/* At most so many files are in an answer, and so many keys of taken files in a status. */
#define INBOX_FILES 64

/* What an inbox asked its folder for; of this key alone. */
struct inbox_fact {
    const char *uri;
    bool newest;                    /* as in the question                              */
    const struct inbox_file *files; /* in the order of their keys                      */
    size_t file_count;
    int64_t checked_ms, took_ms, pending_ms; /* as above                               */
    int64_t pushed_ms;                       /* a look-up that began before that is out of date */
    const char *message;                     /* error of the last look-up, NULL when OK */
};

/* A GET of one Job, past the cache. */
struct job_fact {
    const char *name;
    bool pending;
    bool exists;
    struct job_view job; /* when it exists */
};

/* How a container `churn` ended. */
struct pod_end {
    bool ended;
    int64_t exit_code;
    bool out_of_memory; /* reason OOMKilled                                        */
    const char *result; /* termination message, or the tail of the log; NULL: none */
};

/* The pods of one Job, boiled down by pods_fact_decode() (project.h). */
struct pods_fact {
    const char *job;
    bool pending;
    struct pod_end succeeded; /* the last one with exit code 0                       */
    struct pod_end failed;    /* the last one with another code; 143, which pods have that are
                               * stopped for another's sake, only if there is no other      */
    const char *trouble;      /* why a pod does not start ("ImagePullBackOff: ..."), or NULL */
};

struct facts {
    const struct image_fact *images;
    size_t image_count;
    const struct folder_fact *folders;
    size_t folder_count;
    const struct inbox_fact *inboxes;
    size_t inbox_count;
    const struct job_fact *job;   /* NULL: not asked */
    const struct pods_fact *pods; /* NULL: not asked */
};

/* The API server refused a Job or a batch (422, 403, or a Job's name is taken by a stranger).
 * Kept by the shell, per key and name, until that one is created, the owner has another generation
 * or the process ends. */
struct job_refusal {
    const char *job; /* or batch */
    const char *message;
    int64_t refused_ms; /* steady clock */
    int64_t generation; /* of the owner, then */
};

/* --- settings ------------------------------------------------------------ */

struct settings {
    const char *trainer_image, *scorer_image; /* defaults */
    struct strings file_roots;                /* absolute folders that the controller may list */
    struct strings allowed_uris; /* "<folder in a bucket>[=<namespace>]" that it may list by its
                                  * own cloud identity                                        */
    bool probe_pods; /* a pod may tell the digest that a registry refuses to tell the controller */
};

/* --- views --------------------------------------------------------------- */

/* What both kinds have. */
struct object_view {
    struct metadata metadata;
    const json_t *raw_status;    /* as in the cache; NULL: none                   */
    const struct job_view *jobs; /* owned by this uid, in any state            */
    size_t job_count;
    struct facts facts;
    const struct job_refusal *refusals;
    size_t refusal_count;
    const struct settings *settings;
    int64_t now_ms;    /* wall clock: for what is written, and beside times of objects */
    int64_t steady_ms; /* now, beside times of facts and refusals                      */
    int64_t seen_ms;   /* steady: when this process first saw this generation; a look-up
                        * that began later is not older than the spec                  */
};

/* A batch that an inbox made: one that the model owns, or has the name of one that it is about
 * to make. */
struct inbox_batch {
    const char *name, *uid;
    int64_t created_ms;
    bool owned, finished, deleting;
};

struct model_view {
    struct object_view object;
    const struct inbox_batch *batches;
    size_t batch_count;
    const json_t *raw_spec;
    int64_t asked;           /* freshness checks since the last Skipped was written (ACTION_WAKE) */
    const struct zone *zone; /* of spec.retrain.timeZone; NULL: see zone_error */
    const char *zone_error;
    /* Versions of this model: that batches which run were started with, and that the specs of
     * unfinished batches name. */
    struct strings versions_in_use, versions_wanted;
};

/* Another unfinished batch with the same output. */
struct output_rival {
    const char *namespace_, *name;
    int64_t created_ms;
    bool started; /* its status.job is set */
};

/* The model of a batch, as far as the batch needs it. */
struct model_of_batch {
    struct metadata metadata;
    const json_t *raw_spec, *raw_status;
    const struct zone *zone;     /* of spec.retrain.timeZone; NULL: not known */
    const struct job_view *jobs; /* for a batch that names a version: those of the model */
    size_t job_count;
};

struct batch_view {
    struct object_view object;
    const json_t *raw_spec;
    const struct model_of_batch *model; /* NULL: not in the cache */
    const struct output_rival *rivals;
    size_t rival_count;
};
