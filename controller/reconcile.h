/* reconcile.h - the decisions of the operator, as pure functions.
 *
 * Given all that is known about one resource, each says what to do next
 * (plan.h). They never fail: what is wrong ends in conditions. Called again on
 * the state that their plan led to, they ask for nothing more. */
#pragma once

#include "plan.h"
#include "view.h"

/* When a ChurnModel is trained again, and what became of its trainings. */
void reconcile_model(const struct model_view *view, struct plan *plan);

/* When a ChurnBatch may start, and what became of it. */
void reconcile_batch(const struct batch_view *view, struct plan *plan);
