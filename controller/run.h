/* run.h - the Job of a run: what became of it, creating it, clearing others away.
 *
 * Status names the one Job that may work for an owner. Every other unfinished
 * Job of that owner is deleted, and none is created before the last of them is
 * gone, so that two never write at once. */
#pragma once

#include "contract/result.h"
#include "plan.h"
#include "view.h"

enum run_state {
    RUN_WAITING,   /* not known yet: a look-up will tell                        */
    RUN_MISSING,   /* there is no such Job, as far as one may be created         */
    RUN_WORKING,   /* unfinished                                                */
    RUN_TROUBLED,  /* unfinished, and its pod does not start: reason, message   */
    RUN_SUCCEEDED, /* result                                                    */
    RUN_FAILED,    /* reason, message                                           */
    RUN_LOST,      /* complete, but its result cannot be read: message          */
};

struct run {
    enum run_state state;
    const char *reason, *message;
    struct result result;
};

/* What the view says about the Job `name` of this kind. Adds look-ups to the plan.
 * `pod_template` (NULL: unknown) is for the advice in messages. */
void run_observe(const struct object_view *view, struct plan *plan, const char *name,
                 enum job_kind kind, const struct pod_template *pod_template, struct run *ret_run);

/* Stops the Job `name`, which the cache does not have: the answer to its POST may have been lost.
 * True once the API server said that there is none; look-ups and the rest are in the plan. */
bool run_stop_unseen(const struct object_view *view, struct plan *plan, const char *name);

/* The Job in the cache; NULL when it is not there. */
const struct job_view *run_find_job(const struct object_view *view, const char *name);

/* One more than the attempts that the cache knows of this run key. */
int64_t run_next_attempt(const struct object_view *view, const char *run_key);

/* The unfinished Job that may delete this version of a model, or NULL: a training deletes old
 * versions when it ends, but for those that it was told to keep when its Job was made. */
const struct job_view *run_find_danger(const struct job_view *jobs, size_t count,
                                       const char *version);

/* Deletes the unfinished Jobs that are not `name` (NULL: all of them). Returns
 * whether any is still there, being deleted or not. */
bool run_clear_others(const struct object_view *view, struct plan *plan, const char *name);

/* Deletes the finished Jobs but for `keep` of them, those that began last, and but for `name`
 * (NULL: none), whose outcome is not in status yet. */
void run_keep_newest(const struct object_view *view, struct plan *plan, size_t keep,
                     const char *name);

/* Lets the finished Jobs be deleted by the cluster so long after their end; not set: they stay.
 * For an owner whose outcome is in its status, or in this plan's. */
void run_expire_jobs(const struct object_view *view, struct plan *plan,
                     const struct opt_int *ttl_seconds);

/* Whether the Job that status names may be created now: no other Job of the owner
 * is unfinished, and the API server did not just refuse this one.
 * *ret_refusal is what it said, NULL when it did not. Requeues for the next try. */
bool run_may_create(const struct object_view *view, struct plan *plan, const char *name,
                    const char **ret_refusal);

/* The second part of that, for anything that is created: whether it was not just refused. */
bool run_is_allowed(const struct object_view *view, struct plan *plan, const char *name,
                    const char **ret_refusal);

/* Writes the difference of two status structs as a merge patch; members that the
 * table does not know are left alone. The first write (raw_status NULL) has all
 * of them. Conditions alone are no reason to write while `hold` is true. */
void run_write_status(struct plan *plan, const struct fields *table, const json_t *raw_status,
                      const void *before, const void *after, bool hold);
