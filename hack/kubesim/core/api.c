#include "kubesim/core/api.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "kubesim/core/admission.h"
#include "kubesim/core/schema.h"

void api_call_release(struct api_call *call)
{
    json_decref(call->causes);
    call->causes = NULL;
    free(call->invalid);
    call->invalid = NULL;
}

int api_refuse(struct err *err, int code, const char *reason, const char *format, ...)
{
    va_list arguments;
    char message[sizeof(err->message)];
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    err_reason(err, ERR_INVALID, reason, "%s", message);
    err->http_status = code;
    return -1;
}

static int refuse_causes(struct api_call *call, const char *name, struct err *err)
{
    const json_t *cause;
    size_t i, count = json_array_size(call->causes);
    auto_buf struct buf list;
    buf_init(&list, LIMIT_JSON_DOCUMENT);
    json_array_foreach(call->causes, i, cause)
        buf_format(&list, "%s%s: %s", i ? ", " : "", jx_string(cause, "field", NULL),
                   jx_string(cause, "message", NULL));
    const struct resource *resource = call->resource;
    free(call->invalid);
    call->invalid = mem_strdup(name);
    return api_refuse(err, 422, "Invalid", "%s%s%s \"%s\" is invalid: %s%s%s", resource->kind,
                      *resource->group ? "." : "", resource->group, name, count > 1 ? "[" : "",
                      buf_text(&list), count > 1 ? "]" : "");
}

static int refuse_not_found(const struct api_call *call, struct err *err)
{
    auto_free char *resource = resource_name(call->resource);
    return api_refuse(err, 404, "NotFound", "%s \"%s\" not found", resource, call->name);
}

static int refuse_conflict(const struct api_call *call, const char *why, struct err *err)
{
    auto_free char *resource = resource_name(call->resource);
    return api_refuse(err, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s",
                      resource, call->name, why);
}

/* The tree of a stored object as this resource's version shows it. New reference. */
static json_t *view_of(const struct resource *resource, const struct snapshot *snapshot)
{
    return resource->storage == resource ? json_incref(snapshot->json)
                                         : event_from_core(snapshot->json);
}

struct span api_text(const struct resource *resource, struct snapshot *snapshot, char **own)
{
    if (resource->storage == resource)
        return snapshot_text(snapshot);
    auto_json json_t *view = view_of(resource, snapshot);
    *own = json_dumps(view, JSON_COMPACT);
    return span_of(*own);
}

int api_get(struct api_call *call, struct snapshot **ret_snapshot, struct err *err)
{
    const struct object *object = store_find(call->resource, call->namespace, call->name);
    if (!object)
        return refuse_not_found(call, err);
    *ret_snapshot = snapshot_take(object->snapshot);
    return 0;
}

/* --- what every write does -------------------------------------------------- */

static bool has_generation(const struct resource *resource)
{
    return resource->role == ROLE_CUSTOM || resource->role == ROLE_JOB ||
           resource->role == ROLE_DEFINITION;
}

static void bump_generation(json_t *object)
{
    json_t *metadata = jx_get(object, "metadata", NULL);
    if (jx_get(metadata, "generation", NULL))
        json_object_set_new(metadata, "generation",
                            json_integer(jx_int(metadata, "generation", 0) + 1));
}

static int check_envelope(struct api_call *call, json_t *object, struct err *err)
{
    const struct resource *resource = call->resource;
    const char *api_version = jx_string(object, "apiVersion", NULL);
    const char *kind = jx_string(object, "kind", NULL);
    auto_free char *expected = resource_api_version(resource);
    if (!json_is_object(object) || !kind)
        return api_refuse(err, 400, "BadRequest", "Object 'Kind' is missing");
    if (!api_version || strcmp(api_version, expected) != 0 || strcmp(kind, resource->kind) != 0)
        return api_refuse(
            err, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: expected apiVersion %s, kind %s", kind,
            api_version ? api_version : "", resource->kind, expected, resource->kind);
    json_t *metadata = json_object_get(object, "metadata");
    if (!json_is_object(metadata)) {
        metadata = json_object();
        json_object_set_new(object, "metadata", metadata);
    }
    json_object_del(metadata, "managedFields");
    const char *namespace = jx_string(metadata, "namespace", NULL);
    if (!resource->namespaced) {
        json_object_del(metadata, "namespace");
        return 0;
    }
    if (namespace && *namespace && strcmp(namespace, call->namespace) != 0)
        return api_refuse(err, 400, "BadRequest",
                          "the namespace of the provided object does not match the namespace sent "
                          "on the request");
    json_object_set_new(metadata, "namespace", json_string(call->namespace));
    return 0;
}

/* Unknown fields are refused or left out; then defaults. */
static int shape(struct api_call *call, json_t *object, struct err *err)
{
    const struct resource *resource = call->resource;
    const json_t *path;
    size_t i;
    if (!resource->schema)
        return 0;
    auto_json json_t *unknown = json_array();
    schema_prune(resource->schema, object, unknown);
    auto_buf struct buf list;
    buf_init(&list, LIMIT_JSON_DOCUMENT);
    json_array_foreach(unknown, i, path)
    {
        buf_format(&list, "%sunknown field \"%s\"", i ? ", " : "", json_string_value(path));
    }
    if (call->strict && list.length > 0)
        return api_refuse(
            err, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s",
            resource->kind, resource->version, resource->kind, buf_text(&list));
    schema_default(resource->schema, object);
    return 0;
}

static int validate(struct api_call *call, json_t *object, const json_t *old, struct err *err)
{
    struct resource *resource = call->resource;
    if (!call->causes)
        call->causes = json_array();
    if (resource->schema)
        schema_validate(resource->schema, object, &resource->patterns, call->causes);
    admission_check(call, object, old, call->causes);
    if (json_array_size(call->causes) == 0)
        return 0;
    return refuse_causes(call, jx_string(object, "metadata", "name", NULL), err);
}

/* --- create ------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > 253)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
        bool edge = i == 0 || i + 1 == length || name[i - 1] == '.' || name[i + 1] == '.';
        if (!letter && (edge || (name[i] != '-' && name[i] != '.')))
            return false;
    }
    return true;
}

static void settle_name(struct api_call *call, json_t *metadata)
{
    const char *prefix = jx_string(metadata, "generateName", NULL);
    const char *name = jx_string(metadata, "name", NULL);
    char suffix[6];
    if ((name && *name) || !prefix)
        return;
    cluster_suffix(call->cluster, suffix);
    json_object_set_new(metadata, "name", json_sprintf("%.58s%s", prefix, suffix));
}

static int check_new_name(struct api_call *call, const char *name, struct err *err)
{
    bool any_name = strncmp(call->resource->group, "rbac.", 5) == 0;
    call->causes = json_array();
    if (!name || !*name)
        cause_add(call->causes, "FieldValueRequired", "metadata.name",
                  "Required value: name or generateName is required");
    else if (!any_name && !is_name(name))
        cause_add(
            call->causes, "FieldValueInvalid", "metadata.name",
            "Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of lower case "
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character",
            name);
    return json_array_size(call->causes) ? refuse_causes(call, name ? name : "", err) : 0;
}

static int check_namespace(struct api_call *call, struct err *err)
{
    struct cluster *cluster = call->cluster;
    if (!call->resource->namespaced)
        return 0;
    struct resource *namespaces = resource_find(&cluster->resources, "", "v1", "namespaces");
    const struct object *namespace = store_find(namespaces, "", call->namespace);
    if (!namespace)
        return api_refuse(err, 404, "NotFound", "namespaces \"%s\" not found", call->namespace);
    if (object_is_deleting(namespace->snapshot->json)) {
        auto_free char *resource = resource_name(call->resource);
        return api_refuse(
            err, 403, "Forbidden",
            "%s is forbidden: unable to create new content in namespace %s because it "
            "is being terminated",
            resource, call->namespace);
    }
    return 0;
}

static void stamp(struct api_call *call, json_t *object)
{
    static const char *const server_owned[] = { "deletionTimestamp", "deletionGracePeriodSeconds",
                                                "selfLink", "generation" };
    json_t *metadata = jx_get(object, "metadata", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(server_owned); i++)
        json_object_del(metadata, server_owned[i]);
    auto_free char *uid = cluster_uid(call->cluster);
    json_object_set_new(metadata, "uid", json_string(uid));
    json_object_set_new(metadata, "creationTimestamp", cluster_time(call->cluster));
    if (has_generation(call->resource))
        json_object_set_new(metadata, "generation", json_integer(1));
    if (call->resource->has_status)
        json_object_del(object, "status");
}

/* In the version that the store keeps. */
static json_t *storage_form(const struct api_call *call, json_t *object)
{
    return call->resource->storage == call->resource ? json_incref(object) : event_to_core(object);
}

int api_create(struct api_call *call, const json_t *body, struct snapshot **ret_snapshot,
               struct err *err)
{
    auto_json json_t *object = json_deep_copy(body);
    if (check_envelope(call, object, err) != 0)
        return -1;
    const char *revision = jx_string(object, "metadata", "resourceVersion", NULL);
    if (revision && *revision)
        return api_refuse(err, 400, "BadRequest",
                          "resourceVersion should not be set on objects to be created");
    json_object_del(jx_get(object, "metadata", NULL), "resourceVersion");
    settle_name(call, jx_get(object, "metadata", NULL));
    const char *name = jx_string(object, "metadata", "name", NULL);
    if (check_new_name(call, name, err) != 0 || check_namespace(call, err) != 0)
        return -1;
    if (store_find(call->resource, call->namespace, name)) {
        auto_free char *resource = resource_name(call->resource);
        return api_refuse(err, 409, "AlreadyExists", "%s \"%s\" already exists", resource, name);
    }
    stamp(call, object);
    if (shape(call, object, err) != 0 || validate(call, object, NULL, err) != 0)
        return -1;
    struct resource *storage = (struct resource *)call->resource->storage;
    json_t *stored = storage_form(call, object);
    *ret_snapshot = snapshot_take(store_write(&call->cluster->store, storage, stored)->snapshot);
    return 0;
}

/* --- update and patch ---------------------------------------------------------- */

static bool is_held(const json_t *object)
{
    return json_array_size(jx_get(object, "metadata", "finalizers", NULL)) > 0 ||
           (strcmp(jx_string(object, "kind", NULL), "Namespace") == 0 &&
            json_array_size(jx_get(object, "spec", "finalizers", NULL)) > 0) ||
           jx_int(jx_get(object, "metadata", NULL), "deletionGracePeriodSeconds", 0) > 0;
}

void api_commit(struct cluster *cluster, struct object *object, json_t *take_json)
{
    const char *revision = jx_string(object->snapshot->json, "metadata", "resourceVersion", NULL);
    json_object_set_new(jx_get(take_json, "metadata", NULL), "resourceVersion",
                        json_string(revision));
    bool changed = !json_equal(take_json, object->snapshot->json);
    if (changed)
        store_write(&cluster->store, object->resource, take_json);
    else
        json_decref(take_json);
    const json_t *current = object->snapshot->json;
    if (object_is_deleting(current) && !is_held(current))
        store_remove(&cluster->store, object);
}

static bool same_member(const json_t *one, const json_t *other, const char *name)
{
    const json_t *left = json_object_get(one, name), *right = json_object_get(other, name);
    return left == right || (left && right && json_equal(left, right));
}

/* What a change of generation looks at: everything but metadata and status. */
static bool same_intent(const json_t *one, const json_t *other)
{
    const json_t *ignored;
    const char *name;
    json_object_foreach((json_t *)one, name,
                        ignored) if (strcmp(name, "metadata") && strcmp(name, "status") &&
                                     !same_member(one, other, name)) return false;
    return json_object_size(one) - (json_object_get(one, "status") != NULL) ==
           json_object_size(other) - (json_object_get(other, "status") != NULL);
}

static int check_version(struct api_call *call, const json_t *object, const json_t *old,
                         bool need_version, struct err *err)
{
    const char *revision = jx_string(object, "metadata", "resourceVersion", NULL);
    if (need_version && (!revision || !*revision)) {
        call->causes = json_array();
        cause_add(call->causes, "FieldValueInvalid", "metadata.resourceVersion",
                  "Invalid value: 0x0: must be specified for an update");
        return refuse_causes(call, call->name, err);
    }
    if (revision && *revision &&
        strcmp(revision, jx_string(old, "metadata", "resourceVersion", NULL)) != 0)
        return refuse_conflict(call,
                               "the object has been modified; please apply your changes to the "
                               "latest version and try again",
                               err);
    return 0;
}

static int check_identity(struct api_call *call, json_t *object, const json_t *old, bool put,
                          struct err *err)
{
    static const char *const fixed[] = { "uid",
                                         "name",
                                         "creationTimestamp",
                                         "generation",
                                         "deletionTimestamp",
                                         "deletionGracePeriodSeconds" };
    json_t *metadata = jx_get(object, "metadata", NULL);
    const char *uid = jx_string(metadata, "uid", NULL), *name = jx_string(metadata, "name", NULL);
    const char *old_uid = jx_string(old, "metadata", "uid", NULL);
    if (name && strcmp(name, call->name) != 0)
        return api_refuse(err, 400, "BadRequest",
                          "the name of the object (%s) does not match the name on the URL (%s)",
                          name, call->name);
    if (uid && *uid && strcmp(uid, old_uid) != 0) {
        auto_free char *why = mem_format(
            "Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old_uid);
        if (put)
            return refuse_conflict(call, why, err);
        call->causes = json_array();
        cause_add(call->causes, "FieldValueInvalid", "metadata.uid",
                  "Invalid value: \"%s\": field is immutable", uid);
        return refuse_causes(call, call->name, err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        json_t *value = jx_get(old, "metadata", fixed[i], NULL);
        if (value)
            json_object_set(metadata, fixed[i], value);
        else
            json_object_del(metadata, fixed[i]);
    }
    return 0;
}

/* The tree to store: /status keeps all but the status, the main end point keeps the status. */
static json_t *combine(const struct api_call *call, json_t *object, const json_t *old)
{
    if (!call->resource->has_status)
        return json_incref(object);
    json_t *combined = json_copy((json_t *)(call->status ? old : object));
    json_t *status = json_object_get(call->status ? object : old, "status");
    json_object_set_new(combined, "metadata",
                        json_deep_copy(jx_get(call->status ? old : object, "metadata", NULL)));
    if (status)
        json_object_set_new(combined, "status", json_deep_copy(status));
    else
        json_object_del(combined, "status");
    return combined;
}

static int replace(struct api_call *call, json_t *object, const json_t *old, bool put,
                   struct snapshot **ret_snapshot, struct err *err)
{
    const struct resource *resource = call->resource;
    bool need_version =
        put && (resource->role == ROLE_CUSTOM || !strcmp(resource->plural, "leases"));
    if (check_envelope(call, object, err) != 0 ||
        check_version(call, object, old, need_version, err) != 0 ||
        check_identity(call, object, old, put, err) != 0 || shape(call, object, err) != 0)
        return -1;
    auto_json json_t *combined = combine(call, object, old);
    if (validate(call, combined, old, err) != 0)
        return -1;
    if (has_generation(resource) && !same_intent(combined, old))
        bump_generation(combined);
    struct object *stored = store_find(resource, call->namespace, call->name);
    auto_snapshot struct snapshot *before = snapshot_take(stored->snapshot);
    api_commit(call->cluster, stored, storage_form(call, combined));
    stored = store_find(resource, call->namespace, call->name);
    *ret_snapshot = stored ? snapshot_take(stored->snapshot) : TAKE(before);
    return 0;
}

int api_update(struct api_call *call, const json_t *body, struct snapshot **ret_snapshot,
               struct err *err)
{
    const struct object *stored = store_find(call->resource, call->namespace, call->name);
    if (!stored)
        return refuse_not_found(call, err);
    auto_json json_t *old = view_of(call->resource, stored->snapshot);
    auto_json json_t *object = json_deep_copy(body);
    return replace(call, object, old, true, ret_snapshot, err);
}

static void drop_directives(json_t *patch)
{
    json_t *member;
    const char *name;
    void *next;
    size_t i;
    json_array_foreach(patch, i, member) drop_directives(member);
    json_object_foreach_safe(patch, next, name, member)
    {
        if (*name == '$')
            json_object_del(patch, name);
        else
            drop_directives(member);
    }
}

int api_patch(struct api_call *call, const json_t *patch, bool strategic,
              struct snapshot **ret_snapshot, struct err *err)
{
    if (strategic && call->resource->role == ROLE_CUSTOM)
        return api_refuse(err, 415, "UnsupportedMediaType",
                          "the body of the request was in an unknown format - accepted media types "
                          "include: application/merge-patch+json");
    if (!json_is_object(patch))
        return api_refuse(err, 400, "BadRequest", "the patch must be a JSON object");
    const struct object *stored = store_find(call->resource, call->namespace, call->name);
    if (!stored)
        return refuse_not_found(call, err);
    auto_json json_t *own_patch = json_deep_copy(patch);
    if (strategic)
        drop_directives(own_patch);
    auto_json json_t *old = view_of(call->resource, stored->snapshot);
    auto_json json_t *merged = jx_merge_apply(old, own_patch);
    auto_json json_t *object = json_deep_copy(merged);
    return replace(call, object, old, false, ret_snapshot, err);
}

/* --- delete -------------------------------------------------------------------- */

static int check_preconditions(const struct api_call *call, const struct delete_options *options,
                               const json_t *object, struct err *err)
{
    const struct {
        const char *name, *member, *wanted;
    } checks[] = { { "UID", "uid", options->uid },
                   { "ResourceVersion", "resourceVersion", options->resource_version } };
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        const char *actual = jx_string(object, "metadata", checks[i].member, NULL);
        if (!checks[i].wanted || strcmp(checks[i].wanted, actual) == 0)
            continue;
        auto_free char *why =
            mem_format("Precondition failed: %s in precondition: %s, %s in object meta: %s",
                       checks[i].name, checks[i].wanted, checks[i].name, actual);
        return refuse_conflict(call, why, err);
    }
    return 0;
}

/* Seconds a pod gets to end; 0 for everything else and for pods that do not run. */
static int64_t grace_of(const struct object *object, int64_t wanted)
{
    const json_t *pod = object->snapshot->json;
    const char *phase = jx_string(pod, "status", "phase", NULL);
    bool ended = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
    if (object->resource->role != ROLE_POD || ended || !jx_string(pod, "spec", "nodeName", NULL))
        return 0;
    return wanted >= 0 ? wanted
                       : jx_int(jx_get(pod, "spec", NULL), "terminationGracePeriodSeconds", 30);
}

static void mark_deleting(struct cluster *cluster, json_t *object, int64_t grace)
{
    json_t *metadata = jx_get(object, "metadata", NULL);
    if (!object_is_deleting(object)) {
        json_object_set_new(metadata, "deletionTimestamp", cluster_time(cluster));
        bump_generation(object);
    } else if (grace > jx_int(metadata, "deletionGracePeriodSeconds", 0)) {
        return;
    }
    json_object_set_new(metadata, "deletionGracePeriodSeconds", json_integer(grace));
}

int api_delete(struct api_call *call, const struct delete_options *options,
               struct snapshot **ret_snapshot, struct err *err)
{
    struct cluster *cluster = call->cluster;
    struct object *object = store_find(call->resource, call->namespace, call->name);
    if (!object)
        return refuse_not_found(call, err);
    if (check_preconditions(call, options, object->snapshot->json, err) != 0)
        return -1;
    *ret_snapshot = NULL;
    auto_json json_t *edited = json_deep_copy(object->snapshot->json);
    const char *propagation = options->propagation               ? options->propagation
                              : call->resource->role == ROLE_JOB ? "Orphan"
                                                                 : "Background";
    if (strcmp(propagation, "Foreground") == 0)
        object_set_finalizer(edited, "foregroundDeletion", true);
    if (strcmp(propagation, "Orphan") == 0)
        object_set_finalizer(edited, "orphan", true);
    mark_deleting(cluster, edited, grace_of(object, options->grace_seconds));
    if (is_held(edited))
        api_commit(cluster, object, TAKE(edited));
    else
        store_remove(&cluster->store, object);
    object = store_find(call->resource, call->namespace, call->name);
    *ret_snapshot = object ? snapshot_take(object->snapshot) : NULL;
    return 0;
}

void api_discard(struct cluster *cluster, struct object *object, int64_t grace_seconds)
{
    auto_snapshot struct snapshot *state = snapshot_take(object->snapshot), *left = NULL;
    struct api_call call = { .cluster = cluster,
                             .resource = object->resource,
                             .namespace = jx_string(state->json, "metadata", "namespace", NULL),
                             .name = jx_string(state->json, "metadata", "name", NULL) };
    struct delete_options options = { .propagation = "Background", .grace_seconds = grace_seconds };
    struct err ignored;
    if (api_delete(&call, &options, &left, &ignored) != 0)
        abort(); /* without preconditions an object that is there can always be deleted */
    api_call_release(&call);
}
