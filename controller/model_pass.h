/* model_pass.h - the working state of one reconcile of a ChurnModel.
 *
 * Shared by reconcile_model.c (what happens) and model_conditions.c (what is
 * said about it); nobody else includes it. */
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

/* Sets all conditions of pass->status. */
void model_set_conditions(struct model_pass *pass);
