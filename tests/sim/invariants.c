/* invariants.c - what holds at every moment, whatever goes wrong.
 *
 * Each invariant is a function of one change of the cluster, or of the state after a move; it says
 * what is wrong by report(). A new one is a function and a line in a table at the end. Those about
 * what a model uses, takes and trains with time are in model_invariants.c. */
#include "sim/ledger.h"

#include "job_builder.h"
#include "project.h"

/* Writes about one object within WINDOW_MS: more means that a controller runs in circles. */
#define WRITES_MAXIMUM 40
#define WINDOW_MS      (10 * SECOND)

void report(const struct ledger *ledger, const struct change *change, const char *format, ...)
{
    char text[512];
    const json_t *object = change ? change->after->json : NULL;
    const char *name = jx_string(object, "metadata", "name", NULL);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (change)
        sim_fail("%s does not hold: %s %s: %s", ledger->checking, change->resource->plural, name,
                 text);
    sim_fail("%s does not hold: %s", ledger->checking, text);
}

/* --- reading the cluster ------------------------------------------------------------------- */

const struct resource *resource_named(const struct ledger *ledger, const char *plural)
{
    const char *group = strcmp(plural, "jobs") == 0 ? "batch" : "churnops.io";

    return resource_find(&ledger->play->sim->cluster.resources, group, NULL, plural);
}

/* The model or batch that owns a Job, as it is now; NULL: gone. */
static const json_t *owner_of(const struct ledger *ledger, const json_t *job, bool *ret_is_model)
{
    static const char *const plurals[] = { "churnbatches", "churnmodels" };
    const char *uid = job_owner_uid(job);

    for (size_t kind = 0; uid && kind < ARRAY_SIZE(plurals); kind++) {
        const struct index *objects = &resource_named(ledger, plurals[kind])->objects;

        for (size_t i = 0; i < objects->count; i++) {
            const json_t *object = ((struct object *)objects->entries[i].value)->snapshot->json;

            *ret_is_model = kind == 1;
            if (strcmp(jx_string(object, "metadata", "uid", NULL), uid) == 0)
                return object;
        }
    }
    return NULL;
}

bool is_unfinished(const json_t *job)
{
    return !object_condition_is(job, "Complete", "True") &&
           !object_condition_is(job, "Failed", "True");
}

bool is_ours(const struct change *change)
{
    return change->resource->role == ROLE_CUSTOM;
}

static bool is_new_job(const struct ledger *ledger, const struct change *change)
{
    return change->type == CHANGE_ADDED && change->resource->role == ROLE_JOB &&
           ledger->play->sim->writer;
}

static bool is_late(const struct ledger *ledger, const json_t *job)
{
    return json_object_get(ledger->late_jobs, jx_string(job, "metadata", "name", NULL)) != NULL;
}

const char *text_of(const char *text)
{
    return text ? text : "";
}

bool same(const char *left, const char *right)
{
    return strcmp(text_of(left), text_of(right)) == 0;
}

/* --- about Jobs ------------------------------------------------------------------------------ */

/* Two programs never work for one owner at a time. */
static void one_live_job(struct ledger *ledger, const struct change *change)
{
    const struct index *jobs = &resource_named(ledger, "jobs")->objects;
    const char *uid = job_owner_uid(change->after->json);

    if (!is_new_job(ledger, change) || is_late(ledger, change->after->json))
        return;
    for (size_t i = 0; i < jobs->count; i++) {
        const json_t *job = ((struct object *)jobs->entries[i].value)->snapshot->json;

        if (job != change->after->json && is_unfinished(job) && !is_late(ledger, job) &&
            same(job_owner_uid(job), uid))
            report(ledger, change, "%s is at work for the same owner",
                   jx_string(job, "metadata", "name", NULL));
    }
}

/* What a Job does was decided, and written down, before it was made. */
static void jobs_are_explained(struct ledger *ledger, const struct change *change)
{
    const json_t *job = change->after->json, *owner, *status;
    const char *name = jx_string(job, "metadata", "name", NULL);
    bool is_model = false;

    if (!is_new_job(ledger, change) || is_late(ledger, job))
        return;
    owner = owner_of(ledger, job, &is_model);
    status = json_object_get(owner, "status");
    if (!owner)
        return; /* deleted before the controller could know: the collector takes the Job */
    if (!status)
        report(ledger, change, "its owner has no status");
    if (is_model)
        status = json_object_get(status, "training");
    if (!same(jx_string(status, "job", NULL), name))
        report(ledger, change, "the status of its owner names %s",
               text_of(jx_string(status, "job", NULL)));
    if (is_model && !same(jx_string(status, "runKey", NULL),
                          jx_string(job, "metadata", "labels", LABEL_RUN, NULL)))
        report(ledger, change, "the status of its owner has another run key");
}

/* An outcome that is in status is never produced again. */
static void nothing_runs_twice(struct ledger *ledger, const struct change *change)
{
    const json_t *job = change->after->json, *owner;
    bool is_model = false, discarding; /* the parts of a run that failed */

    if (!is_new_job(ledger, change) || is_late(ledger, job))
        return;
    owner = owner_of(ledger, job, &is_model);
    if (is_model && same(jx_string(owner, "status", "lastTraining", "runKey", NULL),
                         jx_string(job, "metadata", "labels", LABEL_RUN, NULL)))
        report(ledger, change, "this run key has an outcome already");
    discarding = jx_bool(jx_get(owner, "status", "shards", NULL), "discarding", false);
    if (!is_model && !discarding &&
        (object_condition_is(owner, "Complete", "True") ||
         object_condition_is(owner, "Failed", "True")))
        report(ledger, change, "the batch is finished");
}

/* Once it was seen that an object is suspended, nothing is begun for it. */
static void suspended_objects_rest(struct ledger *ledger, const struct change *change)
{
    const json_t *job = change->after->json, *owner, *status;
    bool is_model = false;

    if (!is_new_job(ledger, change) || is_late(ledger, job))
        return;
    owner = owner_of(ledger, job, &is_model);
    status = json_object_get(owner, "status");
    if (jx_bool(json_object_get(owner, "spec"), "suspend", false) &&
        !jx_bool(json_object_get(status, "shards"), "discarding", false) &&
        jx_int(status, "observedGeneration", 0) ==
            jx_int(json_object_get(owner, "metadata"), "generation", 0))
        report(ledger, change, "its owner is suspended");
}

/* --- about status --------------------------------------------------------------------------- */

int64_t generation_of(const json_t *object)
{
    return jx_int(jx_get(object, "metadata", NULL), "generation", 0);
}

int64_t observed_by(const json_t *object)
{
    return jx_int(jx_get(object, "status", NULL), "observedGeneration", 0);
}

static void no_generation_is_claimed_unseen(struct ledger *ledger, const struct change *change)
{
    const json_t *conditions, *condition, *object = change->after->json;
    size_t i;

    if (!is_ours(change) || change->type == CHANGE_DELETED)
        return;
    if (observed_by(object) > generation_of(object))
        report(ledger, change, "observedGeneration is ahead");
    if (change->before && observed_by(object) < observed_by(change->before->json))
        report(ledger, change, "observedGeneration goes back");
    conditions = jx_get(object, "status", "conditions", NULL);
    json_array_foreach(conditions, i, condition)
    {
        if (jx_int(condition, "observedGeneration", 0) != observed_by(object))
            report(ledger, change, "condition %s has another observedGeneration than the status",
                   jx_string(condition, "type", NULL));
    }
}

/* A time changes with the status it is about, and only then. */
static void transitions_have_times(struct ledger *ledger, const struct change *change)
{
    const json_t *condition;
    size_t i;

    if (!is_ours(change) || !change->before || change->type == CHANGE_DELETED)
        return;
    json_array_foreach(jx_get(change->after->json, "status", "conditions", NULL), i, condition)
    {
        const json_t *before =
            object_condition(change->before->json, jx_string(condition, "type", NULL));

        if (before &&
            same(jx_string(before, "status", NULL), jx_string(condition, "status", NULL)) &&
            !same(jx_string(before, "lastTransitionTime", NULL),
                  jx_string(condition, "lastTransitionTime", NULL)))
            report(ledger, change, "condition %s has a new time and the same status",
                   jx_string(condition, "type", NULL));
    }
}

static bool differs(const struct change *change, const char *member)
{
    const json_t *before = jx_get(change->before->json, "status", member, NULL);
    const json_t *after = jx_get(change->after->json, "status", member, NULL);

    return before != after && !(before && after && json_equal(before, after));
}

/* A batch that is Complete stays as it is. */
static void complete_is_for_ever(struct ledger *ledger, const struct change *change)
{
    static const char *const members[] = { "model", "input",  "output",        "rows",
                                           "job",   "scores", "completionTime" };

    if (!is_ours(change) || !change->before || change->type == CHANGE_DELETED ||
        !object_condition_is(change->before->json, "Complete", "True"))
        return;
    if (!object_condition_is(change->after->json, "Complete", "True"))
        report(ledger, change, "it was Complete");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (differs(change, members[i]))
            report(ledger, change, "status.%s changed after Complete", members[i]);
}

static int64_t count_in(const struct snapshot *snapshot, const char *member)
{
    return snapshot ? jx_int(jx_get(snapshot->json, "status", NULL), member, 0) : 0;
}

/* One more training is counted with each new run key, and at no other time. */
static void trainings_are_counted(struct ledger *ledger, const struct change *change)
{
    const char *before, *after;
    int64_t more;

    if (!is_ours(change) || change->type == CHANGE_DELETED)
        return;
    more = count_in(change->after, "trainingsRun") - count_in(change->before, "trainingsRun");
    before = change->before ? jx_string(change->before->json, "status", "training", "runKey", NULL)
                            : NULL;
    after = jx_string(change->after->json, "status", "training", "runKey", NULL);
    if (more < 0 || more > 1)
        report(ledger, change, "trainingsRun went up by %d", (int)more);
    if (more == 0 && after && !same(before, after))
        report(ledger, change, "a training began and was not counted");
    if (count_in(change->after, "trainingsSkipped") < count_in(change->before, "trainingsSkipped"))
        report(ledger, change, "trainingsSkipped went down");
}

/* --- about freshness ----------------------------------------------------------------------------
 */

/* The tag named this digest at some time since then. */
static bool was_named_since(const struct ledger *ledger, const char *digest, int64_t since_ms)
{
    for (size_t i = 0; i < ledger->tag_count; i++) {
        bool over = i + 1 < ledger->tag_count && ledger->tags[i + 1].since_ms < since_ms;

        if (!over && strcmp(ledger->tags[i].digest, digest) == 0)
            return true;
    }
    return false;
}

/* With freshness Latest, a batch is scored by a model of an image that was current after the
 * batch was made. */
static void models_are_fresh(struct ledger *ledger, const struct change *change)
{
    const json_t *batch, *ready;
    const char *uid, *digest, *reason;
    bool is_model = false;

    if (!is_new_job(ledger, change) || is_late(ledger, change->after->json))
        return;
    batch = owner_of(ledger, change->after->json, &is_model);
    digest = jx_string(batch, "status", "requiredDigest", NULL);
    if (is_model || !digest || !same(jx_string(batch, "spec", "modelRef", "name", NULL), "m"))
        return;
    uid = jx_string(batch, "metadata", "uid", NULL);
    ready = object_condition(batch, "ModelReady");
    reason = text_of(jx_string(ready, "reason", NULL));
    if (strcmp(reason, "RegistryUnreachable") == 0 || strcmp(reason, "UsingPrevious") == 0)
        return;
    if (!json_object_get(ledger->trained, digest))
        report(ledger, change, "the model was never trained with %.19s", digest);
    for (size_t i = 0; i < ledger->tag_count; i++)
        if (strcmp(ledger->tags[i].digest, digest) == 0 &&
            !was_named_since(ledger, digest, jx_int(ledger->born, uid, 0)))
            report(ledger, change, "%.19s was not current any more when the batch was made",
                   digest);
}

/* --- about who writes
 * ------------------------------------------------------------------------------ */

static bool is_lease(const struct change *change)
{
    return strcmp(change->resource->plural, "leases") == 0;
}

/* Nothing is sent in the last third of the time that a renewal counts for. */
static void only_the_leader_writes(struct ledger *ledger, const struct change *change)
{
    const struct sim *sim = ledger->play->sim;

    if (!sim->writer || sim->writer_is_late || !(is_ours(change) || is_new_job(ledger, change)))
        return;
    if (!same(ledger->holder, sim->writer->identity))
        report(ledger, change, "%s wrote while %s was the leader", sim->writer->identity,
               text_of(ledger->holder));
    if (sim->now_ms - ledger->lease_ms > sim->lease_ms * 2 / 3)
        report(ledger, change, "%s wrote with a lease of %d ms ago", sim->writer->identity,
               (int)(sim->now_ms - ledger->lease_ms));
}

static bool is_same_but_status(const struct change *change)
{
    json_t *before auto_json = json_copy(change->before->json);
    json_t *after auto_json = json_copy(change->after->json);
    json_t *metadata auto_json = json_copy(json_object_get(before, "metadata"));

    json_object_del(before, "status");
    json_object_del(after, "status");
    json_object_set(metadata, "resourceVersion",
                    jx_get(after, "metadata", "resourceVersion", NULL));
    json_object_set(before, "metadata", metadata);
    json_object_del(json_object_get(before, "metadata"), "managedFields");
    return json_equal(before, after);
}

/* Controllers write status, Jobs, Events and their Lease, and nothing else. */
static void nothing_of_others_is_touched(struct ledger *ledger, const struct change *change)
{
    const char *plural = change->resource->plural;

    if (!ledger->play->sim->writer || strcmp(plural, "events") == 0 || is_lease(change) ||
        strcmp(plural, "pods") == 0)
        return;
    if (strcmp(plural, "jobs") == 0) {
        if (!job_owner_uid(change->after->json))
            report(ledger, change, "a Job that is not ours was written");
    } else if (!is_ours(change)) {
        report(ledger, change, "a controller has no business here");
    } else if (change->type != CHANGE_MODIFIED) {
        if (!job_owner_uid(change->after->json)) /* an inbox makes and removes its own batches */
            report(ledger, change, "a controller made or removed what a user owns");
    } else if (change->before && !is_same_but_status(change)) {
        report(ledger, change, "a controller wrote more than status");
    }
}

/* --- how often
 * ------------------------------------------------------------------------------------ */

static void writes_are_bounded(struct ledger *ledger, const struct change *change)
{
    char *key auto_free = NULL;
    int64_t now_ms = ledger->play->sim->now_ms;
    json_t *times;

    if (!ledger->play->sim->writer || !is_ours(change))
        return;
    key = mem_format("%s/%s", change->resource->plural,
                     jx_string(change->after->json, "metadata", "name", NULL));
    times = json_object_get(ledger->writes, key);
    if (!times) {
        times = json_array();
        json_object_set_new(ledger->writes, key, times);
    }
    json_array_append_new(times, json_integer(now_ms));
    if (json_array_size(times) <= WRITES_MAXIMUM)
        return;
    if (now_ms - json_integer_value(json_array_get(times, 0)) < WINDOW_MS)
        report(ledger, change, "%d writes within %d ms", WRITES_MAXIMUM, WINDOW_MS);
    json_array_remove(times, 0);
}

/* --- after a move
 * ------------------------------------------------------------------------------------ */

static void files_are_written_once(struct ledger *ledger)
{
    if (ledger->play->sim->volume.offence)
        report(ledger, NULL, "%s", ledger->play->sim->volume.offence);
}

/* --- tables
 * ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*check)(struct ledger *ledger, const struct change *change);
} of_changes[] = {
    { "one_live_job", one_live_job },
    { "jobs_are_explained", jobs_are_explained },
    { "nothing_runs_twice", nothing_runs_twice },
    { "suspended_objects_rest", suspended_objects_rest },
    { "no_generation_is_claimed_unseen", no_generation_is_claimed_unseen },
    { "transitions_have_times", transitions_have_times },
    { "complete_is_for_ever", complete_is_for_ever },
    { "trainings_are_counted", trainings_are_counted },
    { "models_are_fresh", models_are_fresh },
    { "only_the_leader_writes", only_the_leader_writes },
    { "nothing_of_others_is_touched", nothing_of_others_is_touched },
    { "writes_are_bounded", writes_are_bounded },
    { "versions_are_there", versions_are_there },
    { "promotions_are_deserved", promotions_are_deserved },
    { "ticks_are_trained_once", ticks_are_trained_once },
    { "files_become_one_batch", files_become_one_batch },
    { "inboxes_are_bounded", inboxes_are_bounded },
};

static const struct {
    const char *name;
    void (*check)(struct ledger *ledger);
} of_states[] = {
    { "files_are_written_once", files_are_written_once },
};

/* --- the ledger ----------------------------------------------------------------------------------
 */

static void remember(struct ledger *ledger, const struct change *change)
{
    const struct sim *sim = ledger->play->sim;
    const json_t *object = change->after->json;
    const char *name = jx_string(object, "metadata", "name", NULL);
    const char *trained = jx_string(object, "status", "lastTraining", "imageDigest", NULL);

    if (is_ours(change) && trained && strcmp(name, "m") == 0)
        json_object_set_new(ledger->trained, trained, json_true());
    if (is_lease(change)) {
        free(ledger->holder);
        ledger->holder = mem_strdup(text_of(jx_string(object, "spec", "holderIdentity", NULL)));
        ledger->lease_ms = sim->now_ms;
    } else if (is_ours(change) && change->type == CHANGE_ADDED) {
        json_object_set_new(ledger->born, jx_string(object, "metadata", "uid", NULL),
                            json_integer(sim->now_ms));
    } else if (is_new_job(ledger, change) && sim->writer_is_late) {
        json_object_set_new(ledger->late_jobs, name, json_true());
    } else if (change->resource->role == ROLE_JOB && change->type == CHANGE_DELETED) {
        json_object_del(ledger->late_jobs, name);
    }
}

static void on_change(void *context, const struct change *change)
{
    struct ledger *ledger = context;

    remember(ledger, change);
    remember_of_models(ledger, change);
    for (size_t i = 0; i < ARRAY_SIZE(of_changes); i++) {
        ledger->checking = of_changes[i].name;
        of_changes[i].check(ledger, change);
    }
}

void ledger_check(struct ledger *ledger)
{
    for (size_t i = 0; i < ARRAY_SIZE(of_states); i++) {
        ledger->checking = of_states[i].name;
        of_states[i].check(ledger);
    }
}

void ledger_tag_moved(struct ledger *ledger, const char *digest)
{
    if (ledger->tag_count == TAGS_MAXIMUM)
        sim_fail("the ledger is full");
    ledger->tags[ledger->tag_count].since_ms = ledger->play->sim->now_ms;
    (void)snprintf(ledger->tags[ledger->tag_count++].digest, IMAGE_DIGEST, "%s", digest);
}

struct ledger *ledger_new(struct play *play)
{
    struct ledger *ledger = mem_zero(1, sizeof(*ledger));

    *ledger = (struct ledger){ .play = play,
                               .late_jobs = json_object(),
                               .born = json_object(),
                               .trained = json_object(),
                               .writes = json_object(),
                               .uses = json_object(),
                               .ticks = json_object(),
                               .inboxes = json_object(),
                               .watcher = { .on_change = on_change, .context = ledger } };
    store_watch(&play->sim->cluster.store, &ledger->watcher);
    play->sim->volume.on_delete = version_is_deleted;
    play->sim->volume.context = ledger;
    ledger_tag_moved(ledger, images_find(&play->sim->front.images, SIM_TRAINER)->digest);
    return ledger;
}
