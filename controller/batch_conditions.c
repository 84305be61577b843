#include "batch_pass.h"

/* What was said about the model when the run started stays true for it. */
static void set_model_ready(const struct batch_pass *pass, const struct conditions *conditions)
{
    const struct condition *before = condition_find(&pass->before.conditions, "ModelReady");
    if (pass->model_ready)
        condition_set(conditions, "ModelReady", pass->model_ready, pass->model_reason,
                      pass->model_message);
    else if (before)
        condition_set(conditions, "ModelReady", before->status, before->reason, before->message);
    else
        condition_set(conditions, "ModelReady", STATUS_UNKNOWN, REASON_Pending, "");
}

static const char *keep_reason(const struct batch_pass *pass, const char *type,
                               const char *fallback)
{
    const struct condition *before = condition_find(&pass->status.conditions, type);
    return before && strcmp(before->status, STATUS_TRUE) == 0 ? before->reason : fallback;
}

static const char *keep_message(const struct batch_pass *pass, const char *type)
{
    const struct condition *before = condition_find(&pass->status.conditions, type);
    return before && strcmp(before->status, STATUS_TRUE) == 0 ? before->message : "";
}

/* Complete and Failed are set by the outcome; here they are only confirmed. */
static void set_outcome(const struct batch_pass *pass, const struct conditions *conditions)
{
    bool complete = condition_is_true(&pass->status.conditions, "Complete");
    bool failed = condition_is_true(&pass->status.conditions, "Failed");
    if (complete)
        condition_set(conditions, "Ready", STATUS_TRUE, REASON_Complete,
                      keep_message(pass, "Complete"));
    else
        condition_set(conditions, "Ready", STATUS_FALSE, pass->ready_reason,
                      pass->message ? pass->message : "");
    condition_set(conditions, "Complete", complete ? STATUS_TRUE : STATUS_FALSE,
                  keep_reason(pass, "Complete", REASON_NotComplete),
                  keep_message(pass, "Complete"));
    condition_set(conditions, "Failed", failed ? STATUS_TRUE : STATUS_FALSE,
                  keep_reason(pass, "Failed", REASON_NotFailed), keep_message(pass, "Failed"));
}

void batch_say_immutable(struct batch_pass *pass)
{
    pass->stalled = true;
    pass->reason = REASON_SpecImmutable;
    pass->message =
        arena_format(pass->arena, "%s; revert the edit, or make another ChurnBatch", pass->edit);
}

void batch_set_conditions(struct batch_pass *pass)
{
    struct conditions conditions = { .list = &pass->status.conditions,
                                     .arena = pass->arena,
                                     .generation = pass->view->object.metadata.generation,
                                     .now_ms = pass->view->object.now_ms };
    const char *reason = pass->reason ? pass->reason : REASON_Idle;
    const char *message = pass->message ? pass->message : "";
    bool is_followed = !pass->spec_error && pass->reason != REASON_SpecImmutable;
    bool suspended = is_followed && pass->spec.suspend;
    set_outcome(pass, &conditions);
    set_model_ready(pass, &conditions);
    condition_set(&conditions, "Reconciling", pass->reconciling ? STATUS_TRUE : STATUS_FALSE,
                  pass->reconciling ? reason : REASON_Idle, pass->reconciling ? message : "");
    condition_set(&conditions, "Stalled", pass->stalled ? STATUS_TRUE : STATUS_FALSE,
                  pass->stalled ? reason : REASON_Healthy, pass->stalled ? message : "");
    condition_set(&conditions, "Suspended", suspended ? STATUS_TRUE : STATUS_FALSE,
                  suspended ? REASON_Suspended : REASON_NotSuspended, "");
    pass->status.observed_generation = conditions.generation;
}
