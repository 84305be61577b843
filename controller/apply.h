/* apply.h - carries out a plan, action by action.
 *
 * A round is one plan on its way. Actions run in order, each after the one before
 * it succeeded; the round ends with the last or with the first failure. Before
 * every write is sent, the lease is asked. What was written goes into the
 * object's memo, so that nothing is decided again before the cache shows it. */
#pragma once

#include "kube/recorder.h"

#include "memo.h"
#include "metrics.h"
#include "plan.h"

struct round;

/* What all rounds share; borrowed. */
struct applier {
    struct kube_client *client;
    struct recorder *recorder;
    const struct objects *objects;
    struct memos *memos;
    struct fact_store *facts;
    const struct asker *asker;
    struct metrics *metrics;
    const struct clock *clock;
    /* This process may write now. */
    bool (*may_write)(void *context);
    /* A model has to be looked at; `asked`: see ACTION_WAKE. */
    void (*wake_model)(void *context, const char *key, bool asked);
    /* The round is over and freed when this returns. `failure`: only with FAILED. */
    void (*ended)(void *context, struct round *round, enum round_outcome outcome,
                  const struct err *failure);
    void *context;
};

/* The object that a plan is about; texts are borrowed until apply_start() returns. */
struct round_subject {
    enum object_kind kind;
    const struct metadata *metadata;
    int64_t asked; /* of the model's view */
};

/* Moves the plan out of *take_plan. `owner` is the caller's, see round_owner(). A
 * plan without a write ends before this returns, and NULL is returned then. */
struct round *apply_start(const struct applier *applier, const struct round_subject *subject,
                          struct plan *take_plan, void *owner);
/* Drops a round without telling its end; its request may still be carried out. */
void apply_cancel(struct round *round);

void *round_owner(const struct round *round);
const struct plan *round_plan(const struct round *round);
