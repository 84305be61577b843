/* ending.c - where everything must have come to once nothing goes wrong any more. */
#include "sim/ledger.h"

#include "contract/identity.h"
#include "contract/reasons.h"
#include "batch_api.h"

/* Longer than any delay of the controller right after trouble (backoff, silent watches), and
 * than any when all is well (polls of the subjects' images). */
#define AFTERMATH_MS (12 * MINUTE)
#define QUIET_MS     (2 * MINUTE)
#define PATIENCE_MS  (120 * MINUTE)

static void wait_until_quiet(struct play *play)
{
    struct sim *sim = play->sim;
    int64_t begin_ms = sim->now_ms;
    unsigned writes;

    do {
        writes = sim->writes;
        sim_run(sim, QUIET_MS);
        ledger_check(play->ledger);
        if (sim->now_ms - begin_ms > PATIENCE_MS)
            sim_fail("no rest: %u writes in the last %d minutes", sim->writes - writes,
                     QUIET_MS / MINUTE);
    } while (sim->writes != writes || sim->pod_count > 0);
}

static void touch(struct sim *sim, const char *list)
{
    json_t *items auto_json = json_incref(json_object_get(sim_get(sim, list), "items"));
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        char *path auto_free = mem_format("%s/%s", list, jx_string(item, "metadata", "name", NULL));

        (void)sim_ask(sim, "PATCH", path, "{'metadata':{'labels':{'touched':'yes'}}}");
        (void)sim_ask(sim, "PATCH", path, "{'metadata':{'labels':{'touched':null}}}");
    }
}

/* What is looked at again, and did not change, needs nothing. It is a fifth of what a run costs, so
 * a seed does it once: before users mend what is broken, or after. */
static void look_again(struct play *play)
{
    struct sim *sim = play->sim;
    unsigned writes = sim->writes;

    touch(sim, SIM_MODELS);
    touch(sim, SIM_BATCHES);
    touch(sim, SIM_JOBS);
    sim_settle(sim); /* no time passes: a tick would come in it */
    if (sim->writes != writes)
        sim_fail("%u writes about objects that did not change", sim->writes - writes);
}

void ending_wait(struct play *play)
{
    if (play->troubled)
        sim_run(play->sim, AFTERMATH_MS);
    play->troubled = false;
    wait_until_quiet(play);
    if (!play->calm && play->ends++ % 2 == play->seed % 2)
        look_again(play);
}

void ending_rest(struct play *play)
{
    struct sim *sim = play->sim;
    unsigned writes = sim->writes;

    for (size_t i = 0; i < SIM_CONTROLLERS; i++)
        sim_kill_controller(sim, i);
    sim_start_controller(sim, 0);
    sim_run(sim, sim->lease_ms + QUIET_MS); /* the dead one's Lease is over first */
    if (sim->writes != writes)
        sim_fail("%u writes of a new process on a cluster at rest", sim->writes - writes);
}

/* --- where objects belong ---------------------------------------------------------------- */

/* The status of a condition and its reason. */
static bool has(const json_t *object, const char *type, const char *status, const char *reason)
{
    const json_t *condition = object_condition(object, type);

    return condition && strcmp(text_of(jx_string(condition, "status", NULL)), status) == 0 &&
           (!reason || strcmp(text_of(jx_string(condition, "reason", NULL)), reason) == 0);
}

static void wrong(const json_t *object, const char *what)
{
    char *text auto_free = json_dumps(object, JSON_INDENT(1));

    fprintf(stderr, "%s\n", text);
    sim_fail("in the end, %s %s: %s", jx_string(object, "kind", NULL),
             jx_string(object, "metadata", "name", NULL), what);
}

static bool registry_has(const struct sim *sim, const char *reference)
{
    return images_find(&sim->front.images, reference) != NULL;
}

/* The last tick was trained; by a clock that was ahead, maybe before it came. */
static void check_schedule(const struct play *play, const json_t *object,
                           const struct model_spec *spec, const struct model_status *status)
{
    int minutes = user_schedule_minutes(spec->retrain->schedule);
    int64_t now_ms = play->sim->now_ms + play->sim->epoch_ms;
    int64_t last_ms = status->last_schedule_ms;

    if (!model_retrains_on(spec, "Schedule") || minutes <= 0)
        return;
    if (status->last_training && status->last_training->scheduled_ms > last_ms &&
        status->last_training->scheduled_ms <= now_ms)
        last_ms = status->last_training->scheduled_ms;
    if (last_ms > now_ms || now_ms - last_ms > (minutes + 1) * (int64_t)MINUTE)
        wrong(object, "a tick of its schedule was left out");
}

/* Every file of an inbox became a batch, unless there are enough at work. */
static void check_inbox(struct play *play, const json_t *object, const struct model_spec *spec,
                        const struct model_status *status)
{
    const struct volume *volume = &play->sim->volume;
    const char *uid = jx_string(object, "metadata", "uid", NULL);
    const char *uri;
    json_t *file;

    if (!spec->inbox || !status->inbox || status->inbox->active >= spec->inbox->max_active)
        return;
    json_object_foreach(volume->files, uri, file)
    {
        size_t length = strlen(spec->inbox->uri);

        if (strncmp(uri, spec->inbox->uri, length) != 0 || strchr(uri + length, '/'))
            continue;
        if (!inbox_is_done_with(play->ledger, uid, uri, jx_string(file, "generation", NULL)))
            wrong(object, "a file of its inbox has no batch");
    }
}

/* What a model was trained for last is what its spec and its tag say now. */
static void check_training(const struct play *play, const json_t *object,
                           const struct model_spec *spec, const struct model_status *status)
{
    const char *reference = spec->image ? spec->image : SIM_TRAINER;
    const struct image *image = images_find(&play->sim->front.images, reference);
    const struct last_training *last = status->last_training;
    const char *data_uri = spec->training.data->uri;
    char spec_hash[IDENTITY_KEY];

    identity_training_spec(&spec->training, spec_hash);
    if (!last)
        wrong(object, "nothing was trained");
    if (model_retrains_on(spec, "ImageDigest") && strcmp(last->image_digest, image->digest) != 0)
        wrong(object, "the last training is of another image");
    if (model_retrains_on(spec, "Spec") && strcmp(last->spec_hash, spec_hash) != 0)
        wrong(object, "the last training is of another spec");
    if (model_retrains_on(spec, "Data") &&
        strcmp(text_of(last->data->uri), volume_newest(&play->sim->volume, data_uri)) != 0)
        wrong(object, "the last training is of another file");
    if (model_retrains_on(spec, "Data") &&
        strcmp(text_of(last->data->generation),
               volume_generation(&play->sim->volume, last->data->uri)) != 0)
        wrong(object, "the last training is of older data");
    if (strcmp(text_of(last->token), text_of(spec->retrain->token)) != 0)
        wrong(object, "the last training is of another token");
    if (!has(object, "Reconciling", "False", NULL))
        wrong(object, "it says that work is active or due");
    check_schedule(play, object, spec, status);
}

static bool is_there(const struct play *play, const char *uri)
{
    return volume_newest(&play->sim->volume, uri) != NULL;
}

static void check_model(struct play *play, const json_t *object)
{
    struct arena arena auto_arena = { 0 };
    struct model_spec spec;
    struct model_status status;
    struct err err;
    const char *reference;

    if (model_status_decode(json_object_get(object, "status"), &arena, &status, &err) < 0)
        wrong(object, err.message);
    if (status.observed_generation != jx_int(json_object_get(object, "metadata"), "generation", 0))
        wrong(object, "its generation was not observed");
    if (!has(object, "Ready", status.model ? "True" : "False", NULL))
        wrong(object, "Ready does not say whether there is a version");
    if (model_spec_decode(json_object_get(object, "spec"), &arena, &spec, &err) < 0) {
        if (!has(object, "Stalled", "True", REASON_SpecInvalid))
            wrong(object, "an invalid spec is not told");
        return;
    }
    if (model_is_training(&status) && !spec.suspend)
        wrong(object, "a training never ended");
    if (!spec.suspend)
        check_inbox(play, object, &spec, &status);
    reference = spec.image ? spec.image : SIM_TRAINER;
    if (spec.suspend || !is_there(play, spec.training.data->uri))
        return;
    if (!registry_has(play->sim, reference)) {
        if (!has(object, "ImageResolved", "False", REASON_ImageNotFound))
            wrong(object, "an image that is not there is not told");
        return;
    }
    check_training(play, object, &spec, &status);
}

/* Whether the model of a batch gives it a reason to wait. */
static bool model_is_unusable(struct play *play, const char *name)
{
    const json_t *model = sim_object(play->sim, "churnmodels", name);

    return !model || jx_bool(json_object_get(model, "spec"), "suspend", false) ||
           has(model, "Stalled", "True", NULL) || has(model, "Ready", "False", NULL) ||
           has(model, "ImageResolved", "False", NULL) || !has(model, "Reconciling", "False", NULL);
}

static void check_waiting(struct play *play, const json_t *object, const struct batch_spec *spec)
{
    if (has(object, "Ready", "False", REASON_WaitingForModel)) {
        if (!*spec->model_version && !model_is_unusable(play, spec->model_ref->name))
            wrong(object, "it waits for a model that can be used");
    } else if (has(object, "Ready", "False", REASON_Pending)) {
        if (is_there(play, spec->input->uri) &&
            !has(object, "Reconciling", "True", REASON_OutputInUse))
            wrong(object, "it could run");
    } else if (!has(object, "Stalled", "True", REASON_SpecImmutable)) {
        wrong(object, "it is not finished");
    }
}

static void check_batch(struct play *play, const json_t *object)
{
    struct arena arena auto_arena = { 0 };
    struct batch_spec spec;
    struct batch_status status;
    struct err err;

    if (batch_status_decode(json_object_get(object, "status"), &arena, &status, &err) < 0)
        wrong(object, err.message);
    if (status.observed_generation != jx_int(json_object_get(object, "metadata"), "generation", 0))
        wrong(object, "its generation was not observed");
    if (batch_is_finished(&status))
        return;
    if (batch_spec_decode(json_object_get(object, "spec"), &arena, &spec, &err) < 0) {
        if (!has(object, "Stalled", "True", NULL))
            wrong(object, "an invalid spec is not told");
    } else if (spec.suspend) {
        if (!has(object, "Ready", "False", REASON_Suspended) &&
            !has(object, "Stalled", "True", REASON_SpecImmutable))
            wrong(object, "it is suspended and does not say so");
    } else {
        check_waiting(play, object, &spec);
    }
}

static void check_jobs(struct play *play)
{
    const struct index *jobs =
        &resource_find(&play->sim->cluster.resources, "batch", "v1", "jobs")->objects;

    for (size_t i = 0; i < jobs->count; i++) {
        const json_t *job = ((struct object *)jobs->entries[i].value)->snapshot->json;

        if (!object_condition_is(job, "Complete", "True") &&
            !object_condition_is(job, "Failed", "True"))
            wrong(job, "it never ended");
    }
}

void ending_check(struct play *play)
{
    check_jobs(play);
    for (const struct subject *subject = subjects; subject->name; subject++) {
        const json_t *object = sim_object(play->sim, subject->plural, subject->name);

        if (object && strcmp(subject->plural, "churnmodels") == 0)
            check_model(play, object);
        else if (object)
            check_batch(play, object);
    }
}

/* --- comparison ---------------------------------------------------------------------------------
 */

/* What depends on when something happened, on chance, or on how often something went wrong. */
static const char *const incidental[] = {
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "labels",
    "managedFields",
    "lastTransitionTime",
    "observedGeneration",
    "resolvedAt",
    "trainedAt",
    "finishedAt",
    "time",
    "startTime",
    "completionTime",
    "attempt",
    "job",
    "lostResults",
    "trainingsRun",
    "trainingsSkipped",
    "lastDecision",
    "training",
    "requiredDigest",
    "retryToken",
    "fieldHashes",
    "message",
    "image",
    "input",
    "history",
    "inbox",
    "pods", /* what the model had when the run was decided */
};

static json_t *without_incidentals(const json_t *value)
{
    json_t *copy = json_is_array(value) ? json_array() : json_object();
    const char *name;
    const json_t *item;
    json_t *member;
    size_t i;

    if (!json_is_array(value) && !json_is_object(value)) {
        json_decref(copy);
        return json_deep_copy(value);
    }
    json_array_foreach(value, i, item) json_array_append_new(copy, without_incidentals(item));
    json_object_foreach((json_t *)value, name, member)
    {
        bool counts = true;

        for (size_t k = 0; k < ARRAY_SIZE(incidental); k++)
            counts = counts && strcmp(incidental[k], name) != 0;
        if (counts)
            json_object_set_new(copy, name, without_incidentals(member));
    }
    return copy;
}

/* A batch may have been scored before or after the model changed, and found its output again. */
static void forget_history(json_t *batch)
{
    json_t *condition, *status = json_object_get(batch, "status");
    size_t i;

    json_object_del(status, "model");
    json_array_foreach(json_object_get(status, "conditions"), i, condition)
    {
        json_object_del(condition, "reason");
    }
}

json_t *ending_state(struct play *play)
{
    json_t *state = json_object();

    for (const struct subject *subject = subjects; subject->name; subject++) {
        char *path auto_free = subject_path(subject);
        const json_t *object = sim_object(play->sim, subject->plural, subject->name);
        json_t *entry = object ? without_incidentals(object) : json_null();

        if (object && strcmp(subject->plural, "churnbatches") == 0)
            forget_history(entry);
        json_object_set_new(state, path, entry);
    }
    return state;
}
