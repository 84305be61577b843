#include "batch_pass.h"
#include "project.h"

/* --- the pass ------------------------------------------------------------ */

static void identify(struct batch_pass *pass)
{
    const struct batch_spec *spec = &pass->spec;
    const char *edited;
    identity_batch_spec(&(struct batch_identity){ .model = spec->model_ref->name,
                                                  .model_version = spec->model_version,
                                                  .input_uri = spec->input->uri,
                                                  .input_generation = spec->input->generation,
                                                  .output = spec->how.output,
                                                  .scoring = &spec->how.scoring },
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

/* The parts of a run that failed are still being removed, or have to be. An edit that asks for
 * another run needs the Job that does so to be there: its document came from the old spec. */
static bool is_discarding(const struct batch_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.job);
    return batch_stage(&pass->status) == STAGE_DISCARD &&
           (!pass->edit || (job && job->state == JOB_UNFINISHED));
}

static void follow_failed(struct batch_pass *pass)
{
    const struct condition *failed = condition_find(&pass->status.conditions, "Failed");
    bool is_edited = pass->edit && !pass->spec_error;
    bool discarding = is_discarding(pass);
    if (pass->spec_error)
        batch_say(pass, REASON_Failed, false, true, REASON_SpecInvalid, pass->spec_error);
    else
        batch_say(pass, REASON_Failed, false, true, failed->reason, failed->message);
    if (discarding)
        batch_follow_discard(pass);
    if (is_edited && discarding) {
        batch_say(pass, REASON_Pending, true, false, REASON_Pending,
                  arena_format(pass->arena, "Job %s removes the parts of the run before",
                               pass->status.job));
    } else if (is_edited) { /* tried again, with another spec */
        forget_run(pass);
        batch_try_to_start(pass);
    }
}

static void follow_finished(struct batch_pass *pass)
{
    if (!condition_is_true(&pass->status.conditions, "Complete")) {
        follow_failed(pass);
        return;
    }
    batch_say(pass, REASON_Complete, false, false, NULL, NULL);
    if (pass->edit)
        batch_say_immutable(pass);
}

/* The outcome is in status, or about to be: what is left are Jobs. */
static void clean_up(const struct batch_view *view, const struct batch_status *status,
                     struct plan *plan)
{
    bool discarding = batch_stage(status) == STAGE_DISCARD;
    struct opt_int ttl_seconds = batch_ttl_seconds(view->raw_spec);
    run_clear_others(&view->object, plan, discarding ? status->job : NULL);
    if (!discarding)
        run_expire_jobs(&view->object, plan, &ttl_seconds);
}

/* --- all of it ----------------------------------------------------------- */

void reconcile_batch(const struct batch_view *view, struct plan *plan)
{
    struct batch_pass pass;
    if (view->object.metadata.deleting || begin(&pass, view, plan) < 0)
        return;
    bool finished = batch_is_finished(&pass.status);
    bool is_seen = pass.status.observed_generation == view->object.metadata.generation;
    if (finished && is_seen && batch_stage(&pass.status) != STAGE_DISCARD) {
        clean_up(view, &pass.status, plan);
        return;
    }
    if (finished)
        follow_finished(&pass);
    else if (pass.status.job)
        batch_follow_run(&pass);
    else
        batch_try_to_start(&pass);
    if (batch_is_finished(&pass.status))
        clean_up(view, &pass.status, plan);
    else
        run_clear_others(&view->object, plan, pass.status.job);
    batch_set_conditions(&pass);
    run_write_status(plan, &batch_status_fields, view->object.raw_status, &pass.before,
                     &pass.status, pass.hold);
}
