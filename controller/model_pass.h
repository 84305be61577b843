/* model_pass.h - the working state of one reconcile of a ChurnModel.
 *
 * Shared by the files that make up that reconcile, and by nobody else:
 * reconcile_model.c (the order of things), model_decision.c (whether to train),
 * model_schedule.c (when the next tick is), model_training.c (what becomes of a
 * training), model_job.c (the Job that status names), model_promotion.c (which version
 * is in use), model_inbox.c (batches of new files) and model_conditions.c (what is
 * said about it all). */
#pragma once

#include "contract/identity.h"
#include "contract/reasons.h"
#include "lookup.h"
#include "reconcile.h"
#include "run.h"

struct model_pass {
    const struct model_view *view;
    struct plan *plan;
    struct arena *arena; /* the plan's */
    struct model_status before, status;
    struct model_spec spec; /* when spec_error is NULL */
    const char *spec_error;
    char spec_hash[IDENTITY_KEY];
    struct image_lookup image;
    /* what the conditions Reconciling and Stalled say; both false: idle */
    bool reconciling, stalled;
    const char *reason, *message;
    /* The pinned version, while it is not in use: model_look_for_pin() */
    struct history_entry pinned;
    struct file_lookup pin;
    bool pin_is_missing;
    const struct job_view *danger;        /* the Job at work that may delete it, or NULL */
    const char *pin_reason, *pin_message; /* why it is not in use; NULL: it is, or soon  */
    bool hold; /* an answer is about to come: no write for conditions alone */
};

static inline void model_say(struct model_pass *pass, bool reconciling, bool stalled,
                             const char *reason, const char *message)
{
    pass->reconciling = reconciling;
    pass->stalled = stalled;
    pass->reason = reason;
    pass->message = message;
}

static inline bool model_is_suspended(const struct model_pass *pass)
{
    return !pass->spec_error && pass->spec.suspend;
}

/* status.image is of the image that the spec names. */
static inline bool model_is_same_reference(const struct model_pass *pass)
{
    const struct image_status *image = pass->before.image;
    return image && strcmp(image->reference, pass->image.reference) == 0;
}

/* For condition_set() on pass->status. */
static inline struct conditions model_conditions(struct model_pass *pass)
{
    return (struct conditions){ .list = &pass->status.conditions,
                                .arena = pass->arena,
                                .generation = pass->view->object.metadata.generation,
                                .now_ms = pass->view->object.now_ms };
}

/* Decides whether a training starts; none is at work. */
void model_decide(struct model_pass *pass);

/* Whether the schedule in the spec is the one that status speaks of; a new one begins now. */
void model_follow_schedule(struct model_pass *pass);
/* The training is given up: if it was of a tick, that is due again. */
void model_return_tick(struct model_pass *pass);

/* Takes the training that was decided further: its Job is created, replaced, stopped, or ended. */
void model_follow_training(struct model_pass *pass);

/* Puts a version that a training made before all others in status.history; it is not judged yet. */
void model_add_version(struct model_pass *pass, const struct history_entry *made);
/* Whether the pinned version is there, before anything is decided that depends on it. */
void model_look_for_pin(struct model_pass *pass);
/* It is, as far as is known; also when it is in use. */
bool model_pin_may_be_there(const struct model_pass *pass);
/* Which version is in use: the pinned one, or the newest if it is good enough, which is judged
 * once. */
void model_promote(struct model_pass *pass);

/* Makes batches of new files, and deletes old ones. */
void model_follow_inbox(struct model_pass *pass);

/* --- the Job of pass->status.training ------------------------------------ */

/* A copy of status.training that may be edited. */
struct training_status *model_edit_training(struct model_pass *pass);
/* Sets training->job of its run key and attempt. */
void model_name_job(struct model_pass *pass, struct training_status *training);
/* Another Job takes over the run. */
void model_next_attempt(struct model_pass *pass);
/* Creates the Job that status names, once every other is gone. */
void model_create_job(struct model_pass *pass);
void model_say_training(struct model_pass *pass);
/* The unfinished Job would delete a version that is needed since it was made. */
bool model_endangers_versions(const struct model_pass *pass, const struct job_view *job);
/* See job_template_hash(). */
void model_template_hash(const struct model_pass *pass, char ret_key[IDENTITY_KEY]);

/* Sets all conditions of pass->status. */
void model_set_conditions(struct model_pass *pass);
