#include "model_pass.h"

static bool last_failed(const struct model_status *status)
{
    return status->last_training && strcmp(status->last_training->outcome, "Failed") == 0;
}

static const char *text_or(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

/* The version in use is the pinned one. */
static bool is_pinned(const struct model_pass *pass)
{
    return !pass->spec_error && pass->status.model &&
           strcmp(pass->status.model->version, pass->spec.pinned_version) == 0;
}

static void set_ready(const struct model_pass *pass, const struct conditions *conditions)
{
    const struct model_status *status = &pass->status;
    if (status->model && is_pinned(pass)) {
        condition_set(
            conditions, "Ready", STATUS_TRUE, REASON_Pinned,
            arena_format(pass->arena, "version %s is in use, pinned", status->model->version));
        return;
    }
    if (status->model) {
        bool previous = last_failed(status);
        condition_set(conditions, "Ready", STATUS_TRUE,
                      previous ? REASON_UsingPrevious : REASON_Trained,
                      arena_format(pass->arena, "version %s is in use%s", status->model->version,
                                   previous ? "; the last training failed" : ""));
        return;
    }
    condition_set(conditions, "Ready", STATUS_FALSE,
                  text_or(pass->reason, text_or(pass->pin_reason, REASON_NotTrained)),
                  text_or(pass->message, text_or(pass->pin_message, "no version yet")));
}

static void set_trained(const struct model_pass *pass, const struct conditions *conditions)
{
    const struct last_training *last = pass->status.last_training;
    if (!last)
        condition_set(conditions, "Trained", STATUS_UNKNOWN, REASON_NotTrained,
                      "no training ended yet");
    else if (last_failed(&pass->status))
        condition_set(conditions, "Trained", STATUS_FALSE, text_or(last->reason, REASON_Failed),
                      text_or(last->message, ""));
    else
        condition_set(conditions, "Trained", STATUS_TRUE, last->outcome,
                      arena_format(pass->arena, "version %s", text_or(last->version, "")));
}

/* What model_promote() said last stays. */
static void set_promoted(const struct model_pass *pass, const struct conditions *conditions)
{
    const struct condition *said = condition_find(&pass->status.conditions, "Promoted");
    if (said)
        condition_set(conditions, "Promoted", said->status, said->reason, said->message);
    else
        condition_set(conditions, "Promoted", STATUS_UNKNOWN, REASON_NotTrained,
                      "no training ended yet");
}

/* A registry that fails for a moment is no news while the digest is known. */
static void set_image(const struct model_pass *pass, const struct conditions *conditions)
{
    const struct image_lookup *image = &pass->image;
    const struct image_status *known = pass->status.image;
    bool same = known && image->reference && strcmp(known->reference, image->reference) == 0;
    if (pass->spec_error) {
        condition_set(conditions, "ImageResolved", STATUS_UNKNOWN, REASON_SpecInvalid,
                      "the spec is invalid");
        return;
    }
    if (image->state == LOOKUP_FAILED && (!same || image->failing_ms >= REGISTRY_PATIENCE_MS)) {
        condition_set(conditions, "ImageResolved", STATUS_FALSE, image->reason,
                      arena_format(pass->arena, "%s: %s%s", image->reference, image->message,
                                   same ? "; the last known digest is used" : ""));
        return;
    }
    if (same)
        condition_set(conditions, "ImageResolved", STATUS_TRUE, REASON_Resolved,
                      arena_format(pass->arena, "%s is %s", known->reference, known->digest));
    else
        condition_set(conditions, "ImageResolved", STATUS_UNKNOWN, REASON_Resolving,
                      arena_format(pass->arena, "%s is being looked up", image->reference));
}

/* Nothing is due: either all is well, or the last run failed for good, or what it made is not
 * good enough to be the first. */
static void say_at_rest(struct model_pass *pass)
{
    const struct last_training *last = pass->status.last_training;
    const struct condition *promoted = condition_find(&pass->status.conditions, "Promoted");
    bool is_kept = promoted && strcmp(promoted->reason, REASON_Kept) == 0;
    if (pass->reason)
        return;
    if (last_failed(&pass->status))
        model_say(pass, false, true, text_or(last->reason, REASON_Failed),
                  arena_format(pass->arena,
                               "the last training failed: %s; change what is wrong, or "
                               "spec.retrain.token to try again",
                               text_or(last->message, "")));
    else if (is_kept && !pass->status.model && !pass->pin_reason)
        model_say(pass, false, true, REASON_Kept,
                  arena_format(pass->arena,
                               "%s; change spec.promotion, or what a training depends on",
                               promoted->message));
}

/* A pinned version that is not there waits for the user, whatever else is at work. */
static void set_stalled(const struct model_pass *pass, const struct conditions *conditions)
{
    if (pass->stalled)
        condition_set(conditions, "Stalled", STATUS_TRUE, text_or(pass->reason, REASON_Idle),
                      text_or(pass->message, ""));
    else if (pass->pin_reason)
        condition_set(conditions, "Stalled", STATUS_TRUE, pass->pin_reason, pass->pin_message);
    else
        condition_set(conditions, "Stalled", STATUS_FALSE, REASON_Healthy, "");
}

void model_set_conditions(struct model_pass *pass)
{
    struct conditions conditions = model_conditions(pass);
    say_at_rest(pass);
    const char *reason = text_or(pass->reason, REASON_Idle);
    const char *message = text_or(pass->message, "");
    set_ready(pass, &conditions);
    set_image(pass, &conditions);
    set_trained(pass, &conditions);
    set_promoted(pass, &conditions);
    condition_set(&conditions, "Reconciling", pass->reconciling ? STATUS_TRUE : STATUS_FALSE,
                  pass->stalled ? REASON_Idle : reason, pass->reconciling ? message : "");
    set_stalled(pass, &conditions);
    pass->status.observed_generation = conditions.generation;
}
