#include "base/limits.h"
#include "base/num.h"
#include "contract/job.h"
#include "contract/reasons.h"
#include "job_builder.h"
#include "world.h"

#define START_MS   1767225600000 /* 2026-01-01 */
#define ROUNDS     40
#define VERSION_OF "%.16s" /* a version made from a run key */

static json_t *parse(const char *text)
{
    struct err err;
    json_t *value = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "test", &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

void world_init(struct world *world)
{
    *world = (struct world){ .objects = json_object(),
                             .pods = json_object(),
                             .seen = json_object(),
                             .now_ms = START_MS,
                             .trainer_digest = DIGEST_A,
                             .other_digest = DIGEST_S,
                             .auc = "0.87",
                             .folder_uri = "file:///data/models/bank.m/",
                             .budget = -1 };
}

void world_release(struct world *world)
{
    json_decref(world->objects);
    json_decref(world->pods);
    json_decref(world->seen);
    arena_release(&world->arena);
}

/* --- objects ------------------------------------------------------------- */

static const char *key_of(struct world *world, const char *kind, const char *name)
{
    return arena_format(&world->arena, "%s/%s", kind, name);
}

json_t *world_get(const struct world *world, const char *kind, const char *name)
{
    auto_free char *key = mem_format("%s/%s", kind, name);
    return json_object_get(world->objects, key);
}

void world_remove(struct world *world, const char *kind, const char *name)
{
    json_object_del(world->objects, key_of(world, kind, name));
}

static void touch(struct world *world, json_t *object)
{
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                        json_sprintf("%" PRId64, ++world->version));
}

void world_add(struct world *world, const char *kind, const char *name, const char *spec)
{
    char created[NUM_TIME_TEXT];
    num_format_time(world->now_ms, created);
    json_t *object = json_pack("{ss s{ss ss so si ss} so}", "kind", kind, "metadata", "namespace",
                               "bank", "name", name, "uid", json_sprintf("uid-%s-%s", kind, name),
                               "generation", 1, "creationTimestamp", created, "spec", parse(spec));
    touch(world, object);
    json_object_set_new(world->objects, key_of(world, kind, name), object);
}

void world_edit(struct world *world, const char *kind, const char *name, const char *patch)
{
    json_t *object = world_get(world, kind, name), *metadata = json_object_get(object, "metadata");
    auto_json json_t *change = parse(patch);
    json_object_set_new(object, "spec", jx_merge_apply(json_object_get(object, "spec"), change));
    json_object_set_new(metadata, "generation",
                        json_integer(jx_int(metadata, "generation", 0) + 1));
    json_object_del(world->seen, jx_string(metadata, "uid", NULL));
    touch(world, object);
}

/* --- views --------------------------------------------------------------- */

static bool has_kind(const char *key, const char *kind)
{
    return strncmp(key, kind, strlen(kind)) == 0 && key[strlen(kind)] == '/';
}

static void view_jobs(const struct world *world, const char *uid, struct arena *arena,
                      struct object_view *view)
{
    struct job_view *jobs = arena_zero(arena, json_object_size(world->objects), sizeof(*jobs));
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        if (!has_kind(key, "Job") || strcmp(job_owner_uid(object), uid) != 0)
            continue;
        job_view_decode(object, arena, &jobs[view->job_count++]);
    }
    view->jobs = jobs;
}

static void view_object(struct world *world, const json_t *object, struct arena *arena,
                        struct object_view *view)
{
    metadata_decode(object, arena, &view->metadata);
    view->raw_status = json_object_get(object, "status");
    view_jobs(world, view->metadata.uid, arena, view);
    view->facts = (struct facts){ .images = world->images,
                                  .image_count = world->image_count,
                                  .folders = world->folders,
                                  .folder_count = world->folder_count };
    if (world->job_fact.name)
        view->facts.job = &world->job_fact;
    if (world->pods_fact.job)
        view->facts.pods = &world->pods_fact;
    view->refusals = world->refusals;
    view->refusal_count = world->refusal_count;
    view->settings = &world_settings;
    view->now_ms = view->steady_ms = world->now_ms;
    if (!json_object_get(world->seen, view->metadata.uid))
        json_object_set_new(world->seen, view->metadata.uid, json_integer(world->now_ms));
    view->seen_ms = jx_int(world->seen, view->metadata.uid, 0);
}

static void view_rivals(struct world *world, const json_t *self, struct arena *arena,
                        struct batch_view *view)
{
    struct output_rival *rivals =
        arena_zero(arena, json_object_size(world->objects), sizeof(*rivals));
    const char *key, *mine = jx_string(self, "spec", "output", "uri", NULL);
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        struct metadata metadata;
        struct batch_status status;
        if (!has_kind(key, "ChurnBatch") || object == self)
            continue;
        metadata_decode(object, arena, &metadata);
        assert_int_equal(
            0, batch_status_decode(json_object_get(object, "status"), arena, &status, NULL));
        const char *theirs = jx_string(object, "spec", "output", "uri", NULL);
        if (batch_is_finished(&status) ||
            strcmp(batch_output_place(mine, view->object.metadata.namespace_,
                                      view->object.metadata.name, arena),
                   batch_output_place(theirs, metadata.namespace_, metadata.name, arena)) != 0)
            continue;
        rivals[view->rival_count++] =
            (struct output_rival){ metadata.namespace_, metadata.name, metadata.created_ms,
                                   status.job != NULL };
    }
    view->rivals = rivals;
}

static void add_version(struct strings *versions, const char *version)
{
    if (version)
        versions->items[versions->count++] = version;
}

static void view_versions(const struct world *world, struct arena *arena, struct model_view *view)
{
    const char *key;
    json_t *object;
    struct strings *in_use = &view->versions_in_use, *wanted = &view->versions_wanted;
    in_use->items = arena_zero(arena, json_object_size(world->objects), sizeof(*in_use->items));
    wanted->items = arena_zero(arena, json_object_size(world->objects), sizeof(*wanted->items));
    json_object_foreach(world->objects, key, object)
    {
        const json_t *status = json_object_get(object, "status");
        struct batch_status decoded;
        if (!has_kind(key, "ChurnBatch") ||
            batch_status_decode(status, arena, &decoded, NULL) < 0 || batch_is_finished(&decoded))
            continue;
        add_version(in_use, jx_string(status, "model", "version", NULL));
        add_version(wanted, jx_string(object, "spec", "modelVersion", NULL));
    }
}

static const struct zone *zone_of(struct world *world, const json_t *spec)
{
    const char *name = jx_string(spec, "retrain", "timeZone", NULL);
    struct zone *zone = arena_zero(&world->arena, 1, sizeof(*zone));
    int outcome = zone_read(ZONE_FOLDER, name ? name : "UTC", &world->arena, zone, NULL);
    return outcome == 0 ? zone : NULL;
}

/* What the cache would keep of it. */
static json_t *keep_batch(const json_t *object)
{
    auto_buf struct buf storage = { .maximum = LIMIT_KUBE_OBJECT };
    auto_free char *text = jx_canonical(object);
    json_t *kept = jx_parse(project_batch(span_of(text), object, &storage), LIMIT_KUBE_OBJECT,
                            "what is kept", NULL);
    assert_non_null(kept);
    return kept;
}

static void reconcile(struct world *world, const char *kind, json_t *object, struct plan *plan)
{
    auto_arena struct arena arena = { 0 };
    if (strcmp(kind, "ChurnModel") == 0) {
        struct model_view view = { .raw_spec = json_object_get(object, "spec"),
                                   .asked = world->asked };
        view_object(world, object, &arena, &view.object);
        view_versions(world, &arena, &view);
        view.zone = zone_of(world, view.raw_spec);
        view.zone_error = "is not known";
        world_view_inbox(world, object, &arena, &view);
        reconcile_model(&view, plan);
        return;
    }
    struct batch_view view = { 0 };
    struct model_of_batch model = { 0 };
    auto_json json_t *reduced = keep_batch(object);
    view.raw_spec = json_object_get(reduced, "spec");
    view_object(world, reduced, &arena, &view.object);
    view_rivals(world, object, &arena, &view);
    const char *name = jx_string(object, "spec", "modelRef", "name", NULL);
    const json_t *found = name ? world_get(world, "ChurnModel", name) : NULL;
    if (found) {
        metadata_decode(found, &arena, &model.metadata);
        model.raw_spec = json_object_get(found, "spec");
        model.raw_status = json_object_get(found, "status");
        model.zone = zone_of(world, model.raw_spec);
        struct object_view jobs = { 0 };
        view_jobs(world, model.metadata.uid, &arena, &jobs);
        model.jobs = jobs.jobs;
        model.job_count = jobs.job_count;
        view.model = &model;
    }
    reconcile_batch(&view, plan);
}

/* --- applying plans ------------------------------------------------------ */

static void write_status(struct world *world, json_t *object, const struct plan *plan,
                         const json_t *patch)
{
    json_t *status = json_object_get(object, "status");
    auto_json json_t *empty = json_object();
    json_object_set_new(object, "status",
                        jx_merge_apply(status ? status : empty, json_object_get(patch, "status")));
    touch(world, object);
    world->status_writes++;
    if (plan->skipped_counted)
        world->asked = 0;
}

static void create_job(struct world *world, const json_t *owner, const struct action *action)
{
    char started[NUM_TIME_TEXT];
    if (world->refuses_jobs) {
        world_refuse(world, owner, action->create.name, "spec.template: Invalid value");
        return;
    }
    if (world_get(world, "Job", action->create.name))
        fail_msg("Job %s exists", action->create.name);
    json_t *job = json_deep_copy(action->create.object);
    num_format_time(world->now_ms, started);
    json_object_set_new(json_object_get(job, "metadata"), "uid",
                        json_sprintf("uid-job-%" PRId64, ++world->sequence));
    json_object_set_new(job, "status",
                        json_pack("{ss si si}", "startTime", started, "active", 1, "ready", 1));
    touch(world, job);
    json_object_set_new(world->objects, key_of(world, "Job", action->create.name), job);
    world->created++;
    world_forget_refusal(world, action->create.name);
}

static void delete_job(struct world *world, const struct action *action)
{
    json_t *job = world_get(world, "Job", action->delete_.name);
    world->deleted++;
    if (!job || strcmp(jx_string(job, "metadata", "uid", NULL), action->delete_.uid) != 0)
        return;
    if (world->slow_deletion)
        json_object_set_new(json_object_get(job, "metadata"), "deletionTimestamp",
                            json_string("2026-01-01T00:00:00Z"));
    else
        world_remove(world, "Job", action->delete_.name);
}

static void expire_job(struct world *world, const struct action *action)
{
    const struct opt_int *ttl = &action->expire.ttl_seconds;
    json_t *job = world_get(world, "Job", action->expire.name);
    assert_string_equal(jx_string(job, "metadata", "resourceVersion", NULL),
                        action->expire.resource_version);
    assert_non_null(jx_get(job, "status", "conditions", NULL));
    json_object_set_new(json_object_get(job, "spec"), "ttlSecondsAfterFinished",
                        ttl->set ? json_integer(ttl->value) : json_null());
    touch(world, job);
    world->expired++;
}

static void apply(struct world *world, json_t *object, const struct plan *plan,
                  const struct action *action)
{
    switch (action->kind) {
    case ACTION_WRITE_STATUS:
        write_status(world, object, plan, action->patch);
        break;
    case ACTION_DELETE_JOB:
        delete_job(world, action);
        break;
    case ACTION_EXPIRE_JOB:
        expire_job(world, action);
        break;
    case ACTION_CREATE_JOB:
        create_job(world, object, action);
        break;
    case ACTION_CREATE_BATCH:
        world_create_batch(world, action);
        break;
    case ACTION_DELETE_BATCH:
        world_delete_batch(world, action);
        break;
    case ACTION_EVENT:
        world->events++;
        world->warnings += action->event.warning;
        world->last_event = arena_strdup(&world->arena, action->event.reason);
        break;
    case ACTION_NEED_FACT:
        world_answer(world, &action->need);
        break;
    case ACTION_WAKE:
        world->asked += action->wake.asked;
        break;
    }
}

static bool is_write(const struct action *action)
{
    return action->kind != ACTION_EVENT && action->kind != ACTION_WAKE &&
           action->kind != ACTION_NEED_FACT;
}

bool world_step(struct world *world, const char *kind, const char *name)
{
    auto_plan struct plan plan;
    json_t *object = world_get(world, kind, name);
    plan_init(&plan);
    if (!object)
        return false;
    reconcile(world, kind, object, &plan);
    assert_null(plan.problem);
    world->job_fact = (struct job_fact){ 0 };
    world->pods_fact = (struct pods_fact){ 0 };
    world->requeue_after_ms = plan.requeue_after_ms;
    for (size_t i = 0; i < plan.count && !world->killed; i++) {
        if (is_write(&plan.actions[i]) && world->budget == 0)
            world->killed = true;
        else
            apply(world, object, &plan, &plan.actions[i]);
        world->acted |= plan.actions[i].kind != ACTION_NEED_FACT;
        world->budget -= is_write(&plan.actions[i]) && world->budget > 0;
    }
    return plan.count > 0;
}

/* Facts about a single Job are for the object that asked: it is stepped until
 * its plan is empty before another is. */
static void settle_object(struct world *world, const char *key)
{
    const char *slash = strchr(key, '/');
    const char *kind = arena_strndup(&world->arena, key, (size_t)(slash - key));
    const char *name = arena_strdup(&world->arena, slash + 1);
    for (int round = 0; round < ROUNDS; round++)
        if (world->killed || !world_step(world, kind, name))
            return;
    fail_msg("%s does not come to rest: %s", key, world->last_event);
}

void world_settle(struct world *world)
{
    world->acted = true;
    for (int round = 0; world->acted && !world->killed; round++) {
        auto_json json_t *keys = json_array();
        const char *key;
        json_t *object;
        json_object_foreach(world->objects, key, object)
        {
            if (!has_kind(key, "Job"))
                json_array_append_new(keys, json_string(key));
        }
        world->acted = false;
        for (size_t i = 0; i < json_array_size(keys); i++)
            settle_object(world, json_string_value(json_array_get(keys, i)));
        if (round == ROUNDS)
            fail_msg("the world does not come to rest");
    }
}

/* --- Jobs ---------------------------------------------------------------- */

static bool is_unfinished(const json_t *job)
{
    return !jx_get(job, "status", "conditions", NULL);
}

const char *world_last_job(const struct world *world)
{
    const char *key, *last = NULL;
    json_t *object;
    json_object_foreach(world->objects, key, object) /* in the order of their making */
    {
        if (has_kind(key, "Job"))
            last = jx_string(object, "metadata", "name", NULL);
    }
    return last;
}

const char *world_running(const struct world *world)
{
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        if (has_kind(key, "Job") && is_unfinished(object))
            return jx_string(object, "metadata", "name", NULL);
    }
    return NULL;
}

int world_jobs(const struct world *world)
{
    int count = 0;
    const char *key;
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        count += has_kind(key, "Job");
    }
    return count;
}

void world_end(struct world *world, const char *type, const char *reason, const char *message)
{
    const char *name = world_running(world);
    assert_non_null(name);
    json_t *job = world_get(world, "Job", name);
    json_object_set_new(json_object_get(job, "status"), "conditions",
                        json_pack("[{ss ss ss ss}]", "type", type, "status", "True", "reason",
                                  reason, "message", message));
    touch(world, job);
}

static void add_pod(struct world *world, const char *job, int exit_code, const char *reason,
                    const char *message)
{
    json_t *pods = json_pack("[{s{s[{ss s{s{si ss ss}}}]}}]", "status", "containerStatuses", "name",
                             JOB_CONTAINER, "state", "terminated", "exitCode", exit_code, "reason",
                             reason, "message", message ? message : "");
    json_object_set_new(world->pods, job, pods);
}

/* Only with a champion, as the trainer does it. */
static const char *comparison_of(const struct world *world, const json_t *document,
                                 char comparison[128])
{
    if (!world->champion_auc || !json_object_get(document, "champion"))
        return "";
    snprintf(comparison, 128,
             "\"comparison\": {\"metric\": \"auc\", \"challenger\": \"%s\", \"champion\": "
             "\"%s\", \"rows\": 100}, ",
             world->auc, world->champion_auc);
    return comparison;
}

/* What the program of this Job reports. */
static char *result_of(const struct world *world, const json_t *job)
{
    char comparison[128];
    const char *text =
        jx_string(job, "spec", "template", "metadata", "annotations", JOB_ANNOTATION, NULL);
    auto_json json_t *document = parse(text);
    if (strcmp(jx_string(document, "kind", NULL), "Train") == 0)
        return mem_format("{\"outcome\": \"Trained\", \"model\": {\"version\": \"" VERSION_OF
                          "\", \"uri\": \"%s" VERSION_OF "/\"}, "
                          "%s\"metrics\": [{\"name\": \"auc\", \"value\": \"%s\"}]}",
                          jx_string(document, "runKey", NULL), world->folder_uri,
                          jx_string(document, "runKey", NULL),
                          comparison_of(world, document, comparison), world->auc);
    return mem_format("{\"outcome\": \"Scored\", \"model\": {\"version\": \"%s\"}, \"input\": "
                      "{\"bytes\": 10}, \"output\": {\"uri\": \"%s\", \"bytes\": 20}, \"rows\": "
                      "{\"read\": 5, \"scored\": 4, \"rejected\": 1}, \"scores\": "
                      "{\"aboveThreshold\": 2, \"mean\": \"0.2\"}}",
                      jx_string(document, "model", "version", NULL),
                      jx_string(document, "output", "uri", NULL));
}

void world_report(struct world *world, const char *result)
{
    add_pod(world, world_running(world), 0, "Completed", result);
    world_end(world, "Complete", "CompletionsReached", "");
}

void world_succeed(struct world *world)
{
    const char *name = world_running(world);
    assert_non_null(name);
    auto_free char *result = result_of(world, world_get(world, "Job", name));
    world_report(world, result);
}

void world_fail(struct world *world, int exit_code, const char *message)
{
    const char *name = world_running(world);
    assert_non_null(name);
    add_pod(world, name, exit_code, exit_code == 137 ? "OOMKilled" : "Error", message);
    world_end(world, "Failed", "PodFailurePolicy", "Container churn failed");
}
