#include "batch_pass.h"
#include "job_builder.h"
#include "project.h"

/* How old the digest of a scorer image may be. */
#define SCORER_IMAGE_AGE_MS 300000

/* --- the pass ------------------------------------------------------------ */

static void identify(struct batch_pass *pass)
{
    const struct batch_spec *spec = &pass->spec;
    const char *edited;
    identity_batch_spec(spec->model_ref->name, NULL, spec->input->uri, spec->output, &spec->scoring,
                        pass->spec_hash);
    identity_batch_run(pass->spec_hash, spec->retry_token, pass->run_key);
    batch_hash_fields(spec, pass->arena, &pass->field_hashes);
    edited = pass->status.job ? batch_edited_field(&pass->status.field_hashes, &pass->field_hashes)
                              : NULL;
    if (edited)
        pass->edit = arena_format(pass->arena, "spec.%s: must not change after the start", edited);
}

static int begin(struct batch_pass *pass, const struct batch_view *view, struct plan *plan)
{
    struct err why;
    *pass = (struct batch_pass){ .view = view, .plan = plan, .arena = &plan->arena };
    if (batch_status_decode(view->object.raw_status, pass->arena, &pass->before, &why) < 0) {
        plan->problem = arena_strdup(pass->arena, why.message);
        return -1;
    }
    pass->status = pass->before;
    pass->check = pass->before.training;
    pass->status.conditions = conditions_copy(pass->arena, &pass->before.conditions);
    if (metadata_check(&view->object.metadata, &why) < 0 ||
        batch_spec_decode(view->raw_spec, pass->arena, &pass->spec, &why) < 0)
        pass->spec_error = pass->edit = arena_strdup(pass->arena, why.message);
    else
        identify(pass);
    return 0;
}

/* status.job of this attempt. */
static void set_attempt(struct batch_pass *pass, int64_t attempt)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    char name[IDENTITY_NAME];
    identity_job_name(metadata->name, 's', metadata->uid, pass->run_key, attempt, name);
    pass->status.attempt = attempt;
    pass->status.job = arena_strdup(pass->arena, name);
}

/* --- the Job ------------------------------------------------------------- */

static json_t *job_document(const struct batch_pass *pass)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    const struct batch_status *status = &pass->status;
    struct output_spec output = *pass->spec.output;
    struct model_source model = { status->model->uri, status->model->version };
    struct input_source input = { status->input->uri, status->input->generation };
    output.uri = status->output->uri;
    return score_job_encode(&(struct score_job){
        .batch = arena_format(pass->arena, "%s/%s", metadata->namespace_, metadata->name),
        .spec_hash = pass->spec_hash,
        .model = &model,
        .input = &input,
        .output = &output,
        .scoring = pass->spec.scoring,
    });
}

/* From status, and from a spec that is still the one the run was decided for. */
static json_t *build_job(const struct batch_pass *pass)
{
    const struct batch_spec *spec = &pass->spec;
    const struct metadata *metadata = &pass->view->object.metadata;
    auto_json json_t *document = job_document(pass);
    return job_build(&(struct job_order){
        .owner_kind = BATCH_KIND,
        .owner = metadata,
        .name = pass->status.job,
        .run_key = pass->run_key,
        .attempt = pass->status.attempt,
        .component = "scorer",
        .model = spec->model_ref->name,
        .batch = metadata->name,
        .image = pass->status.image,
        .document = document,
        .pod_template = spec->pod_template ? spec->pod_template : pass->model_spec.pod_template,
        .pull_secrets = &pass->model_spec.image_pull_secrets,
        .active_deadline_seconds = spec->active_deadline_seconds,
        .backoff_limit = spec->backoff_limit,
    });
}

/* The scorer image by digest; false, and said, while it is not known. */
static bool find_image(struct batch_pass *pass, struct image_lookup *ret_image)
{
    const struct object_view *view = &pass->view->object;
    const char *reference = pass->spec.image ? pass->spec.image : view->settings->scorer_image;
    lookup_recent_image(view, pass->plan, reference, &pass->model_spec.image_pull_secrets,
                        SCORER_IMAGE_AGE_MS, ret_image);
    if (ret_image->state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !ret_image->slow;
        batch_say(pass, REASON_Pending, true, false, REASON_Resolving,
                  arena_format(pass->arena, "%s is being looked up", reference));
        return false;
    }
    if (ret_image->digest)
        return true;
    batch_say(pass, REASON_Pending, true, false, ret_image->reason,
              arena_format(pass->arena, "%s: %s", reference, ret_image->message));
    return false;
}

static void say_running(struct batch_pass *pass)
{
    batch_say(pass, REASON_Running, true, false, REASON_Running,
              arena_format(pass->arena, "Job %s", pass->status.job));
}

/* Creates the Job that status names, once every other is gone. */
static void create_job(struct batch_pass *pass)
{
    const char *refusal, *job = pass->status.job;
    bool may_create = run_may_create(&pass->view->object, pass->plan, job, &refusal);
    say_running(pass);
    if (refusal)
        batch_say(pass, REASON_Pending, false, true, REASON_JobRejected, refusal);
    if (may_create)
        plan_create_job(pass->plan, job, pass->run_key, build_job(pass));
}

/* A Job of a run that was decided is not there: it is made again, from status. */
static void create_again(struct batch_pass *pass)
{
    batch_find_model(pass);
    if (pass->model_known || pass->spec.pod_template)
        create_job(pass);
    else
        batch_say(pass, REASON_WaitingForModel, true, false, REASON_ModelNotFound,
                  arena_format(pass->arena,
                               "Job %s is gone and needs the pod settings of ChurnModel %s, which "
                               "is missing or invalid: make it again, or delete this batch",
                               pass->status.job, pass->spec.model_ref->name));
}

/* --- a run that was decided ---------------------------------------------- */

static void set_finished(struct batch_pass *pass, const char *type, const char *reason,
                         const char *message)
{
    struct conditions conditions = { .list = &pass->status.conditions,
                                     .arena = pass->arena,
                                     .generation = pass->view->object.metadata.generation,
                                     .now_ms = pass->view->object.now_ms };
    condition_set(&conditions, type, STATUS_TRUE, reason, message);
    pass->status.completion_time_ms = pass->view->object.now_ms;
}

static void run_failed(struct batch_pass *pass, const char *reason, const char *message)
{
    set_finished(pass, "Failed", reason, message);
    batch_say(pass, REASON_Failed, false, true, reason, message);
    pass->plan->outcome = REASON_Failed;
    plan_event(pass->plan, true, reason, "Score", "%s", message);
}

/* Where the bytes went was decided before; the program only says what they are. */
static void take_files(struct batch_pass *pass, const struct result *result)
{
    struct input_result *input = arena_zero(pass->arena, 1, sizeof(*input));
    struct output_result *output = arena_zero(pass->arena, 1, sizeof(*output));
    *input = *result->input;
    input->uri = pass->status.input->uri;
    if (!input->generation)
        input->generation = pass->status.input->generation;
    *output = *result->output;
    output->uri = pass->status.output->uri;
    if (!output->manifest_uri)
        output->manifest_uri = arena_format(pass->arena, "%s.manifest.json", output->uri);
    pass->status.input = input;
    pass->status.output = output;
}

/* A result that was found again may be of an older version than the one asked for. */
static void take_model(struct batch_pass *pass, const struct model_result *used)
{
    const struct batch_model_status *asked = pass->status.model;
    if (strcmp(used->version, asked->version) == 0)
        return;
    struct batch_model_status *model = arena_zero(pass->arena, 1, sizeof(*model));
    model->version = used->version;
    model->uri = used->uri ? used->uri : asked->uri;
    pass->status.model = model;
}

static void run_succeeded(struct batch_pass *pass, const struct result *result)
{
    const char *outcome = outcome_names[result->outcome];
    take_files(pass, result);
    take_model(pass, result->model);
    pass->status.rows = result->rows;
    pass->status.scores = result->scores;
    pass->status.drift = result->drift;
    set_finished(pass, "Complete", outcome,
                 arena_format(pass->arena, "%" PRId64 " rows scored, %" PRId64 " rejected",
                              result->rows->scored, result->rows->rejected));
    batch_say(pass, REASON_Complete, false, false, NULL, NULL);
    pass->plan->outcome = outcome;
    plan_event(pass->plan, false, outcome, "Score",
               "%" PRId64 " rows scored with version %s, %" PRId64 " rejected",
               result->rows->scored, pass->status.model->version, result->rows->rejected);
}

static void result_lost(struct batch_pass *pass, const char *why)
{
    if (pass->status.lost_results > 0) {
        run_failed(pass, REASON_ResultLost,
                   arena_format(pass->arena, "the result was lost twice: %s", why));
        return;
    }
    pass->status.lost_results++;
    set_attempt(pass, pass->status.attempt + 1);
    plan_event(pass->plan, true, REASON_Recovered, "Score", "the result was lost (%s); Job %s", why,
               pass->status.job);
    create_again(pass);
}

static void say_immutable(struct batch_pass *pass)
{
    pass->stalled = true;
    pass->reason = REASON_SpecImmutable;
    pass->message =
        arena_format(pass->arena, "%s; revert the edit, or make another ChurnBatch", pass->edit);
}

/* After an edit that the run must not notice, nothing can be built from the spec. */
static void follow_job(struct batch_pass *pass)
{
    bool forbidden = pass->edit != NULL;
    struct run run;
    run_observe(&pass->view->object, pass->plan, pass->status.job, JOB_SCORE,
                pass->spec_error ? NULL : pass->spec.pod_template, &run);
    say_running(pass);
    switch (run.state) {
    case RUN_WAITING:
        pass->hold = !forbidden;
        break;
    case RUN_WORKING:
        break;
    case RUN_TROUBLED:
        batch_say(pass, REASON_Running, true, false, run.reason,
                  arena_format(pass->arena, "Job %s: %s", pass->status.job, run.message));
        break;
    case RUN_MISSING:
        if (!forbidden)
            create_again(pass);
        break;
    case RUN_SUCCEEDED:
        run_succeeded(pass, &run.result);
        break;
    case RUN_FAILED:
        run_failed(pass, run.reason, run.message);
        break;
    case RUN_LOST:
        if (!forbidden)
            result_lost(pass, run.message);
        break;
    }
    if (forbidden && !batch_is_finished(&pass->status))
        say_immutable(pass);
}

static void suspend_run(struct batch_pass *pass, const struct job_view *job)
{
    if (job)
        set_attempt(pass, pass->status.attempt + 1);
    batch_say(pass, REASON_Suspended, false, false, REASON_Suspended, "spec.suspend is true");
}

static void follow_run(struct batch_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.job);
    bool unfinished = job && job->state == JOB_UNFINISHED;
    if (!pass->edit && pass->spec.suspend && (!job || unfinished))
        suspend_run(pass, job);
    else
        follow_job(pass);
}

/* --- a run that is to start ---------------------------------------------- */

static bool is_before(const struct output_rival *rival, const struct metadata *metadata)
{
    if (rival->created_ms != metadata->created_ms)
        return rival->created_ms < metadata->created_ms;
    int order = strcmp(rival->namespace_, metadata->namespace_);
    return order != 0 ? order < 0 : strcmp(rival->name, metadata->name) < 0;
}

/* Another unfinished batch writes to the same output: the older one goes first. */
static bool waits_for_rival(struct batch_pass *pass)
{
    for (size_t i = 0; i < pass->view->rival_count; i++) {
        const struct output_rival *rival = &pass->view->rivals[i];
        if (!rival->started && !is_before(rival, &pass->view->object.metadata))
            continue;
        batch_say(pass, REASON_Pending, true, false, REASON_OutputInUse,
                  arena_format(pass->arena, "ChurnBatch %s/%s writes to the same output",
                               rival->namespace_, rival->name));
        return true;
    }
    return false;
}

static bool find_input(struct batch_pass *pass, struct file_lookup *ret_file)
{
    lookup_file(&pass->view->object, pass->plan, pass->spec.input->uri, "spec.input.uri", ret_file);
    if (ret_file->state == LOOKUP_KNOWN)
        return true;
    if (ret_file->state == LOOKUP_PENDING) {
        pass->hold = pass->hold || !ret_file->slow;
        batch_say(pass, REASON_Pending, true, false, REASON_Pending, "listing spec.input.uri");
    } else {
        batch_say(pass, REASON_Pending, !ret_file->stalled, ret_file->stalled, ret_file->reason,
                  ret_file->message);
    }
    return false;
}

static void record_run(struct batch_pass *pass, const struct file_lookup *file,
                       const struct image_lookup *image)
{
    const struct object_view *view = &pass->view->object;
    const struct model_version_status *version = pass->model_status.model;
    struct batch_status *status = &pass->status;
    struct input_result *input = arena_zero(pass->arena, 1, sizeof(*input));
    struct output_result *output = arena_zero(pass->arena, 1, sizeof(*output));
    struct batch_model_status *model = arena_zero(pass->arena, 1, sizeof(*model));
    input->uri = file->uri;
    input->generation = file->generation;
    output->uri = batch_output_uri(pass->spec.output->uri, view->metadata.name, pass->arena);
    *model = (struct batch_model_status){ version->version, version->uri, version->image_digest };
    status->input = input;
    status->output = output;
    status->model = model;
    status->image = job_image(image->reference, image->digest, pass->arena);
    status->field_hashes = pass->field_hashes;
    set_attempt(pass, run_next_attempt(view, pass->run_key));
    status->start_time_ms = view->now_ms;
}

static void start_run(struct batch_pass *pass, const struct file_lookup *file,
                      const struct image_lookup *image)
{
    record_run(pass, file, image);
    if (pass->model_reason == REASON_UsingPrevious)
        plan_event(pass->plan, true, REASON_UsingPrevious, "Score", "%s", pass->model_message);
    plan_event(pass->plan, false, REASON_Running, "Score", "Job %s with model version %s%s",
               pass->status.job, pass->status.model->version,
               pass->asked ? "; training skipped, the image is unchanged" : "");
    if (pass->asked)
        plan_wake(pass->plan, pass->spec.model_ref->name, true);
    create_job(pass);
}

static void try_to_start(struct batch_pass *pass)
{
    struct file_lookup file;
    struct image_lookup image;
    if (pass->spec_error) {
        batch_say(pass, REASON_Pending, false, true, REASON_SpecInvalid, pass->spec_error);
        return;
    }
    if (pass->spec.suspend) {
        batch_say(pass, REASON_Suspended, false, false, REASON_Suspended, "spec.suspend is true");
        return;
    }
    batch_find_model(pass);
    if (batch_model_is_usable(pass) && !waits_for_rival(pass) && find_input(pass, &file) &&
        find_image(pass, &image))
        start_run(pass, &file, &image);
    if (!pass->status.job && pass->asked) { /* counted when the run starts */
        pass->status.training = NULL;
        pass->status.required_digest = NULL;
    }
}

/* --- a run that is over -------------------------------------------------- */

static void forget_run(struct batch_pass *pass)
{
    struct batch_status *status = &pass->status;
    struct conditions conditions = { .list = &status->conditions,
                                     .arena = pass->arena,
                                     .generation = pass->view->object.metadata.generation,
                                     .now_ms = pass->view->object.now_ms };
    condition_set(&conditions, "Failed", STATUS_FALSE, REASON_NotFailed, "");
    *status = (struct batch_status){ .conditions = status->conditions };
    pass->check = NULL;
}

static void follow_finished(struct batch_pass *pass)
{
    const struct condition *failed = condition_find(&pass->status.conditions, "Failed");
    if (condition_is_true(&pass->status.conditions, "Complete")) {
        batch_say(pass, REASON_Complete, false, false, NULL, NULL);
        if (pass->edit)
            say_immutable(pass);
    } else if (pass->edit && !pass->spec_error) { /* tried again, with another spec */
        forget_run(pass);
        try_to_start(pass);
    } else {
        batch_say(pass, REASON_Failed, false, true, failed->reason, failed->message);
    }
}

/* The outcome is in status, or about to be: what is left are Jobs. */
static void clean_up(const struct batch_view *view, struct plan *plan)
{
    struct opt_int ttl_seconds = batch_ttl_seconds(view->raw_spec);
    run_clear_others(&view->object, plan, NULL);
    run_expire_jobs(&view->object, plan, &ttl_seconds);
}

/* --- all of it ----------------------------------------------------------- */

void reconcile_batch(const struct batch_view *view, struct plan *plan)
{
    struct batch_pass pass;
    if (view->object.metadata.deleting || begin(&pass, view, plan) < 0)
        return;
    bool finished = batch_is_finished(&pass.status);
    if (finished && pass.status.observed_generation == view->object.metadata.generation) {
        clean_up(view, plan);
        return;
    }
    if (finished)
        follow_finished(&pass);
    else if (pass.status.job)
        follow_run(&pass);
    else
        try_to_start(&pass);
    if (batch_is_finished(&pass.status))
        clean_up(view, plan);
    else
        run_clear_others(&view->object, plan, pass.status.job);
    batch_set_conditions(&pass);
    run_write_status(plan, &batch_status_fields, view->object.raw_status, &pass.before,
                     &pass.status, pass.hold);
}
