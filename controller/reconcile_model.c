#include "decision.h"
#include "job_builder.h"
#include "model_pass.h"
#include "project.h"

#define SKIP_INTERVAL_MS 1000 /* Skipped is written at most once a second */

/* --- the pass ------------------------------------------------------------ */

static int begin(struct model_pass *pass, const struct model_view *view, struct plan *plan)
{
    struct err why;
    *pass = (struct model_pass){ .view = view, .plan = plan, .arena = &plan->arena };
    if (model_status_decode(view->object.raw_status, pass->arena, &pass->before, &why) < 0) {
        plan->problem = arena_strdup(pass->arena, why.message);
        return -1;
    }
    pass->status = pass->before;
    pass->status.conditions = conditions_copy(pass->arena, &pass->before.conditions);
    if (metadata_check(&view->object.metadata, &why) < 0 ||
        model_spec_decode(view->raw_spec, pass->arena, &pass->spec, &why) < 0) {
        pass->spec_error = arena_strdup(pass->arena, why.message);
        model_say(pass, false, true, REASON_SpecInvalid, pass->spec_error);
    } else {
        identity_training_spec(&pass->spec.training, pass->spec_hash);
    }
    return 0;
}

static bool is_suspended(const struct model_pass *pass)
{
    return !pass->spec_error && pass->spec.suspend;
}

/* --- the image ----------------------------------------------------------- */

static void look_up_image(struct model_pass *pass)
{
    const struct object_view *view = &pass->view->object;
    const char *reference = trainer_image(&pass->spec, view->settings->trainer_image);
    int64_t interval_ms = pass->spec.image_poll_interval_ms;
    lookup_recent_image(view, pass->plan, reference, &pass->spec.image_pull_secrets, interval_ms,
                        &pass->image);
    if (pass->image.state == LOOKUP_PENDING && !pass->image.slow)
        pass->hold = true;
    if (pass->image.state != LOOKUP_KNOWN)
        return;
    for (size_t i = 0; i < view->facts.image_count; i++) {
        const struct image_fact *fact = &view->facts.images[i];
        if (strcmp(fact->reference, reference) == 0)
            plan_requeue(pass->plan,
                         fact->checked_ms + fact->took_ms + interval_ms - view->steady_ms + 1);
    }
}

static bool is_same_reference(const struct model_pass *pass)
{
    const struct image_status *image = pass->before.image;
    return image && strcmp(image->reference, pass->image.reference) == 0;
}

static void record_image(struct model_pass *pass)
{
    const struct image_status *known = pass->before.image;
    const char *digest = pass->image.digest;
    if (pass->spec_error || pass->image.state != LOOKUP_KNOWN ||
        (is_same_reference(pass) && strcmp(known->digest, digest) == 0))
        return;
    struct image_status *image = arena_zero(pass->arena, 1, sizeof(*image));
    image->reference = pass->image.reference;
    image->digest = digest;
    image->short_digest = arena_format(pass->arena, "%.19s", digest); /* sha256: and 12 digits */
    image->resolved_at_ms = known && strcmp(known->digest, digest) == 0 ? known->resolved_at_ms
                                                                        : pass->view->object.now_ms;
    pass->status.image = image;
}

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
    return is_same_reference(pass) ? pass->before.image->digest : NULL;
}

/* --- the Job ------------------------------------------------------------- */

static void name_job(struct model_pass *pass, struct training_status *training)
{
    char name[IDENTITY_NAME];
    const struct metadata *metadata = &pass->view->object.metadata;
    identity_job_name(metadata->name, 't', metadata->uid, training->run_key, training->attempt,
                      name);
    training->job = arena_strdup(pass->arena, name);
}

static void template_hash(const struct model_pass *pass, char ret_key[IDENTITY_KEY])
{
    const struct model_spec *spec = &pass->spec;
    job_template_hash(spec->pod_template, &spec->image_pull_secrets, spec->active_deadline_seconds,
                      spec->backoff_limit, ret_key);
}

/* The document tells the trainer what status says, not what was found since. */
static json_t *job_document(const struct model_pass *pass)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    struct train_job job = {
        .model = arena_format(pass->arena, "%s/%s", metadata->namespace_, metadata->name),
        .run_key = pass->status.training->run_key,
        .training = pass->spec.training,
        .artifacts = pass->spec.artifacts,
    };
    struct data_spec data = *pass->spec.training.data;
    data.uri = pass->status.training->data->uri;
    job.training.data = &data;
    return train_job_encode(&job);
}

/* Where the image of a training comes from while spec.image is being looked up. */
static const char *image_reference(const struct model_pass *pass)
{
    bool known = pass->image.state == LOOKUP_KNOWN || !pass->before.image;
    return known ? pass->image.reference : pass->before.image->reference;
}

static json_t *build_job(const struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    const struct metadata *metadata = &pass->view->object.metadata;
    char hash[IDENTITY_KEY];
    template_hash(pass, hash);
    auto_json json_t *document = job_document(pass);
    return job_build(&(struct job_order){
        .owner_kind = MODEL_KIND,
        .owner = metadata,
        .name = training->job,
        .run_key = training->run_key,
        .template_hash = hash,
        .attempt = training->attempt,
        .component = "trainer",
        .model = metadata->name,
        .image = job_image(image_reference(pass), training->image_digest, pass->arena),
        .document = document,
        .pod_template = pass->spec.pod_template,
        .pull_secrets = &pass->spec.image_pull_secrets,
        .active_deadline_seconds = pass->spec.active_deadline_seconds,
        .backoff_limit = pass->spec.backoff_limit,
    });
}

static void say_training(struct model_pass *pass)
{
    model_say(pass, true, false, REASON_Training,
              arena_format(pass->arena, "Job %s", pass->status.training->job));
}

/* Creates the Job that status names, once every other is gone. */
static void create_job(struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    const char *refusal;
    bool may_create = run_may_create(&pass->view->object, pass->plan, training->job, &refusal);
    say_training(pass);
    if (refusal)
        model_say(pass, false, true, REASON_JobRejected, refusal);
    if (may_create)
        plan_create_job(pass->plan, training->job, training->run_key, build_job(pass));
}

/* --- a training that was decided ----------------------------------------- */

static struct training_status *edit_training(struct model_pass *pass)
{
    struct training_status *training = arena_zero(pass->arena, 1, sizeof(*training));
    *training = *pass->status.training;
    pass->status.training = training;
    return training;
}

static void next_attempt(struct model_pass *pass)
{
    struct training_status *training = edit_training(pass);
    training->attempt++;
    name_job(pass, training);
}

static struct last_training *end_training(struct model_pass *pass, const char *outcome)
{
    const struct training_status *training = pass->status.training;
    struct last_training *last = arena_zero(pass->arena, 1, sizeof(*last));
    last->run_key = training->run_key;
    last->image_digest = training->image_digest;
    last->spec_hash = training->spec_hash;
    last->token = training->token;
    last->outcome = outcome;
    last->finished_at_ms = pass->view->object.now_ms;
    pass->status.last_training = last;
    pass->plan->outcome = outcome;
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
    const struct model_result *made = result->model;
    const char *uri = version_uri(pass, made);
    if (!uri) {
        training_failed(pass, REASON_ResultInvalid, "the result names no folder of the version");
        return;
    }
    struct last_training *last = end_training(pass, outcome_names[result->outcome]);
    last->version = made->version;
    struct model_version_status *model = arena_zero(pass->arena, 1, sizeof(*model));
    *model = (struct model_version_status){
        .version = made->version,
        .uri = uri,
        .sha256 = made->sha256,
        .image_digest = last->image_digest,
        .data_uri = made->data_uri ? made->data_uri : pass->status.training->data->uri,
        .data_sha256 = made->data_sha256,
        .rows = made->rows,
        .trained_at_ms = last->finished_at_ms,
        .algorithm = made->algorithm,
        .run_key = last->run_key,
    };
    pass->status.model = model;
    pass->status.metrics = result->metrics;
    edit_training(pass)->steps = result->steps;
    const struct metric *metric = result->metrics.items;
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
    edit_training(pass)->lost_results++;
    next_attempt(pass);
    plan_event(pass->plan, true, REASON_Recovered, "Train", "the result was lost (%s); Job %s", why,
               pass->status.training->job);
    create_job(pass);
}

static void follow_job(struct model_pass *pass)
{
    struct run run;
    const char *job = pass->status.training->job;
    run_observe(&pass->view->object, pass->plan, job, JOB_TRAIN,
                pass->spec_error ? NULL : pass->spec.pod_template, &run);
    if (!pass->spec_error)
        say_training(pass);
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
            create_job(pass);
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

/* The spec asks for another run than the one at work. A tag that moved does not
 * count, but another image in the spec does, once its digest is known. */
static bool is_superseded(const struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    char run_key[IDENTITY_KEY];
    const char *digest = training->image_digest;
    if (pass->spec_error)
        return false;
    if (pass->image.state == LOOKUP_KNOWN && pass->before.image && !is_same_reference(pass))
        digest = pass->image.digest;
    identity_training_run(pass->spec_hash, pass->spec.retrain->token, digest, run_key);
    return strcmp(run_key, training->run_key) != 0;
}

static bool is_outdated(const struct model_pass *pass, const struct job_view *job)
{
    char hash[IDENTITY_KEY];
    if (pass->spec_error || job->deleting)
        return false;
    template_hash(pass, hash);
    return !job->template_hash || strcmp(job->template_hash, hash) != 0;
}

static void follow_training(struct model_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.training->job);
    bool unfinished = job && job->state == JOB_UNFINISHED;
    if (job && !unfinished) {
        follow_job(pass);
    } else if (is_superseded(pass)) {
        plan_event(pass->plan, false, REASON_Superseded, "Train",
                   "the spec changed while Job %s was at work; it is stopped",
                   pass->status.training->job);
        pass->status.training = NULL;
    } else if (is_suspended(pass)) {
        if (unfinished)
            next_attempt(pass);
    } else if (unfinished && is_outdated(pass, job)) {
        next_attempt(pass);
        plan_event(pass->plan, false, REASON_Replaced, "Train",
                   "pod settings changed; Job %s replaces %s", pass->status.training->job,
                   job->name);
        create_job(pass);
    } else {
        follow_job(pass);
    }
}

/* --- the decision -------------------------------------------------------- */

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
    name_job(pass, training);
    pass->status.training = training;
    pass->status.trainings_run++;
    count_asked(pass); /* skipped before this decision, not after it */
    decided(pass, ACTION_STARTED, reason);
    plan_event(pass->plan, false, reason, "Train", "Job %s with image %.19s", training->job,
               digest);
    create_job(pass);
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

static void decide(struct model_pass *pass)
{
    if (is_suspended(pass)) {
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

/* --- all of it ----------------------------------------------------------- */

void reconcile_model(const struct model_view *view, struct plan *plan)
{
    struct model_pass pass;
    if (view->object.metadata.deleting || begin(&pass, view, plan) < 0)
        return;
    if (!pass.spec_error)
        look_up_image(&pass);
    if (model_is_training(&pass.status))
        follow_training(&pass);
    record_image(&pass);
    if (!pass.spec_error && !model_is_training(&pass.status))
        decide(&pass);
    else if (is_suspended(&pass))
        model_say(&pass, false, false, REASON_Suspended, "spec.suspend is true");
    run_clear_others(&view->object, plan,
                     model_is_training(&pass.status) ? pass.status.training->job : NULL);
    model_set_conditions(&pass);
    run_write_status(plan, &model_status_fields, view->object.raw_status, &pass.before,
                     &pass.status, pass.hold);
}
