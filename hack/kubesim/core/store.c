#include "kubesim/core/store.h"

#include <string.h>

/* Takes the tree over. One reference. */
static struct snapshot *snapshot_new(json_t *take_json, uint64_t revision)
{
    struct snapshot *snapshot = mem_zero(1, sizeof(*snapshot));
    snapshot->references = 1;
    snapshot->json = take_json;
    snapshot->revision = revision;
    return snapshot;
}

struct snapshot *snapshot_take(struct snapshot *snapshot)
{
    if (snapshot)
        snapshot->references++;
    return snapshot;
}

void snapshot_drop(struct snapshot *snapshot)
{
    if (!snapshot || --snapshot->references > 0)
        return;
    json_decref(snapshot->json);
    free(snapshot->text);
    free(snapshot);
}

struct span snapshot_text(struct snapshot *snapshot)
{
    if (!snapshot->text) {
        snapshot->text = json_dumps(snapshot->json, JSON_COMPACT);
        snapshot->length = strlen(snapshot->text);
    }
    return (struct span){ snapshot->text, snapshot->length };
}

void store_init(struct store *store, size_t log_capacity)
{
    *store = (struct store){ .log_capacity = log_capacity };
    store->log = mem_zero(log_capacity, sizeof(*store->log));
}

static void change_release(struct change *change)
{
    snapshot_drop(change->before);
    snapshot_drop(change->after);
}

void store_release(struct store *store, struct resources *resources)
{
    for (size_t i = 0; i < resources->count; i++) {
        struct index *objects = &resources->items[i]->objects;
        for (size_t j = 0; j < objects->count; j++) {
            struct object *object = objects->entries[j].value;
            snapshot_drop(object->snapshot);
            free(object);
        }
        index_release(objects);
    }
    for (size_t i = 0; i < store->log_count; i++)
        change_release(&store->log[(store->log_first + i) % store->log_capacity]);
    free(store->log);
    index_release(&store->owned);
    *store = (struct store){ 0 };
}

char *store_key(const char *namespace, const char *name)
{
    return mem_format("%s/%s", namespace ? namespace : "", name);
}

struct object *store_find(const struct resource *resource, const char *namespace, const char *name)
{
    auto_free char *key = store_key(resource->namespaced ? namespace : "", name);
    return index_get(&resource->storage->objects, key);
}

static void tell(struct store *store, const struct change *change)
{
    for (struct watcher *watcher = store->watchers; watcher; watcher = store->walking) {
        store->walking = watcher->next;
        if (!watcher->resource || watcher->resource == change->resource)
            watcher->on_change(watcher->context, change);
    }
}

static void append(struct store *store, enum change_type type, const struct object *object,
                   struct snapshot *before)
{
    if (store->log_count == store->log_capacity) {
        change_release(&store->log[store->log_first]);
        store->log_first = (store->log_first + 1) % store->log_capacity;
        store->log_count--;
    }
    size_t slot = (store->log_first + store->log_count++) % store->log_capacity;
    store->log[slot] = (struct change){ .type = type,
                                        .revision = object->snapshot->revision,
                                        .resource = object->resource,
                                        .before = snapshot_take(before),
                                        .after = snapshot_take(object->snapshot) };
    tell(store, &store->log[slot]);
}

/* Enters or withdraws the object under each of its owners. */
static void index_owners(struct store *store, struct object *object, bool present)
{
    const json_t *owner;
    size_t i;
    json_array_foreach(jx_get(object->snapshot->json, "metadata", "ownerReferences", NULL), i,
                       owner)
    {
        const char *uid = jx_string(owner, "uid", NULL);
        auto_free char *key = mem_format("%s %s.%s %s", uid ? uid : "", object->resource->plural,
                                         object->resource->group, object->key);
        if (present)
            index_put(&store->owned, key, object);
        else
            index_remove(&store->owned, key);
    }
}

static struct snapshot *next_snapshot(struct store *store, json_t *take_json)
{
    char revision[24];
    snprintf(revision, sizeof(revision), "%" PRIu64, ++store->revision);
    json_object_set_new(jx_get(take_json, "metadata", NULL), "resourceVersion",
                        json_string(revision));
    return snapshot_new(take_json, store->revision);
}

struct object *store_write(struct store *store, struct resource *resource, json_t *take_json)
{
    auto_free char *key = store_key(jx_string(take_json, "metadata", "namespace", NULL),
                                    jx_string(take_json, "metadata", "name", NULL));
    struct object *object = index_get(&resource->objects, key);
    auto_snapshot struct snapshot *before = NULL;
    if (object) {
        index_owners(store, object, false);
        before = object->snapshot;
    } else {
        object = mem_zero(1, sizeof(*object));
        object->resource = resource;
        object->key = index_put(&resource->objects, key, object);
    }
    object->snapshot = next_snapshot(store, take_json);
    index_owners(store, object, true);
    append(store, before ? CHANGE_MODIFIED : CHANGE_ADDED, object, before);
    return object;
}

void store_remove(struct store *store, struct object *object)
{
    auto_free char *key = mem_strdup(object->key);
    auto_snapshot struct snapshot *before = object->snapshot;
    index_owners(store, object, false);
    /* A new metadata is enough: the rest of the tree is shared with the state before. */
    json_t *last = json_copy(before->json);
    json_object_set_new(last, "metadata", json_copy(jx_get(before->json, "metadata", NULL)));
    object->snapshot = next_snapshot(store, last);
    index_remove(&object->resource->objects, key);
    object->key = key;
    append(store, CHANGE_DELETED, object, before);
    snapshot_drop(object->snapshot);
    free(object);
}

void store_watch(struct store *store, struct watcher *watcher)
{
    watcher->previous = NULL;
    watcher->next = store->watchers;
    if (watcher->next)
        watcher->next->previous = watcher;
    store->watchers = watcher;
}

void store_unwatch(struct store *store, struct watcher *watcher)
{
    if (store->walking == watcher)
        store->walking = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        store->watchers = watcher->next;
}

uint64_t store_oldest(const struct store *store)
{
    return store->revision - store->log_count;
}

const struct change *store_change(const struct store *store, size_t position)
{
    if (position >= store->log_count)
        return NULL;
    return &store->log[(store->log_first + position) % store->log_capacity];
}

size_t store_position(const struct store *store, uint64_t revision)
{
    /* Each revision is one change, so the log has no gaps. */
    uint64_t oldest = store_oldest(store);
    return revision <= oldest ? 0 : (size_t)(revision - oldest);
}

void store_past(const struct store *store, const struct resource *resource, uint64_t revision,
                struct index *ret_snapshots)
{
    *ret_snapshots = (struct index){ 0 };
    for (size_t i = 0; i < resource->objects.count; i++) {
        const struct object *object = resource->objects.entries[i].value;
        index_put(ret_snapshots, object->key, object->snapshot);
    }
    size_t end = store_position(store, revision);
    for (size_t i = store->log_count; i > end; i--) {
        const struct change *change = store_change(store, i - 1);
        if (change->resource != resource)
            continue;
        const json_t *metadata = jx_get(change->after->json, "metadata", NULL);
        auto_free char *key =
            store_key(jx_string(metadata, "namespace", NULL), jx_string(metadata, "name", NULL));
        if (change->before)
            index_put(ret_snapshots, key, change->before);
        else
            index_remove(ret_snapshots, key);
    }
}

size_t store_owned(const struct store *store, const char *uid, struct object ***ret_objects)
{
    auto_free char *prefix = mem_format("%s ", uid);
    size_t first = index_lower(&store->owned, prefix), count = 0;
    while (index_has_prefix(&store->owned, first + count, prefix))
        count++;
    struct object **objects = mem_zero(count + 1, sizeof(struct object *));
    for (size_t i = 0; i < count; i++)
        objects[i] = store->owned.entries[first + i].value;
    *ret_objects = objects;
    return count;
}
