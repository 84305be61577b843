#include "objects.h"

#include "base/limits.h"
#include "base/packer.h"
#include "base/sha256.h"
#include "contract/check.h"
#include "project.h"

/* The label that job_builder.c gives every Job. */
#define JOBS_SELECTOR "app.kubernetes.io/managed-by=churn-controller"

const struct kube_resource object_resources[OBJECT_KINDS] = {
    [OBJECT_MODEL] = { API_GROUP, "v1alpha1", MODEL_PLURAL, MODEL_KIND },
    [OBJECT_BATCH] = { API_GROUP, "v1alpha1", BATCH_PLURAL, BATCH_KIND },
    [OBJECT_JOB] = { "batch", "v1", "jobs", "Job" },
};

static const char *const *const members_read[OBJECT_KINDS] = {
    [OBJECT_MODEL] = project_model_reads,
    [OBJECT_BATCH] = project_batch_reads,
    [OBJECT_JOB] = project_job_reads,
};

#define OUTPUT_DIGITS  16
#define VERSION_DIGITS 16

/* Precedes the projection of a batch, which is packed, in its cache entry: what is needed often
 * and must not cost parsing. */
struct batch_mark {
    int64_t created_ms;
    char output[OUTPUT_DIGITS + 1]; /* hash of the output's place; "" when the spec is not valid */
    char model[64];                 /* name; "" when the spec is not valid */
    char version[VERSION_DIGITS + 1], pinned[VERSION_DIGITS + 1]; /* of the model, in status
                                                                   * and spec; "": none */
    bool finished, started, deleting;
};

struct source {
    struct objects *objects;
    enum object_kind kind;
    struct informer *informer;
};

/* The versions of models that unfinished batches name in one way. */
struct version_index {
    struct batch_index versions;   /* "namespace/model" */
    struct batch_index by_version; /* "namespace/model/version": who names it */
};

struct objects {
    struct objects_options options;
    struct packer *packer;
    struct source sources[OBJECT_KINDS];
    struct batch_index by_model;  /* "namespace/model" */
    struct batch_index by_output; /* struct batch_mark's output */
    struct version_index in_use, wanted;
};

void object_key(const struct cache_entry *entry, char ret_key[OBJECT_KEY])
{
    (void)snprintf(ret_key, OBJECT_KEY, "%s/%s", cache_entry_namespace(entry),
                   cache_entry_name(entry));
}

/* --- what goes into the caches --------------------------------------------- */

static void mark_spec(const json_t *object, struct arena *arena, struct batch_mark *mark)
{
    const char *namespace = jx_string(object, "metadata", "namespace", NULL);
    const char *name = jx_string(object, "metadata", "name", NULL);
    const char *output = jx_string(object, "spec", "output", "uri", NULL);
    const char *model = jx_string(object, "spec", "modelRef", "name", NULL);
    char hex[SHA256_HEX];

    if (model && strlen(model) < sizeof(mark->model))
        (void)snprintf(mark->model, sizeof(mark->model), "%s", model);
    if (!output || !name || !namespace)
        return;
    sha256_of(span_of(batch_output_place(output, namespace, name, arena)), hex);
    memcpy(mark->output, hex, OUTPUT_DIGITS);
}

static void mark_version(char ret_version[VERSION_DIGITS + 1], const char *version)
{
    if (version && check_version(version, NULL) == 0)
        memcpy(ret_version, version, VERSION_DIGITS + 1);
}

static struct batch_mark mark_of_object(const json_t *object)
{
    struct batch_mark mark = { 0 };
    struct arena arena auto_arena = { 0 };
    struct metadata metadata;
    const char *job = jx_string(object, "status", "job", NULL);

    metadata_decode(object, &arena, &metadata);
    mark.created_ms = metadata.created_ms;
    mark.deleting = metadata.deleting;
    mark.finished = batch_is_over(object);
    mark.started = job && *job;
    mark_spec(object, &arena, &mark);
    mark_version(mark.version, jx_string(object, "status", "model", "version", NULL));
    mark_version(mark.pinned, jx_string(object, "spec", "modelVersion", NULL));
    return mark;
}

static void pack_job(const json_t *object, struct buf *blob)
{
    struct arena arena auto_arena = { 0 };
    struct job_view job;

    job_view_decode(object, &arena, &job);
    job_view_pack(&job, blob);
}

static int project(void *context, const json_t *object, struct span text, struct buf *blob,
                   struct err *err)
{
    const struct source *source = context;
    auto_buf struct buf storage = { .maximum = LIMIT_KUBE_OBJECT };
    struct batch_mark mark;

    switch (source->kind) {
    case OBJECT_MODEL:
        text = project_model(text, &storage);
        break;
    case OBJECT_BATCH:
        mark = mark_of_object(object);
        buf_append(blob, &mark, sizeof(mark));
        text = project_batch(text, object, &storage);
        break;
    default:
        pack_job(object, blob);
        return buf_check(blob, "a projection", err);
    }
    packer_pack(source->objects->packer, text, blob);
    return buf_check(&storage, "a projection", err);
}

static const struct batch_mark *mark_of(const struct cache_entry *entry)
{
    return (const struct batch_mark *)(const void *)cache_entry_blob(entry).data;
}

static void release_json(void *object)
{
    json_decref(object);
}

void objects_job(const struct cache_entry *entry, struct arena *arena, struct job_view *ret_job)
{
    job_view_unpack(cache_entry_blob(entry), arena, ret_job);
    ret_job->name = arena_strdup(arena, cache_entry_name(entry));
    ret_job->uid = arena_strdup(arena, cache_entry_uid(entry));
    ret_job->resource_version = arena_strdup(arena, cache_entry_resource_version(entry));
}

/* In place of an object whose text is no JSON. */
static json_t *unreadable(const struct objects *objects, enum object_kind kind,
                          const struct cache_entry *entry, struct err *why)
{
    err_wrap(why, "%s %s/%s", object_resources[kind].kind, cache_entry_namespace(entry),
             cache_entry_name(entry));
    objects->options.handler.failed(objects->options.context, kind, why);
    return json_pack("{s{ss ss ss ss} ss}", "metadata", "namespace", cache_entry_namespace(entry),
                     "name", cache_entry_name(entry), "uid", cache_entry_uid(entry),
                     "resourceVersion", cache_entry_resource_version(entry), "status",
                     "unreadable");
}

const json_t *objects_decode(const struct objects *objects, const struct cache_entry *entry,
                             enum object_kind kind, struct arena *arena)
{
    auto_buf struct buf text = { .maximum = LIMIT_KUBE_OBJECT };
    struct span packed = cache_entry_blob(entry);
    size_t skip = kind == OBJECT_BATCH ? sizeof(struct batch_mark) : 0;
    struct err err;
    json_t *object;

    packer_unpack(objects->packer, (struct span){ packed.data + skip, packed.length - skip },
                  &text);
    object = jx_parse((struct span){ text.data, text.length }, LIMIT_KUBE_OBJECT, "an object", &err)
                 ?: unreadable(objects, kind, entry, &err);
    arena_defer(arena, release_json, object);
    return object;
}

/* --- who is woken ------------------------------------------------------------ */

static void wake(const struct objects *objects, enum object_kind kind, const char *key)
{
    objects->options.handler.wake(objects->options.context, kind, key);
}

static void wake_batch(void *context, const char *key)
{
    wake(context, OBJECT_BATCH, key);
}

static void model_changed(const struct objects *objects, const char *key)
{
    wake(objects, OBJECT_MODEL, key);
    batch_index_each(&objects->by_model, key, wake_batch, (void *)objects);
}

static void model_key(const struct cache_entry *batch, char ret_key[OBJECT_KEY])
{
    (void)snprintf(ret_key, OBJECT_KEY, "%s/%s", cache_entry_namespace(batch),
                   mark_of(batch)->model);
}

static void index_version(struct version_index *index, const char *model, const char *version,
                          const char *key)
{
    char named[OBJECT_KEY + VERSION_DIGITS + 1];

    if (!*version)
        return;
    (void)snprintf(named, sizeof(named), "%s/%s", model, version);
    batch_index_add(&index->by_version, named, key);
    batch_index_add(&index->versions, model, version);
}

static void unindex_version(struct version_index *index, const char *model, const char *version,
                            const char *key)
{
    char named[OBJECT_KEY + VERSION_DIGITS + 1];

    if (!*version)
        return;
    (void)snprintf(named, sizeof(named), "%s/%s", model, version);
    batch_index_remove(&index->by_version, named, key);
    if (!batch_index_has(&index->by_version, named))
        batch_index_remove(&index->versions, model, version);
}

/* It writes there, or will. One that is being deleted starts nothing more. */
static bool claims_output(const struct batch_mark *mark)
{
    return !mark->finished && (mark->started || !mark->deleting);
}

static void index_batch(struct objects *objects, const struct cache_entry *entry, const char *key)
{
    char model[OBJECT_KEY];

    if (mark_of(entry)->finished)
        return;
    model_key(entry, model);
    batch_index_add(&objects->by_model, model, key);
    if (claims_output(mark_of(entry)))
        batch_index_add(&objects->by_output, mark_of(entry)->output, key);
    index_version(&objects->in_use, model, mark_of(entry)->version, key);
    index_version(&objects->wanted, model, mark_of(entry)->pinned, key);
}

static void unindex_batch(struct objects *objects, const struct cache_entry *entry, const char *key)
{
    char model[OBJECT_KEY];

    model_key(entry, model);
    batch_index_remove(&objects->by_model, model, key);
    batch_index_remove(&objects->by_output, mark_of(entry)->output, key);
    unindex_version(&objects->in_use, model, mark_of(entry)->version, key);
    unindex_version(&objects->wanted, model, mark_of(entry)->pinned, key);
}

/* A model counts the batches of its inbox: those that it owns. */
static void wake_inbox(const struct objects *objects, const struct cache_entry *before,
                       const struct cache_entry *after)
{
    const struct cache_entry *batch = after ? after : before;
    char key[OBJECT_KEY];

    if (strcmp(cache_entry_owner_kind(batch), MODEL_KIND) != 0 ||
        (before && after && mark_of(before)->finished == mark_of(after)->finished &&
         mark_of(before)->deleting == mark_of(after)->deleting))
        return;
    (void)snprintf(key, sizeof(key), "%s/%s", cache_entry_namespace(batch),
                   cache_entry_owner_name(batch));
    wake(objects, OBJECT_MODEL, key);
}

/* A training at work may delete the version that a batch begins to use. */
static void wake_model_of_version(const struct objects *objects, const struct cache_entry *before,
                                  const struct cache_entry *after)
{
    char key[OBJECT_KEY];

    if (!after || mark_of(after)->finished || !*mark_of(after)->version ||
        (before && strcmp(mark_of(before)->version, mark_of(after)->version) == 0))
        return;
    model_key(after, key);
    wake(objects, OBJECT_MODEL, key);
}

static void batch_changed(struct objects *objects, const struct cache_entry *before,
                          const struct cache_entry *after, const char *key)
{
    bool frees_output = before && claims_output(mark_of(before)) &&
                        (!after || !claims_output(mark_of(after)) ||
                         strcmp(mark_of(before)->output, mark_of(after)->output) != 0);

    if (before)
        unindex_batch(objects, before, key);
    if (after)
        index_batch(objects, after, key);
    if (frees_output)
        batch_index_each(&objects->by_output, mark_of(before)->output, wake_batch, objects);
    wake_inbox(objects, before, after);
    wake_model_of_version(objects, before, after);
    wake(objects, OBJECT_BATCH, key);
}

/* A batch that names an old version waits for a training that may delete it. */
static void job_changed(const struct objects *objects, const struct cache_entry *job)
{
    const char *kind = cache_entry_owner_kind(job);
    char key[OBJECT_KEY];

    (void)snprintf(key, sizeof(key), "%s/%s", cache_entry_namespace(job),
                   cache_entry_owner_name(job));
    if (strcmp(kind, MODEL_KIND) == 0)
        model_changed(objects, key);
    else if (strcmp(kind, BATCH_KIND) == 0)
        wake(objects, OBJECT_BATCH, key);
}

static void on_change(void *context, const struct cache_entry *before,
                      const struct cache_entry *after)
{
    const struct source *source = context;
    struct objects *objects = source->objects;
    char key[OBJECT_KEY];

    object_key(after ? after : before, key);
    if (source->kind == OBJECT_MODEL)
        model_changed(objects, key);
    else if (source->kind == OBJECT_BATCH)
        batch_changed(objects, before, after, key);
    else
        job_changed(objects, after ? after : before);
    if (!after && source->kind != OBJECT_JOB)
        objects->options.handler.gone(objects->options.context, source->kind, key,
                                      cache_entry_uid(before));
}

static void on_failure(void *context, const struct err *failure)
{
    const struct source *source = context;

    source->objects->options.handler.failed(source->objects->options.context, source->kind,
                                            failure);
}

/* --- life -------------------------------------------------------------------- */

struct objects *objects_new(const struct objects_options *options)
{
    struct objects *objects = mem_zero(1, sizeof(*objects));

    objects->options = *options;
    objects->packer = packer_new();
    for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++) {
        struct source *source = &objects->sources[kind];

        *source = (struct source){ .objects = objects, .kind = kind };
        source->informer = informer_new(
            &(struct informer_options){ .client = options->client,
                                        .resource = object_resources[kind],
                                        .namespace = options->namespace,
                                        .label_selector = kind == OBJECT_JOB ? JOBS_SELECTOR : NULL,
                                        .seed = options->seed + kind,
                                        .watch_list = options->watch_list,
                                        .read = members_read[kind],
                                        .project = project,
                                        .on_change = on_change,
                                        .on_failure = on_failure,
                                        .context = source });
    }
    return objects;
}

static void version_index_release(struct version_index *index)
{
    batch_index_release(&index->versions);
    batch_index_release(&index->by_version);
}

void objects_free(struct objects *objects)
{
    if (!objects)
        return;
    for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++)
        informer_free(objects->sources[kind].informer);
    batch_index_release(&objects->by_model);
    batch_index_release(&objects->by_output);
    version_index_release(&objects->in_use);
    version_index_release(&objects->wanted);
    packer_free(objects->packer);
    free(objects);
}

void objects_start(struct objects *objects)
{
    for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++)
        informer_start(objects->sources[kind].informer);
}

bool objects_are_synced(const struct objects *objects)
{
    struct informer_health health;

    for (enum object_kind kind = 0; kind < OBJECT_KINDS; kind++) {
        objects_health(objects, kind, &health);
        if (!health.synced)
            return false;
    }
    return true;
}

const struct cache *objects_cache(const struct objects *objects, enum object_kind kind)
{
    return informer_cache(objects->sources[kind].informer);
}

void objects_health(const struct objects *objects, enum object_kind kind,
                    struct informer_health *ret_health)
{
    informer_health(objects->sources[kind].informer, ret_health);
}

/* --- reading ----------------------------------------------------------------- */

void objects_wake_all(const struct objects *objects)
{
    char key[OBJECT_KEY];

    for (enum object_kind kind = OBJECT_MODEL; kind <= OBJECT_BATCH; kind++) {
        const struct cache *cache = objects_cache(objects, kind);
        const struct cache_entry *entry;
        size_t cursor = 0;

        while ((entry = cache_next(cache, &cursor))) {
            object_key(entry, key);
            wake(objects, kind, key);
        }
    }
}

const struct cache_entry *objects_find(const struct objects *objects, enum object_kind kind,
                                       const char *key)
{
    const char *slash = strchr(key, '/');
    char namespace[OBJECT_KEY];

    if (!slash || slash - key >= OBJECT_KEY)
        return NULL;
    memcpy(namespace, key, (size_t)(slash - key));
    namespace[slash - key] = '\0';
    return cache_get(objects_cache(objects, kind), namespace, slash + 1);
}

static void show_batch(const struct cache_entry *entry, bool owned, struct inbox_batch *ret_batch)
{
    *ret_batch = (struct inbox_batch){ .name = cache_entry_name(entry),
                                       .uid = cache_entry_uid(entry),
                                       .created_ms = mark_of(entry)->created_ms,
                                       .owned = owned,
                                       .finished = mark_of(entry)->finished,
                                       .deleting = mark_of(entry)->deleting };
}

void objects_inbox_batches(const struct objects *objects, const struct cache_entry *model,
                           const json_t *pending, struct arena *arena,
                           const struct inbox_batch **ret_batches, size_t *ret_count)
{
    const struct cache *cache = objects_cache(objects, OBJECT_BATCH);
    const char *owner = cache_entry_uid(model), *name;
    size_t count = 0, capacity = json_array_size(pending);
    struct inbox_batch *batches;

    for (const struct cache_entry *entry = cache_first_owned(cache, owner); entry;
         entry = cache_next_owned(entry))
        capacity++;
    batches = arena_zero(arena, capacity, sizeof(*batches));
    for (const struct cache_entry *entry = cache_first_owned(cache, owner); entry;
         entry = cache_next_owned(entry))
        show_batch(entry, true, &batches[count++]);
    for (size_t i = 0; i < json_array_size(pending); i++) {
        const struct cache_entry *entry;

        name = jx_string(json_array_get(pending, i), "name", NULL);
        entry = name ? cache_get(cache, cache_entry_namespace(model), name) : NULL;
        if (entry && strcmp(cache_entry_owner_uid(entry), owner) != 0)
            show_batch(entry, false, &batches[count++]);
    }
    *ret_batches = batches;
    *ret_count = count;
}

bool objects_batch_is_finished(const struct cache_entry *entry)
{
    return mark_of(entry)->finished;
}

struct rivals {
    const struct objects *objects;
    const struct cache_entry *batch;
    struct output_rival *items;
    size_t count, capacity;
    struct arena *arena;
};

static void count_rival(void *context, const char *key)
{
    (void)key;
    ((struct rivals *)context)->capacity++;
}

static void add_rival(void *context, const char *key)
{
    struct rivals *rivals = context;
    const struct cache_entry *entry = objects_find(rivals->objects, OBJECT_BATCH, key);

    if (!entry || entry == rivals->batch)
        return;
    rivals->items[rivals->count++] = (struct output_rival){
        .namespace_ = cache_entry_namespace(entry),
        .name = cache_entry_name(entry),
        .created_ms = mark_of(entry)->created_ms,
        .started = mark_of(entry)->started,
    };
}

void objects_rivals(const struct objects *objects, const struct cache_entry *batch,
                    struct arena *arena, const struct output_rival **ret_rivals, size_t *ret_count)
{
    struct rivals rivals = { .objects = objects, .batch = batch, .arena = arena };
    const char *output = mark_of(batch)->output;

    *ret_rivals = NULL;
    *ret_count = 0;
    if (!*output)
        return;
    batch_index_each(&objects->by_output, output, count_rival, &rivals);
    rivals.items = arena_zero(arena, rivals.capacity, sizeof(*rivals.items));
    batch_index_each(&objects->by_output, output, add_rival, &rivals);
    *ret_rivals = rivals.items;
    *ret_count = rivals.count;
}

struct versions {
    struct strings list;
    struct arena *arena;
};

static void count_version(void *context, const char *version)
{
    (void)version;
    ((struct versions *)context)->list.count++;
}

static void add_version(void *context, const char *version)
{
    struct versions *versions = context;

    versions->list.items[versions->list.count++] = arena_strdup(versions->arena, version);
}

struct strings objects_versions(const struct objects *objects, const struct cache_entry *model,
                                bool wanted, struct arena *arena)
{
    const struct version_index *index = wanted ? &objects->wanted : &objects->in_use;
    struct versions versions = { .arena = arena };
    char key[OBJECT_KEY];

    object_key(model, key);
    batch_index_each(&index->versions, key, count_version, &versions);
    versions.list.items = arena_zero(arena, versions.list.count, sizeof(*versions.list.items));
    versions.list.count = 0;
    batch_index_each(&index->versions, key, add_version, &versions);
    return versions.list;
}
