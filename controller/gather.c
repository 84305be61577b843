#include "gather.h"

#include "project.h"

static size_t count_jobs(const struct cache *jobs, const char *owner_uid)
{
    size_t count = 0;

    for (const struct cache_entry *entry = cache_first_owned(jobs, owner_uid); entry;
         entry = cache_next_owned(entry))
        count++;
    return count;
}

static const struct job_view *gather_jobs(const struct objects *objects, const char *owner_uid,
                                          struct arena *arena, size_t *ret_count)
{
    const struct cache *jobs = objects_cache(objects, OBJECT_JOB);
    struct job_view *views = arena_zero(arena, count_jobs(jobs, owner_uid), sizeof(*views));
    size_t count = 0;

    for (const struct cache_entry *entry = cache_first_owned(jobs, owner_uid); entry;
         entry = cache_next_owned(entry))
        objects_job(entry, arena, &views[count++]);
    *ret_count = count;
    return views;
}

static struct object_view gather_object(const struct gatherer *gatherer, const json_t *object,
                                        struct memo *memo, struct arena *arena)
{
    struct object_view view = { .raw_status = jx_get(object, "status", NULL),
                                .settings = gatherer->settings,
                                .now_ms = clock_wall_ms(gatherer->clock),
                                .steady_ms = clock_monotonic_ms(gatherer->clock) };

    metadata_decode(object, arena, &view.metadata);
    view.seen_ms = memo_see(memo, view.metadata.generation, view.steady_ms);
    view.refusals = memo->refusals;
    view.refusal_count = memo->refusal_count;
    view.jobs = gather_jobs(gatherer->objects, memo->uid, arena, &view.job_count);
    fact_user_view(&memo->facts, arena, &view.facts);
    answers_view(memo->answers, &view.facts);
    return view;
}

/* Of a spec that was not checked yet; NULL, with the reason, when it is not known. */
static const struct zone *gather_zone(const struct gatherer *gatherer, const json_t *spec,
                                      struct arena *arena, const char **ret_error)
{
    const char *name = jx_string(spec, "retrain", "timeZone", NULL);
    struct err err;
    const struct zone *zone = zones_find(gatherer->zones, name ? name : "UTC", &err);

    *ret_error = zone ? NULL : arena_strdup(arena, err.message);
    return zone;
}

void gather_model(const struct gatherer *gatherer, const struct cache_entry *entry,
                  struct memo *memo, struct arena *arena, struct model_view *ret_view)
{
    const json_t *object = objects_decode(gatherer->objects, entry, OBJECT_MODEL, arena);
    const json_t *pending = jx_get(object, "status", "inbox", "pending", NULL);

    *ret_view = (struct model_view){ .object = gather_object(gatherer, object, memo, arena),
                                     .raw_spec = jx_get(object, "spec", NULL),
                                     .asked = memo->asked,
                                     .versions_in_use =
                                         objects_versions(gatherer->objects, entry, false, arena),
                                     .versions_wanted =
                                         objects_versions(gatherer->objects, entry, true, arena) };
    ret_view->zone = gather_zone(gatherer, ret_view->raw_spec, arena, &ret_view->zone_error);
    objects_inbox_batches(gatherer->objects, entry, pending, arena, &ret_view->batches,
                          &ret_view->batch_count);
}

void gatherer_release(struct gatherer *gatherer)
{
    arena_release(&gatherer->recent.arena);
    gatherer->recent = (struct recent_model){ 0 };
}

static const json_t *decode_recent(struct gatherer *gatherer, const struct cache_entry *model)
{
    struct recent_model *recent = &gatherer->recent;
    const char *uid = cache_entry_uid(model), *version = cache_entry_resource_version(model);

    if (recent->object && strcmp(recent->uid, uid) == 0 &&
        strcmp(recent->resource_version, version) == 0)
        return recent->object;
    gatherer_release(gatherer);
    recent->uid = arena_strdup(&recent->arena, uid);
    recent->resource_version = arena_strdup(&recent->arena, version);
    recent->object = objects_decode(gatherer->objects, model, OBJECT_MODEL, &recent->arena);
    return recent->object;
}

/* NULL when it is not in the cache. */
static const struct model_of_batch *gather_model_of(struct gatherer *gatherer,
                                                    const struct cache_entry *batch,
                                                    const json_t *spec, struct arena *arena)
{
    const char *name = jx_string(spec, "modelRef", "name", NULL);
    const struct cache_entry *entry =
        name ? cache_get(objects_cache(gatherer->objects, OBJECT_MODEL),
                         cache_entry_namespace(batch), name)
             : NULL;
    struct model_of_batch *model;
    const json_t *object;
    const char *ignored;

    if (!entry)
        return NULL;
    object = decode_recent(gatherer, entry);
    model = arena_zero(arena, 1, sizeof(*model));
    metadata_decode(object, arena, &model->metadata);
    model->raw_spec = jx_get(object, "spec", NULL);
    model->raw_status = jx_get(object, "status", NULL);
    model->zone = gather_zone(gatherer, model->raw_spec, arena, &ignored);
    if (jx_string(spec, "modelVersion", NULL))
        model->jobs =
            gather_jobs(gatherer->objects, cache_entry_uid(entry), arena, &model->job_count);
    return model;
}

void gather_batch(struct gatherer *gatherer, const struct cache_entry *entry, struct memo *memo,
                  struct arena *arena, struct batch_view *ret_view)
{
    const json_t *object = objects_decode(gatherer->objects, entry, OBJECT_BATCH, arena);

    *ret_view = (struct batch_view){ .object = gather_object(gatherer, object, memo, arena),
                                     .raw_spec = jx_get(object, "spec", NULL) };
    ret_view->model = gather_model_of(gatherer, entry, ret_view->raw_spec, arena);
    objects_rivals(gatherer->objects, entry, arena, &ret_view->rivals, &ret_view->rival_count);
}
