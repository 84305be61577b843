#include "decision.h"
#include "model_pass.h"

#define SKIP_INTERVAL_MS 1000 /* Skipped is written at most once a second */

/* The digest to decide by: the current one, or the last known one when the
 * registry has failed for long enough. NULL: none yet. */
static const char *digest_to_decide(const struct model_pass *pass)
{
    const struct image_lookup *image = &pass->image;
    if (image->state == LOOKUP_KNOWN)
        return image->digest;
    if (image->state == LOOKUP_PENDING || image->failing_ms < REGISTRY_PATIENCE_MS)
        return NULL;
    if (image->digest)
        return image->digest;
    return model_is_same_reference(pass) ? pass->before.image->digest : NULL;
}

static void decided(struct model_pass *pass, const char *action, const char *reason)
{
    struct decision *decision = arena_zero(pass->arena, 1, sizeof(*decision));
    decision->action = action;
    decision->reason = reason;
    decision->time_ms = pass->view->object.now_ms;
    pass->status.last_decision = decision;
    pass->plan->decision = reason;
}

/* Trainings that were skipped since the status last said how many. */
static void count_asked(struct model_pass *pass)
{
    pass->status.trainings_skipped += pass->view->asked;
    pass->plan->skipped_counted = true;
}

/* The version in use, which the new one has to be better than; NULL: none. */
static struct model_source *champion(const struct model_pass *pass)
{
    const struct model_version_status *model = pass->status.model;
    if (!model)
        return NULL;
    struct model_source *champion = arena_zero(pass->arena, 1, sizeof(*champion));
    champion->version = model->version;
    champion->uri = model->uri;
    return champion;
}

static void start_training(struct model_pass *pass, const char *digest, const char *reason,
                           const struct file_lookup *file)
{
    const struct object_view *view = &pass->view->object;
    struct training_status *training = arena_zero(pass->arena, 1, sizeof(*training));
    struct data_source *data = arena_zero(pass->arena, 1, sizeof(*data));
    char run_key[IDENTITY_KEY];
    identity_training_run(pass->spec_hash, pass->spec.retrain->token, digest, run_key);
    data->uri = file->uri;
    data->generation = file->generation;
    training->run_key = arena_strdup(pass->arena, run_key);
    training->attempt = run_next_attempt(view, run_key);
    training->start_time_ms = view->now_ms;
    training->image_digest = digest;
    training->spec_hash = arena_strdup(pass->arena, pass->spec_hash);
    training->token = pass->spec.retrain->token;
    training->data = data;
    training->champion = champion(pass);
    model_name_job(pass, training);
    pass->status.training = training;
    pass->status.trainings_run++;
    count_asked(pass); /* skipped before this decision, not after it */
    decided(pass, ACTION_STARTED, reason);
    plan_event(pass->plan, false, reason, "Train", "Job %s with image %.19s", training->job,
               digest);
    model_create_job(pass);
}

/* Something is due, or would be if the image were known. */
static void wait_for_image(struct model_pass *pass)
{
    const struct last_training *last = pass->status.last_training;
    const struct image_lookup *image = &pass->image;
    if (last && !training_due(&pass->spec, &pass->status, last->image_digest))
        return;
    if (image->state == LOOKUP_FAILED)
        model_say(pass, true, false, image->reason,
                  arena_format(pass->arena, "%s: %s", image->reference, image->message));
    else
        model_say(pass, true, false, REASON_Resolving,
                  arena_format(pass->arena, "%s is being looked up", image->reference));
}

static void start_with_file(struct model_pass *pass, const char *digest, const char *reason)
{
    struct file_lookup file;
    lookup_file(&pass->view->object, pass->plan, pass->spec.training.data->uri, "spec.data.uri",
                &file);
    if (file.state == LOOKUP_KNOWN) {
        start_training(pass, digest, reason, &file);
    } else if (file.state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !file.slow;
        model_say(pass, true, false, REASON_Pending, "listing spec.data.uri");
    } else {
        model_say(pass, !file.stalled, file.stalled, file.reason, file.message);
    }
}

/* Somebody asked whether the model is fresh, and it is. */
static void count_skipped(struct model_pass *pass)
{
    const struct decision *last = pass->status.last_decision;
    int64_t now_ms = pass->view->object.now_ms;
    if (pass->view->asked <= 0)
        return;
    if (last && strcmp(last->action, ACTION_SKIPPED) == 0 && now_ms >= last->time_ms &&
        now_ms - last->time_ms < SKIP_INTERVAL_MS) {
        plan_requeue(pass->plan, last->time_ms + SKIP_INTERVAL_MS - now_ms);
        return;
    }
    count_asked(pass);
    decided(pass, ACTION_SKIPPED, REASON_ImageDigestUnchanged);
    plan_event(pass->plan, false, REASON_ImageDigestUnchanged, "Train",
               "training skipped: the image is %.19s", pass->status.last_training->image_digest);
}

void model_decide(struct model_pass *pass)
{
    if (model_is_suspended(pass)) {
        model_say(pass, false, false, REASON_Suspended, "spec.suspend is true");
        return;
    }
    const char *digest = digest_to_decide(pass);
    if (!digest) {
        wait_for_image(pass);
        return;
    }
    const char *reason = training_due(&pass->spec, &pass->status, digest);
    if (reason)
        start_with_file(pass, digest, reason);
    else
        count_skipped(pass);
}
