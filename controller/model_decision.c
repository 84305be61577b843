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

static void start_training(struct model_pass *pass, const struct training_inputs *inputs,
                           const char *reason, const struct file_lookup *file)
{
    const struct object_view *view = &pass->view->object;
    struct training_status *training = arena_zero(pass->arena, 1, sizeof(*training));
    struct data_source *data = arena_zero(pass->arena, 1, sizeof(*data));
    char run_key[IDENTITY_KEY];
    identity_training_run(pass->spec_hash, pass->spec.retrain->token, inputs, run_key);
    data->uri = file->uri;
    data->generation = file->generation;
    training->run_key = arena_strdup(pass->arena, run_key);
    training->attempt = run_next_attempt(view, run_key);
    training->start_time_ms = view->now_ms;
    training->image_digest = inputs->image_digest;
    training->spec_hash = arena_strdup(pass->arena, pass->spec_hash);
    training->token = pass->spec.retrain->token;
    training->data = data;
    training->scheduled_ms = inputs->scheduled_ms;
    training->champion = champion(pass);
    model_name_job(pass, training);
    pass->status.training = training;
    if (training->scheduled_ms > 0)
        pass->status.last_schedule_ms = training->scheduled_ms;
    pass->status.trainings_run++;
    count_asked(pass); /* skipped before this decision, not after it */
    decided(pass, ACTION_STARTED, reason);
    plan_event(pass->plan, false, reason, "Train", "Job %s with image %.19s", training->job,
               inputs->image_digest);
    model_create_job(pass);
}

static void wait_for_image(struct model_pass *pass)
{
    const struct image_lookup *image = &pass->image;
    if (image->state == LOOKUP_FAILED)
        model_say(pass, true, false, image->reason,
                  arena_format(pass->arena, "%s: %s", image->reference, image->message));
    else
        model_say(pass, true, false, REASON_Resolving,
                  arena_format(pass->arena, "%s is being looked up", image->reference));
}

static void wait_for_file(struct model_pass *pass, const struct file_lookup *file)
{
    if (file->state == LOOKUP_FAILED)
        model_say(pass, !file->stalled, file->stalled, file->reason, file->message);
    else
        model_say(pass, true, false, REASON_Pending, "listing spec.data.uri");
}

/* Whether there are new data is looked at every data.pollInterval. */
static void poll_data(struct model_pass *pass, struct training_inputs *inputs)
{
    const struct data_spec *data = pass->spec.training.data;
    struct file_lookup file;
    if (!model_retrains_on(&pass->spec, "Data"))
        return;
    struct file_question question = { data->uri, "spec.data.uri", pass->spec.credentials };
    lookup_recent_file(&pass->view->object, pass->plan, &question, data->poll_interval_ms, &file);
    if (file.state == LOOKUP_KNOWN)
        training_use_data(&pass->spec, file.uri, file.generation, inputs);
    else if (file.state == LOOKUP_FAILED)
        wait_for_file(pass, &file);
    else if (!file.slow || pass->before.conditions.count > 0)
        pass->hold = true; /* what was said of the last look stands until there is an answer */
}

/* Something is due. A training reads the file that is there now, not the one of the last poll:
 * with that one it may be due no more. */
static void start_with_file(struct model_pass *pass, struct training_inputs *inputs)
{
    struct file_question question = { pass->spec.training.data->uri, "spec.data.uri",
                                      pass->spec.credentials };
    struct file_lookup file;
    if (model_retrains_on(&pass->spec, "Data"))
        lookup_existing_file(&pass->view->object, pass->plan, &question, &file);
    else
        lookup_file(&pass->view->object, pass->plan, &question, &file);
    if (file.state != LOOKUP_KNOWN) {
        pass->hold = pass->hold || (file.state == LOOKUP_PENDING && !file.slow);
        wait_for_file(pass, &file);
        return;
    }
    training_use_data(&pass->spec, file.uri, file.generation, inputs);
    const char *reason = training_due(&pass->spec, &pass->status, inputs);
    if (reason)
        start_training(pass, inputs, reason, &file);
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
    const struct last_training *last = pass->status.last_training;
    const char *digest = digest_to_decide(pass);
    int64_t now_ms = pass->view->object.now_ms;
    struct training_inputs inputs = { .image_digest = digest };
    if (!digest && last)
        inputs.image_digest = last->image_digest; /* something else may be due */
    poll_data(pass, &inputs);
    inputs.scheduled_ms = training_tick(&pass->spec, &pass->status, pass->view->zone, now_ms);
    if (!training_due(&pass->spec, &pass->status, &inputs)) {
        if (digest)
            count_skipped(pass);
    } else if (digest) {
        start_with_file(pass, &inputs);
    } else {
        wait_for_image(pass);
    }
}
