/* object.c - small readings and edits of metadata and conditions (api.h). */
#include <string.h>

#include "kubesim/core/api.h"

bool object_is_deleting(const json_t *object)
{
    return jx_string(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

static size_t finalizer_position(const json_t *list, const char *finalizer)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) if (json_is_string(item) &&
                                          strcmp(json_string_value(item), finalizer) == 0) return i;
    return SIZE_MAX;
}

bool object_has_finalizer(const json_t *object, const char *finalizer)
{
    return finalizer_position(jx_get(object, "metadata", "finalizers", NULL), finalizer) !=
           SIZE_MAX;
}

void object_set_finalizer(json_t *object, const char *finalizer, bool present)
{
    json_t *metadata = jx_get(object, "metadata", NULL),
           *list = jx_get(metadata, "finalizers", NULL);
    size_t position = finalizer_position(list, finalizer);
    if (present == (position != SIZE_MAX))
        return;
    if (!list) {
        list = json_array();
        json_object_set_new(metadata, "finalizers", list);
    }
    if (present)
        json_array_append_new(list, json_string(finalizer));
    else
        json_array_remove(list, position);
    if (json_array_size(list) == 0)
        json_object_del(metadata, "finalizers");
}

const json_t *object_condition(const json_t *object, const char *type)
{
    const json_t *condition;
    size_t i;
    json_array_foreach(jx_get(object, "status", "conditions", NULL), i, condition)
    {
        const char *own = jx_string(condition, "type", NULL);
        if (own && strcmp(own, type) == 0)
            return condition;
    }
    return NULL;
}

bool object_condition_is(const json_t *object, const char *type, const char *status)
{
    const char *own = jx_string(object_condition(object, type), "status", NULL);
    return own && strcmp(own, status) == 0;
}

void object_set_condition(const struct cluster *cluster, json_t *object, const char *type,
                          const char *status, const char *reason, const char *message)
{
    json_t *state = json_object_get(object, "status");
    if (!state) {
        state = json_object();
        json_object_set_new(object, "status", state);
    }
    json_t *list = json_object_get(state, "conditions");
    if (!list) {
        list = json_array();
        json_object_set_new(state, "conditions", list);
    }
    bool same = object_condition_is(object, type, status);
    json_t *condition = (json_t *)object_condition(object, type);
    if (!condition) {
        condition = json_pack("{ss}", "type", type);
        json_array_append_new(list, condition);
    }
    json_object_set_new(condition, "status", json_string(status));
    if (!same)
        json_object_set_new(condition, "lastTransitionTime", cluster_time(cluster));
    if (reason)
        json_object_set_new(condition, "reason", json_string(reason));
    if (message)
        json_object_set_new(condition, "message", json_string(message));
}
