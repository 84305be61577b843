#include "kubesim/core/collector.h"

#include <string.h>

#include "kubesim/core/api.h"

static char *ticket(const struct resource *resource, const char *key)
{
    return mem_format("%s.%s %s", resource->plural, resource->group, key);
}

static void note(struct collector *collector, struct index *queue, const char *key)
{
    index_put(queue, key, collector);
    timer_set(collector->cluster->timers, &collector->timer, 0);
}

static void on_change(void *context, const struct change *change)
{
    struct collector *collector = context;
    const json_t *metadata = jx_get(change->after->json, "metadata", NULL);
    auto_free char *key =
        store_key(jx_string(metadata, "namespace", NULL), jx_string(metadata, "name", NULL));
    auto_free char *own = ticket(change->resource, key);
    const json_t *owner;
    size_t i;
    if (change->type == CHANGE_ADDED && jx_get(metadata, "ownerReferences", NULL))
        note(collector, &collector->children, own);
    if (change->type != CHANGE_DELETED) {
        if (object_is_deleting(change->after->json))
            note(collector, &collector->deleting, own);
        return;
    }
    note(collector, &collector->orphans, jx_string(metadata, "uid", NULL));
    /* An owner in foreground deletion may have waited for this one. */
    json_array_foreach(jx_get(metadata, "ownerReferences", NULL), i, owner)
        note(collector, &collector->orphans, jx_string(owner, "uid", NULL));
    if (collector->deleting.count > 0)
        timer_set(collector->cluster->timers, &collector->timer, 0);
}

static struct object *find(struct cluster *cluster, const char *text)
{
    const char *dot = strchr(text, '.'), *space = strchr(text, ' ');
    auto_free char *plural = mem_strndup(text, (size_t)(dot - text));
    auto_free char *group = mem_strndup(dot + 1, (size_t)(space - dot - 1));
    const struct resource *resource = resource_find(&cluster->resources, group, NULL, plural);
    return resource ? index_get(&resource->objects, space + 1) : NULL;
}

static struct object *owner_object(const struct cluster *cluster, const json_t *reference,
                                   const char *namespace)
{
    const char *api_version = jx_string(reference, "apiVersion", NULL);
    const char *kind = jx_string(reference, "kind", NULL),
               *name = jx_string(reference, "name", NULL);
    const char *uid = jx_string(reference, "uid", NULL);
    if (!api_version || !kind || !name || !uid)
        return NULL;
    const struct resource *resource = resource_of_kind(&cluster->resources, api_version, kind);
    struct object *owner = resource ? store_find(resource, namespace, name) : NULL;
    return owner && strcmp(jx_string(owner->snapshot->json, "metadata", "uid", NULL), uid) == 0
               ? owner
               : NULL;
}

/* Leaves only the owners that are there; with none of them the object is deleted. */
static void check_owners(struct cluster *cluster, struct object *object)
{
    const json_t *json = object->snapshot->json, *reference;
    const char *namespace = jx_string(json, "metadata", "namespace", NULL);
    const json_t *references = jx_get(json, "metadata", "ownerReferences", NULL);
    size_t i;
    auto_json json_t *living = json_array();
    json_array_foreach(references, i, reference) if (owner_object(cluster, reference, namespace))
        json_array_append(living, (json_t *)reference);
    if (json_array_size(living) == json_array_size(references))
        return;
    if (json_array_size(living) == 0) {
        if (!object_is_deleting(json))
            api_discard(cluster, object, -1);
        return;
    }
    json_t *edited = json_deep_copy(json);
    json_object_set(jx_get(edited, "metadata", NULL), "ownerReferences", living);
    api_commit(cluster, object, edited);
}

static void collect_children(struct cluster *cluster, const char *uid)
{
    auto_free struct object **objects = NULL;
    size_t count = store_owned(&cluster->store, uid, &objects);
    for (size_t i = 0; i < count; i++)
        check_owners(cluster, objects[i]);
}

static bool blocks_deletion(const json_t *dependent, const char *owner_uid)
{
    const json_t *reference;
    size_t i;
    json_array_foreach(jx_get(dependent, "metadata", "ownerReferences", NULL), i, reference)
    {
        const char *uid = jx_string(reference, "uid", NULL);
        if (uid && strcmp(uid, owner_uid) == 0)
            return jx_bool(reference, "blockOwnerDeletion", false);
    }
    return false;
}

/* True when no dependent is left that blocks the owner's deletion. */
static bool delete_dependents(struct cluster *cluster, const char *uid)
{
    auto_free struct object **objects = NULL, **left = NULL;
    size_t count = store_owned(&cluster->store, uid, &objects), blocking = 0;
    for (size_t i = 0; i < count; i++)
        if (!object_is_deleting(objects[i]->snapshot->json))
            api_discard(cluster, objects[i], -1);
    count = store_owned(&cluster->store, uid, &left);
    for (size_t i = 0; i < count; i++)
        blocking += blocks_deletion(left[i]->snapshot->json, uid);
    return blocking == 0;
}

static void release_dependents(struct cluster *cluster, const char *uid)
{
    auto_free struct object **objects = NULL;
    size_t count = store_owned(&cluster->store, uid, &objects), i;
    for (size_t n = 0; n < count; n++) {
        json_t *edited = json_deep_copy(objects[n]->snapshot->json), *reference;
        json_t *references = jx_get(edited, "metadata", "ownerReferences", NULL),
               *kept = json_array();
        json_array_foreach(references, i,
                           reference) if (strcmp(jx_string(reference, "uid", NULL), uid) != 0)
            json_array_append(kept, reference);
        json_object_set_new(jx_get(edited, "metadata", NULL), "ownerReferences", kept);
        api_commit(cluster, objects[n], edited);
    }
}

/* Deletes what begins with the prefix; true when nothing is left. */
static bool empty_range(struct cluster *cluster, struct resource *resource, const char *prefix)
{
    auto_index struct index keys = { 0 };
    for (size_t i = index_lower(&resource->objects, prefix);
         index_has_prefix(&resource->objects, i, prefix); i++)
        index_put(&keys, resource->objects.entries[i].key, resource);
    for (size_t i = 0; i < keys.count; i++) {
        struct object *object = index_get(&resource->objects, keys.entries[i].key);
        if (object && !object_is_deleting(object->snapshot->json))
            api_discard(cluster, object, -1);
    }
    return !index_has_prefix(&resource->objects, index_lower(&resource->objects, prefix), prefix);
}

static bool empty_namespace(struct cluster *cluster, const char *name)
{
    auto_free char *prefix = mem_format("%s/", name);
    bool empty = true;
    for (size_t i = 0; i < cluster->resources.count; i++) {
        struct resource *resource = cluster->resources.items[i];
        if (resource->namespaced && resource->storage == resource)
            empty = empty_range(cluster, resource, prefix) && empty;
    }
    return empty;
}

static void finish_namespace(struct cluster *cluster, struct object *object)
{
    json_t *edited = json_deep_copy(object->snapshot->json);
    const char *name = jx_string(edited, "metadata", "name", NULL);
    bool empty = empty_namespace(cluster, name);
    json_object_set_new(jx_get(edited, "status", NULL), "phase", json_string("Terminating"));
    if (empty)
        json_object_del(jx_get(edited, "spec", NULL), "finalizers");
    api_commit(cluster, object, edited);
}

static void finish_definition(struct cluster *cluster, struct object *object)
{
    const json_t *spec = jx_get(object->snapshot->json, "spec", NULL);
    struct resource *resource = resource_find(&cluster->resources, jx_string(spec, "group", NULL),
                                              NULL, jx_string(spec, "names", "plural", NULL));
    if (resource && !empty_range(cluster, resource, ""))
        return;
    json_t *edited = json_deep_copy(object->snapshot->json);
    object_set_finalizer(edited, COLLECTOR_CLEANUP, false);
    api_commit(cluster, object, edited);
}

static void finish(struct cluster *cluster, struct object *object)
{
    const json_t *json = object->snapshot->json;
    auto_free char *uid = mem_strdup(jx_string(json, "metadata", "uid", NULL));
    bool orphan = object_has_finalizer(json, "orphan");
    if (!object_is_deleting(json))
        return;
    if (object->resource->role == ROLE_NAMESPACE) {
        finish_namespace(cluster, object);
    } else if (object_has_finalizer(json, COLLECTOR_CLEANUP)) {
        finish_definition(cluster, object);
    } else if (orphan || object_has_finalizer(json, "foregroundDeletion")) {
        if (orphan)
            release_dependents(cluster, uid);
        else if (!delete_dependents(cluster, uid))
            return;
        json_t *edited = json_deep_copy(object->snapshot->json);
        object_set_finalizer(edited, orphan ? "orphan" : "foregroundDeletion", false);
        api_commit(cluster, object, edited);
    }
}

/* Objects stay queued until they are gone: what they wait for wakes the timer. */
static void finish_deleting(struct collector *collector)
{
    auto_index struct index queue = collector->deleting;
    collector->deleting = (struct index){ 0 };
    for (size_t i = 0; i < queue.count; i++) {
        struct object *object = find(collector->cluster, queue.entries[i].key);
        if (object)
            finish(collector->cluster, object);
        if (object && find(collector->cluster, queue.entries[i].key))
            index_put(&collector->deleting, queue.entries[i].key, collector);
    }
}

static void run(void *context)
{
    struct collector *collector = context;
    struct cluster *cluster = collector->cluster;
    auto_index struct index orphans = collector->orphans, children = collector->children;
    collector->orphans = collector->children = (struct index){ 0 };
    for (size_t i = 0; i < children.count; i++) {
        struct object *object = find(cluster, children.entries[i].key);
        if (object)
            check_owners(cluster, object);
    }
    for (size_t i = 0; i < orphans.count; i++)
        collect_children(cluster, orphans.entries[i].key);
    finish_deleting(collector);
}

void collector_init(struct collector *collector, struct cluster *cluster)
{
    collector->cluster = cluster;
    collector->timer = (struct timer){ .fire = run, .context = collector };
    collector->watcher = (struct watcher){ .on_change = on_change, .context = collector };
    store_watch(&cluster->store, &collector->watcher);
}

void collector_release(struct collector *collector)
{
    timer_stop(collector->cluster->timers, &collector->timer);
    store_unwatch(&collector->cluster->store, &collector->watcher);
    index_release(&collector->orphans);
    index_release(&collector->children);
    index_release(&collector->deleting);
}
