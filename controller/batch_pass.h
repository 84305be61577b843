/* batch_pass.h - the working state of one reconcile of a ChurnBatch.
 *
 * Shared by reconcile_batch.c (what happens), batch_model.c (which model may be
 * used) and batch_conditions.c (what is said about it); nobody else includes it. */
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

/* Decodes the model when it is there and valid. */
void batch_find_model(struct batch_pass *pass);

/* Whether a run may start now with status.model of the model. Sets what is said
 * about the model, and the freshness check's results in pass->status. */
bool batch_model_is_usable(struct batch_pass *pass);

/* Sets all conditions of pass->status. */
void batch_set_conditions(struct batch_pass *pass);
