#include "batch_pass.h"
#include "job_builder.h"

static const struct {
    char letter; /* of the Job's name */
    enum score_kind kind;
    enum job_kind result;
} stages[] = {
    [STAGE_WHOLE] = { 's', SCORE_SCORE, JOB_SCORE },
    [STAGE_SHARDS] = { 's', SCORE_SCORE, JOB_SHARD },
    [STAGE_COMPOSE] = { 'c', SCORE_COMPOSE, JOB_SCORE },
    [STAGE_DISCARD] = { 'c', SCORE_COMPOSE, JOB_DISCARD },
};

enum batch_stage batch_stage(const struct batch_status *status)
{
    const struct shards_status *shards = status->shards;
    if (!shards)
        return STAGE_WHOLE;
    if (shards->discarding)
        return STAGE_DISCARD;
    return shards->succeeded < shards->total ? STAGE_SHARDS : STAGE_COMPOSE;
}

enum job_kind batch_job_kind(enum batch_stage stage)
{
    return stages[stage].result;
}

struct shards_status *batch_edit_shards(struct batch_pass *pass)
{
    struct shards_status *shards = arena_zero(pass->arena, 1, sizeof(*shards));
    *shards = *pass->status.shards;
    pass->status.shards = shards;
    return shards;
}

void batch_set_attempt(struct batch_pass *pass, int64_t attempt)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    char name[IDENTITY_NAME];
    identity_job_name(metadata->name, stages[batch_stage(&pass->status)].letter, metadata->uid,
                      pass->run_key, attempt, name);
    pass->status.attempt = attempt;
    pass->status.job = arena_strdup(pass->arena, name);
}

static json_t *job_document(const struct batch_pass *pass)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    const struct batch_status *status = &pass->status;
    enum batch_stage stage = batch_stage(status);
    struct output_spec output = *pass->spec.how.output;
    struct model_source model = { status->model->uri, status->model->version };
    struct input_source input = { status->input->uri, status->input->generation };
    struct shard_spec shard = { status->shards ? status->shards->total : 1 };
    output.uri = status->output->uri;
    struct score_job job = {
        .kind = (int)stages[stage].kind,
        .batch = arena_format(pass->arena, "%s/%s", metadata->namespace_, metadata->name),
        .spec_hash = pass->spec_hash,
        .model = &model,
        .input = &input,
        .output = &output,
        .scoring = pass->spec.how.scoring,
        .shard = &shard,
        .discard = stage == STAGE_DISCARD,
    };
    if (job.kind == SCORE_COMPOSE)
        job.parts = score_job_parts(&job, pass->arena);
    return score_job_encode(&job);
}

static void release_json(void *object)
{
    json_decref(object);
}

void batch_record_pods(struct batch_pass *pass)
{
    const struct model_spec *model = &pass->model_spec;
    struct pods_status *pods = arena_zero(pass->arena, 1, sizeof(*pods));
    pods->model_generation = pass->view->model->metadata.generation;
    if (!pass->spec.pod_template && model->pod_template) {
        pods->pod_template = model->pod_template;
        pods->raw_template = fields_encode(&pod_template_fields, model->pod_template);
        arena_defer(pass->arena, release_json, pods->raw_template);
    }
    if (!pass->spec.credentials)
        pods->credentials = model->credentials;
    pods->pull_secrets = model->image_pull_secrets;
    pass->status.pods = pods;
}

/* A version of the controller that did not record them decided the run: they are as they are now.
 */
static void find_pods(struct batch_pass *pass)
{
    if (!pass->model_known)
        batch_find_model(pass);
    if (!pass->status.pods && pass->model_known)
        batch_record_pods(pass);
}

/* From status, and from a spec that is still the one the run was decided for. */
static json_t *build_job(const struct batch_pass *pass)
{
    static const struct pods_status nothing;
    const struct batch_spec *spec = &pass->spec;
    const struct pods_status *pods = pass->status.pods ? pass->status.pods : &nothing;
    const struct metadata *metadata = &pass->view->object.metadata;
    bool is_sharded = batch_stage(&pass->status) == STAGE_SHARDS;
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
        .pod_template = spec->pod_template ? spec->pod_template : pods->pod_template,
        .pull_secrets = &pods->pull_secrets,
        .credentials = spec->credentials ? spec->credentials : pods->credentials,
        .active_deadline_seconds = spec->how.active_deadline_seconds,
        .backoff_limit = spec->how.backoff_limit,
        .indexes = is_sharded ? pass->status.shards->total : 0,
    });
}

void batch_say_running(struct batch_pass *pass)
{
    const char *job = pass->status.job;
    const char *message = arena_format(pass->arena, "Job %s", job);
    if (batch_stage(&pass->status) == STAGE_SHARDS)
        message = arena_format(pass->arena, "Job %s scores %" PRId64 " shards", job,
                               pass->status.shards->total);
    else if (batch_stage(&pass->status) == STAGE_COMPOSE)
        message = arena_format(pass->arena, "Job %s composes the output from %" PRId64 " shards",
                               job, pass->status.shards->total);
    batch_say(pass, REASON_Running, true, false, REASON_Running, message);
}

void batch_create_job(struct batch_pass *pass)
{
    const char *refusal, *job = pass->status.job;
    bool may_create = run_may_create(&pass->view->object, pass->plan, job, &refusal);
    bool is_over = batch_stage(&pass->status) == STAGE_DISCARD;
    if (!is_over)
        batch_say_running(pass);
    if (!is_over && refusal)
        batch_say(pass, REASON_Pending, false, true, REASON_JobRejected, refusal);
    if (!is_over && pass->spec.suspend) /* it goes on when it is resumed */
        batch_say(pass, REASON_Suspended, false, false, REASON_Suspended, "spec.suspend is true");
    else if (may_create) {
        find_pods(pass);
        plan_create_job(pass->plan, job, pass->run_key, build_job(pass));
    }
}
