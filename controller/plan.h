/* plan.h - what a reconcile decided, for the shell to carry out.
 *
 * The shell executes actions in order and stops at the first that fails; the key
 * then comes again with backoff, and the next reconcile decides anew from what
 * is there. A plan keeps its actions in the order of their kinds: the status first,
 * because whatever must not be decided twice is in it before a Job depends on it; then
 * what follows from the decision alone and cannot fail; then the Jobs. A plan for an
 * unchanged view, after its look-ups were started, has no action.
 *
 * WRITE_STATUS  merge patch for /status; the shell adds metadata.uid and
 *               metadata.resourceVersion. Never sent empty: such an action is not
 *               in the plan. 409: drop the plan, reconcile again when the cache
 *               has caught up.
 * EVENT         best effort, never fails the plan.
 * WAKE          reconcile the model; `asked` adds 1 to its view's `asked`, which
 *               the shell sets to 0 after a WRITE_STATUS of the model succeeded
 *               whose plan has skipped_counted.
 * DELETE_BATCH  DELETE with the uid as precondition. 404 and 409 are success.
 * DELETE_JOB    DELETE with the uid as precondition and propagationPolicy
 *               Foreground (the Job stays in the cache until its pods are gone).
 *               404 and 409 are success.
 * EXPIRE_JOB    merge patch of a finished Job's spec.ttlSecondsAfterFinished, with uid and
 *               resourceVersion. 404 is success; 409: reconcile again when the cache has
 *               caught up.
 * CREATE_JOB    POST, once the API server said in this round that the owner is there: by a
 *               WRITE_STATUS before, else by a GET (gone, being deleted, or another uid: stop, its
 *               event wakes the key). 409: GET the Job; the same owner uid and run key is success;
 * being deleted: stop, its DELETED event wakes the key; a stranger's, and 400, 403, 413, 422: a
 * job_refusal goes into the next view, the key comes again at once. CREATE_BATCH  POST, likewise.
 * 409: the batch of that file is there, which is success; being deleted: stop. Refusals as for a
 * Job. NEED_FACT     start a look-up and wake the key when it ended. When the answer is there
 * already (a shared fact that is new enough), put it into the view and reconcile again at once. */
#pragma once

#include "base/fields.h"
#include "base/json.h"
#include "base/mem.h"

enum action_kind {
    ACTION_WRITE_STATUS,
    ACTION_EVENT,
    ACTION_WAKE,
    ACTION_DELETE_BATCH,
    ACTION_DELETE_JOB,
    ACTION_EXPIRE_JOB,
    ACTION_CREATE_JOB,
    ACTION_CREATE_BATCH,
    ACTION_NEED_FACT,
};

enum fact_kind { FACT_IMAGE, FACT_FOLDER, FACT_INBOX, FACT_JOB, FACT_PODS };

/* Which files of a folder an inbox asks for (inbox_files.h). */
struct inbox_question {
    bool newest;          /* the newest ones, whatever was taken; else the oldest not yet taken */
    const char *floor;    /* key of a file: it and all before it were taken; NULL: none */
    struct strings taken; /* keys of later files that were taken                        */
};

struct fact_request {
    enum fact_kind kind;
    const char *argument;               /* image reference, URI of a folder or file, Job name */
    struct strings pull_secrets;        /* IMAGE: names of Secrets in the key's namespace     */
    const char *service_account;        /* IMAGE: whose secrets count; NULL when some are named */
    json_t *probe;                      /* IMAGE: the Job of job_build_probe(), which may be asked
                                         * when the registry refuses; NULL: none              */
    const char *secret;                 /* FOLDER, INBOX: of spec.credentials, in the key's
                                         * namespace; opens the bucket; NULL: none            */
    int64_t newer_than_ms;              /* IMAGE, FOLDER, INBOX: an answer whose look-up began
                                         * before this is too old                             */
    const struct inbox_question *inbox; /* INBOX                                       */
};

struct action {
    enum action_kind kind;
    union {
        json_t *patch; /* WRITE_STATUS: {"status": {...}}                              */
        struct {
            const char *name, *run_key; /* run_key: JOB */
            json_t *object;
        } create;
        struct {
            const char *name, *uid;
        } delete_;
        struct {
            const char *name, *uid, *resource_version;
            struct opt_int ttl_seconds; /* not set: it stays */
        } expire;
        struct {
            bool warning; /* type Warning instead of Normal                            */
            const char *reason, *action, *note;
        } event;
        struct fact_request need;
        struct {
            const char *model; /* name, in the key's namespace                         */
            bool asked;
        } wake;
    };
};

struct plan {
    struct arena arena; /* owns all strings and JSON of the plan */
    struct action *actions;
    size_t count, capacity;
    int64_t requeue_after_ms; /* -1: only events and facts wake the key */
    bool skipped_counted;     /* the view's `asked` is in this plan's status */
    const char *decision;     /* First, Token, ..., Skipped: for metrics; NULL: none */
    const char *problem;      /* why nothing was decided (an unreadable status): log it */
    const char *promotion;    /* Promoted, Kept, ...: what became of a version; NULL: nothing */
    const char *outcome;      /* of a run that ended: Trained, Scored, Reused, Failed */
};

void plan_init(struct plan *plan);
void plan_release(struct plan *plan);
#define auto_plan __attribute__((cleanup(plan_release)))

/* `take_patch` is {"status": ...} or, when nothing changed, {"status": {}}, which
 * is dropped. */
void plan_write_status(struct plan *plan, json_t *take_patch);
void plan_create_job(struct plan *plan, const char *name, const char *run_key, json_t *take_object);
void plan_delete_job(struct plan *plan, const char *name, const char *uid);
void plan_expire_job(struct plan *plan, const char *name, const char *uid,
                     const char *resource_version, const struct opt_int *ttl_seconds);
void plan_create_batch(struct plan *plan, const char *name, json_t *take_object);
void plan_delete_batch(struct plan *plan, const char *name, const char *uid);
void plan_event(struct plan *plan, bool warning, const char *reason, const char *action,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void plan_need(struct plan *plan, const struct fact_request *request);
/* Whether FACT_JOB or FACT_PODS is needed. What the pass was told already is then needed again
 * beside the answer: where the cache does not have a Job, its end is an answer, and pods are
 * asked for only then. */
bool plan_asks_about_job(const struct plan *plan);
void plan_wake(struct plan *plan, const char *model, bool asked);
/* The key comes again after this long at the latest; the shortest wins. */
void plan_requeue(struct plan *plan, int64_t delay_ms);
