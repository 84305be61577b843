/* batch_pass.h - the working state of one reconcile of a ChurnBatch.
 *
 * Shared by the files that make up that reconcile, and by nobody else:
 * reconcile_batch.c (the order of things), batch_start.c (whether a run may
 * start, and with what), batch_model.c (with which version), batch_run.c (what
 * becomes of a run), batch_job.c (the Job that status names) and
 * batch_conditions.c (what is said about it all). */
#pragma once

#include "contract/identity.h"
#include "contract/reasons.h"
#include "lookup.h"
#include "reconcile.h"
#include "run.h"

struct batch_pass {
    const struct batch_view *view;
    struct plan *plan;
    struct arena *arena; /* the plan's */
    struct batch_status before, status;
    struct batch_spec spec; /* when spec_error is NULL */
    const char *spec_error;
    char spec_hash[IDENTITY_KEY], run_key[IDENTITY_KEY];
    struct pairs field_hashes;
    const char *edit; /* what makes the spec another one than the run's; NULL: nothing */
    /* the model: batch_model.c */
    struct model_spec model_spec; /* when model_known */
    struct model_status model_status;
    bool model_known;
    struct batch_model_status version; /* to score with, once one may be used */
    const char *model_ready, *model_reason, *model_message; /* NULL: as before */
    const struct freshness_status *check; /* of an earlier pass of this run, or NULL */
    bool asked; /* this pass starts a run without a training: tell the model */
    /* what the conditions Ready, Reconciling and Stalled say */
    const char *ready_reason;
    bool reconciling, stalled;
    const char *reason, *message;
    bool hold; /* an answer is about to come: no write for conditions alone */
};

/* `ready_reason` is one of the few words that Ready has for a batch that is not
 * complete; `reason` is the particular one. */
static inline void batch_say(struct batch_pass *pass, const char *ready_reason, bool reconciling,
                             bool stalled, const char *reason, const char *message)
{
    pass->ready_reason = ready_reason;
    pass->reconciling = reconciling;
    pass->stalled = stalled;
    pass->reason = reason;
    pass->message = message;
}

/* What opens the buckets: the batch's credentials, else its model's; NULL: none. */
static inline const struct credentials_spec *batch_credentials(const struct batch_pass *pass)
{
    return pass->spec.credentials ? pass->spec.credentials : pass->model_spec.credentials;
}

/* Decodes the model when it is there and valid. */
void batch_find_model(struct batch_pass *pass);

/* Whether a run may start now, with pass->version of the model. Sets what is said
 * about the model, and the freshness check's results in pass->status. */
bool batch_model_is_usable(struct batch_pass *pass);

/* Starts a run as soon as it may; none is at work. */
void batch_try_to_start(struct batch_pass *pass);

/* Takes the run that was decided further: its Jobs are created, stopped, or ended. */
void batch_follow_run(struct batch_pass *pass);
/* The same for the Job that removes the parts of a run that failed. */
void batch_follow_discard(struct batch_pass *pass);

/* --- the Job of pass->status --------------------------------------------- */

/* What the Job that status names does. An unsharded run has one Job; a sharded one
 * has a second that composes, or one that removes the parts of a failed run. */
enum batch_stage { STAGE_WHOLE, STAGE_SHARDS, STAGE_COMPOSE, STAGE_DISCARD };
enum batch_stage batch_stage(const struct batch_status *status);
/* Of its results. */
enum job_kind batch_job_kind(enum batch_stage stage);

/* A copy of status.shards that may be edited. */
struct shards_status *batch_edit_shards(struct batch_pass *pass);
/* Sets status.pods to what the model, which is known, says now. */
void batch_record_pods(struct batch_pass *pass);
/* Sets status.job of this attempt at the stage that status is in. */
void batch_set_attempt(struct batch_pass *pass, int64_t attempt);
/* Creates the Job that status names, once every other is gone. */
void batch_create_job(struct batch_pass *pass);
void batch_say_running(struct batch_pass *pass);
/* The spec was edited where it must not be. */
void batch_say_immutable(struct batch_pass *pass);

/* Sets all conditions of pass->status. */
void batch_set_conditions(struct batch_pass *pass);
