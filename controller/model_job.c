#include "job_builder.h"
#include "model_pass.h"

void model_name_job(struct model_pass *pass, struct training_status *training)
{
    char name[IDENTITY_NAME];
    const struct metadata *metadata = &pass->view->object.metadata;
    identity_job_name(metadata->name, 't', metadata->uid, training->run_key, training->attempt,
                      name);
    training->job = arena_strdup(pass->arena, name);
}

void model_template_hash(const struct model_pass *pass, char ret_key[IDENTITY_KEY])
{
    const struct model_spec *spec = &pass->spec;
    job_template_hash(spec->pod_template, &spec->image_pull_secrets, spec->credentials,
                      spec->active_deadline_seconds, spec->backoff_limit, ret_key);
}

static void keep_version(struct strings *versions, const char *version)
{
    for (size_t i = 0; i < versions->count; i++)
        if (strcmp(versions->items[i], version) == 0)
            return;
    if (versions->count < KEEP_VERSIONS_MAXIMUM)
        versions->items[versions->count++] = version;
}

static struct strings no_versions(const struct model_pass *pass)
{
    return (struct strings){ .items =
                                 arena_zero(pass->arena, KEEP_VERSIONS_MAXIMUM, sizeof(char *)) };
}

static void keep_all(struct strings *versions, const struct strings *more)
{
    for (size_t i = 0; i < more->count; i++)
        keep_version(versions, more->items[i]);
}

/* What the end of a pin brings into use: the newest version when it is judged to be good enough,
 * else the newest that was promoted. A version that was made again may be the newest here and an
 * old one to the trainer. */
static void keep_next(struct strings *versions, const struct list *history)
{
    const struct history_entry *items = history->items;
    size_t i = 0;
    if (history->count > 0)
        keep_version(versions, items[0].model.version);
    while (i < history->count && strcmp(items[i].outcome, REASON_Promoted) != 0)
        i++;
    if (i < history->count)
        keep_version(versions, items[i].model.version);
}

/* What the trainer must not delete. Unlike the rest of the document this is what is needed now:
 * a batch may have begun since the training was decided. */
static struct strings versions_to_keep(const struct model_pass *pass)
{
    struct strings versions = no_versions(pass);
    if (pass->spec.pinned_version[0])
        keep_version(&versions, pass->spec.pinned_version);
    keep_all(&versions, &pass->view->versions_in_use);
    if (pass->status.model)
        keep_version(&versions, pass->status.model->version);
    keep_next(&versions, &pass->status.history);
    keep_all(&versions, &pass->view->versions_wanted);
    return versions;
}

bool model_endangers_versions(const struct model_pass *pass, const struct job_view *job)
{
    const struct model_source *champion = pass->status.training->champion;
    struct strings versions = no_versions(pass);
    if (model_pin_may_be_there(pass))
        keep_version(&versions, pass->spec.pinned_version);
    keep_all(&versions, &pass->view->versions_in_use);
    for (size_t i = 0; i < versions.count; i++) {
        bool is_champion = champion && strcmp(champion->version, versions.items[i]) == 0;
        if (!is_champion && run_find_danger(job, 1, versions.items[i]))
            return true; /* the champion is never deleted, whatever the annotation says */
    }
    return false;
}

/* The document tells the trainer what status says, not what was found since. */
static json_t *job_document(const struct model_pass *pass, const struct strings *keep_versions)
{
    const struct metadata *metadata = &pass->view->object.metadata;
    struct data_spec data = *pass->spec.training.data;
    struct train_job job;
    fields_defaults(&train_job_fields, pass->arena, &job);
    job.model = arena_format(pass->arena, "%s/%s", metadata->namespace_, metadata->name);
    job.run_key = pass->status.training->run_key;
    job.training = pass->spec.training;
    job.artifacts = pass->spec.artifacts;
    job.keep = pass->spec.artifacts->keep;
    job.keep_versions = *keep_versions;
    job.champion = pass->status.training->champion;
    job.promotion = pass->spec.promotion;
    data.uri = pass->status.training->data->uri;
    if (model_retrains_on(&pass->spec, "Data"))
        data.generation = pass->status.training->data->generation;
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
    model_template_hash(pass, hash);
    const struct strings keep_versions = versions_to_keep(pass);
    auto_json json_t *document = job_document(pass, &keep_versions);
    return job_build(&(struct job_order){
        .owner_kind = MODEL_KIND,
        .owner = metadata,
        .name = training->job,
        .run_key = training->run_key,
        .template_hash = hash,
        .keep_versions = &keep_versions,
        .attempt = training->attempt,
        .component = "trainer",
        .model = metadata->name,
        .image = job_image(image_reference(pass), training->image_digest, pass->arena),
        .document = document,
        .pod_template = pass->spec.pod_template,
        .pull_secrets = &pass->spec.image_pull_secrets,
        .credentials = pass->spec.credentials,
        .active_deadline_seconds = pass->spec.active_deadline_seconds,
        .backoff_limit = pass->spec.backoff_limit,
    });
}

void model_say_training(struct model_pass *pass)
{
    model_say(pass, true, false, REASON_Training,
              arena_format(pass->arena, "Job %s", pass->status.training->job));
}

void model_create_job(struct model_pass *pass)
{
    const struct training_status *training = pass->status.training;
    const char *refusal;
    bool may_create = run_may_create(&pass->view->object, pass->plan, training->job, &refusal);
    model_say_training(pass);
    if (refusal)
        model_say(pass, false, true, REASON_JobRejected, refusal);
    if (may_create && !model_is_suspended(pass)) /* else when it is resumed */
        plan_create_job(pass->plan, training->job, training->run_key, build_job(pass));
}

struct training_status *model_edit_training(struct model_pass *pass)
{
    struct training_status *training = arena_zero(pass->arena, 1, sizeof(*training));
    *training = *pass->status.training;
    pass->status.training = training;
    return training;
}

void model_next_attempt(struct model_pass *pass)
{
    struct training_status *training = model_edit_training(pass);
    training->attempt++;
    model_name_job(pass, training);
}
