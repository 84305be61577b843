#include "batch_pass.h"

#define LOST_LOOK_MS 60000 /* between two looks for a result that nothing can be done about */

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

/* What a Job that ended tells about its shards. */
static void count_shards(struct batch_pass *pass, const char *reason)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.job);
    if (batch_stage(&pass->status) != STAGE_SHARDS || !job)
        return;
    struct shards_status *shards = batch_edit_shards(pass);
    /* A shard that fails the whole Job at once is not among the failed indexes. */
    bool one_at_least = strcmp(reason, REASON_DeadlineExceeded) != 0;
    shards->succeeded = job->succeeded < shards->total ? job->succeeded : 0;
    shards->failed = job->failed_indexes > 0 ? job->failed_indexes : one_at_least;
}

/* One more Job removes the parts; it is no longer about the outcome. */
static void discard_parts(struct batch_pass *pass)
{
    if (!pass->status.shards || pass->edit)
        return;
    batch_edit_shards(pass)->discarding = true;
    batch_set_attempt(pass, pass->status.attempt + 1);
    batch_create_job(pass);
}

static void run_failed(struct batch_pass *pass, const char *reason, const char *message)
{
    set_finished(pass, "Failed", reason, message);
    batch_say(pass, REASON_Failed, false, true, reason, message);
    pass->plan->outcome = REASON_Failed;
    plan_event(pass->plan, true, reason, "Score", "%s", message);
    count_shards(pass, reason);
    discard_parts(pass);
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

static void warn_of_drift(struct batch_pass *pass, const struct result *result)
{
    const struct decimal *warn = pass->spec_error ? NULL : &pass->spec.how.scoring.drift->warn;
    const struct drift_result *drift = result->drift;
    if (!warn || !warn->text || !drift || !drift->feature || drift->maximum.value < warn->value ||
        result->rows->scored < DRIFT_ROWS)
        return;
    plan_event(pass->plan, true, REASON_DriftNoticed, "Score",
               "column %s is distributed otherwise than in training: PSI %s, spec.drift.warn is %s",
               drift->feature, drift->maximum.text, warn->text);
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
    warn_of_drift(pass, result);
}

static void result_lost(struct batch_pass *pass, const char *why)
{
    if (pass->status.lost_results > 0) {
        run_failed(pass, REASON_ResultLost,
                   arena_format(pass->arena, "the result was lost twice: %s", why));
        return;
    }
    pass->status.lost_results++;
    batch_set_attempt(pass, pass->status.attempt + 1);
    plan_event(pass->plan, true, REASON_Recovered, "Score", "the result was lost (%s); Job %s", why,
               pass->status.job);
    batch_create_job(pass);
}

/* Every part is there: one more Job makes the output of them. */
static void compose(struct batch_pass *pass)
{
    struct shards_status *shards = batch_edit_shards(pass);
    shards->succeeded = shards->total;
    batch_set_attempt(pass, pass->status.attempt);
    plan_event(pass->plan, false, REASON_Running, "Score",
               "%" PRId64 " shards are scored; Job %s composes", shards->total, pass->status.job);
    batch_create_job(pass);
}

static int64_t smaller(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* A shard that failed for good is told while the others go on; those that are done come with it. */
static void tell_failed_shards(struct batch_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.job);
    if (batch_stage(&pass->status) != STAGE_SHARDS || !job ||
        job->failed_indexes == pass->status.shards->failed)
        return;
    struct shards_status *shards = batch_edit_shards(pass);
    shards->failed = smaller(job->failed_indexes, shards->total);
    shards->succeeded = smaller(job->succeeded, shards->total - 1);
}

/* After an edit that the run must not notice, nothing can be built from the spec. */
static void follow_job(struct batch_pass *pass)
{
    bool forbidden = pass->edit != NULL;
    enum batch_stage stage = batch_stage(&pass->status);
    struct run run;
    run_observe(&pass->view->object, pass->plan, pass->status.job, batch_job_kind(stage),
                pass->spec_error ? NULL : pass->spec.pod_template, &run);
    batch_say_running(pass);
    switch (run.state) {
    case RUN_WAITING:
        pass->hold = !forbidden;
        break;
    case RUN_WORKING:
        tell_failed_shards(pass);
        break;
    case RUN_TROUBLED:
        tell_failed_shards(pass);
        batch_say(pass, REASON_Running, true, false, run.reason,
                  arena_format(pass->arena, "Job %s: %s", pass->status.job, run.message));
        break;
    case RUN_MISSING:
        if (!forbidden)
            batch_create_job(pass);
        break;
    case RUN_SUCCEEDED:
        if (stage != STAGE_SHARDS)
            run_succeeded(pass, &run.result);
        else if (!forbidden)
            compose(pass);
        break;
    case RUN_FAILED:
        run_failed(pass, run.reason, run.message);
        break;
    case RUN_LOST:
        if (!forbidden)
            result_lost(pass, run.message);
        else /* an API server that is behind may have hidden it */
            plan_requeue(pass->plan, LOST_LOOK_MS);
        break;
    }
    if (forbidden && !batch_is_finished(&pass->status))
        batch_say_immutable(pass);
}

static void suspend_run(struct batch_pass *pass, const struct job_view *job)
{
    if (job)
        batch_set_attempt(pass, pass->status.attempt + 1);
    batch_say(pass, REASON_Suspended, false, false, REASON_Suspended, "spec.suspend is true");
}

void batch_follow_run(struct batch_pass *pass)
{
    const struct job_view *job = run_find_job(&pass->view->object, pass->status.job);
    bool unfinished = job && job->state == JOB_UNFINISHED;
    if (!pass->edit && pass->spec.suspend && (!job || unfinished))
        suspend_run(pass, job);
    else
        follow_job(pass);
}

void batch_follow_discard(struct batch_pass *pass)
{
    struct run run;
    run_observe(&pass->view->object, pass->plan, pass->status.job, JOB_DISCARD, NULL, &run);
    switch (run.state) {
    case RUN_WAITING:
    case RUN_WORKING:
    case RUN_TROUBLED:
        return;
    case RUN_MISSING:
        batch_create_job(pass);
        return;
    case RUN_FAILED:
        plan_event(pass->plan, true, run.reason, "Score",
                   "the parts of the failed run could not be removed: %s", run.message);
        break;
    case RUN_SUCCEEDED:
    case RUN_LOST:
        break;
    }
    batch_edit_shards(pass)->discarding = false;
}
