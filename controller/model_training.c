#include "decision.h"
#include "model_pass.h"

static struct last_training *end_training(struct model_pass *pass, const char *outcome)
{
    const struct training_status *training = pass->status.training;
    struct last_training *last = arena_zero(pass->arena, 1, sizeof(*last));
    last->run_key = training->run_key;
    last->image_digest = training->image_digest;
    last->spec_hash = training->spec_hash;
    last->token = training->token;
    last->data = training->data;
    last->scheduled_ms = training->scheduled_ms;
    last->outcome = outcome;
    last->finished_at_ms = pass->view->object.now_ms;
    pass->status.last_training = last;
    pass->plan->outcome = outcome;
    if (!pass->spec_error) /* which is still to be said */
        model_say(pass, false, false, NULL, NULL);
    return last;
}

static void training_failed(struct model_pass *pass, const char *reason, const char *message)
{
    struct last_training *last = end_training(pass, "Failed");
    last->reason = reason;
    last->message = message;
    plan_event(pass->plan, true, reason, "Train", "%s", message);
}

/* A trainer of another make may leave the folder out: it follows from the rest. */
static const char *version_uri(const struct model_pass *pass, const struct model_result *model)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    if (model->uri || pass->spec_error)
        return model->uri;
    return arena_format(pass->arena, "%s%s.%s/%s/", pass->spec.artifacts->uri, metadata->namespace_,
                        metadata->name, model->version);
}

static void training_succeeded(struct model_pass *pass, const struct result *result)
{
    const struct training_status *training = pass->status.training;
    const struct model_result *made = result->model;
    const char *uri = version_uri(pass, made);
    if (!uri) {
        training_failed(pass, REASON_ResultInvalid, "the result names no folder of the version");
        return;
    }
    struct last_training *last = end_training(pass, outcome_names[result->outcome]);
    last->version = made->version;
    model_add_version(
        pass, &(struct history_entry){
                  .model = { .version = made->version,
                             .uri = uri,
                             .sha256 = made->sha256,
                             .image_digest = last->image_digest,
                             .data_uri = made->data_uri ? made->data_uri : training->data->uri,
                             .data_sha256 = made->data_sha256,
                             .rows = made->rows,
                             .trained_at_ms = last->finished_at_ms,
                             .algorithm = made->algorithm,
                             .run_key = last->run_key },
                  .outcome = REASON_Pending,
                  .champion = training->champion ? training->champion->version : NULL,
                  .comparison = result->comparison,
                  .metrics = result->metrics,
              });
    model_edit_training(pass)->steps = result->steps;
    const struct metric *metric = result->metrics.count > 0 ? result->metrics.items : NULL;
    plan_event(pass->plan, false, outcome_names[result->outcome], "Train", "version %s%s%s%s%s",
               made->version, metric ? ", " : "", metric ? metric->name : "", metric ? " " : "",
               metric ? metric->value.text : "");
}

static void result_lost(struct model_pass *pass, const char *why)
{
    if (pass->status.training->lost_results > 0) {
        training_failed(pass, REASON_ResultLost,
                        arena_format(pass->arena, "the result was lost twice: %s", why));
        return;
    }
    model_edit_training(pass)->lost_results++;
    model_next_attempt(pass);
    plan_event(pass->plan, true, REASON_Recovered, "Train", "the result was lost (%s); Job %s", why,
               pass->status.training->job);
    model_create_job(pass);
}

static void follow_job(struct model_pass *pass)
{
    struct run run;
    const char *job = pass->status.training->job;
    run_observe(&pass->view->object, pass->plan, job, JOB_TRAIN,
                pass->spec_error ? NULL : pass->spec.pod_template, &run);
    if (!pass->spec_error)
        model_say_training(pass);
    switch (run.state) {
    case RUN_WAITING:
        pass->hold = true;
        break;
    case RUN_WORKING:
        break;
    case RUN_TROUBLED:
        if (!pass->spec_error)
            model_say(pass, true, false, run.reason,
                      arena_format(pass->arena, "Job %s: %s", job, run.message));
        break;
    case RUN_MISSING:
        if (!pass->spec_error)
            model_create_job(pass);
        break;
    case RUN_SUCCEEDED:
        training_succeeded(pass, &run.result);
        break;
    case RUN_FAILED:
        training_failed(pass, run.reason, run.message);
        break;
    case RUN_LOST:
        if (!pass->spec_error)
            result_lost(pass, run.message);
        break;
    }
}

/* The spec asks for another run than the one at work. A tag that moved and data that
 * changed do not count, but another image in the spec does, once its digest is known. */
static bool is_superseded(const struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    struct training_inputs inputs = { .image_digest = training->image_digest,
                                      .scheduled_ms = training->scheduled_ms };
    char run_key[IDENTITY_KEY];
    if (pass->spec_error)
        return false;
    if (pass->image.state == LOOKUP_KNOWN && pass->before.image && !model_is_same_reference(pass))
        inputs.image_digest = pass->image.digest;
    training_use_data(&pass->spec, training->data->uri, training->data->generation, &inputs);
    identity_training_run(pass->spec_hash, pass->spec.retrain->token, &inputs, run_key);
    return strcmp(run_key, training->run_key) != 0;
}

static bool is_outdated(const struct model_pass *pass, const struct job_view *job)
{
    char hash[IDENTITY_KEY];
    if (pass->spec_error || job->deleting)
        return false;
    model_template_hash(pass, hash);
    return !job->template_hash || strcmp(job->template_hash, hash) != 0 ||
           model_endangers_versions(pass, job);
}

void model_follow_training(struct model_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.training->job);
    bool unfinished = job && job->state == JOB_UNFINISHED;
    if (job && !unfinished) {
        follow_job(pass);
    } else if (is_superseded(pass)) {
        if (!job && !run_stop_unseen(&pass->view->object, pass->plan, pass->status.training->job)) {
            pass->hold = true; /* else it may be at work beside the one that comes next */
            return;
        }
        plan_event(pass->plan, false, REASON_Superseded, "Train",
                   "the spec changed while Job %s was at work; it is stopped",
                   pass->status.training->job);
        model_return_tick(pass);
        pass->status.training = NULL;
    } else if (model_is_suspended(pass)) {
        if (unfinished)
            model_next_attempt(pass);
    } else if (unfinished && is_outdated(pass, job)) {
        model_next_attempt(pass);
        plan_event(pass->plan, false, REASON_Replaced, "Train",
                   "pod settings or versions to keep changed; Job %s replaces %s",
                   pass->status.training->job, job->name);
        model_create_job(pass);
    } else {
        follow_job(pass);
    }
}
