#include "kubesim/core/admission.h"

#include <string.h>

#include "base/base64.h"
#include "base/limits.h"
#include "kubesim/core/schema.h"

static json_t *member(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_object(value)) {
        value = json_object();
        json_object_set_new(object, name, value);
    }
    return value;
}

static void fall_back(json_t *object, const char *name, json_t *take_value)
{
    if (jx_get(object, name, NULL))
        json_decref(take_value);
    else
        json_object_set_new(object, name, take_value);
}

/* --- events ---------------------------------------------------------------- */

static const char *const event_names[][2] = { { "involvedObject", "regarding" },
                                              { "message", "note" },
                                              { "source", "deprecatedSource" },
                                              { "firstTimestamp", "deprecatedFirstTimestamp" },
                                              { "lastTimestamp", "deprecatedLastTimestamp" },
                                              { "count", "deprecatedCount" },
                                              { "reportingComponent", "reportingController" } };

static json_t *rename_members(const json_t *event, int from, const char *api_version)
{
    json_t *renamed = json_deep_copy(event);
    for (size_t i = 0; i < ARRAY_SIZE(event_names); i++) {
        json_t *value = json_object_get(renamed, event_names[i][from]);
        if (value)
            json_object_set(renamed, event_names[i][!from], value);
        json_object_del(renamed, event_names[i][from]);
    }
    if (strcmp(jx_string(event, "kind", NULL), "Event") == 0)
        json_object_set_new(renamed, "apiVersion", json_string(api_version));
    return renamed;
}

json_t *event_from_core(const json_t *event)
{
    return rename_members(event, 0, "events.k8s.io/v1");
}

json_t *event_to_core(const json_t *event)
{
    return rename_members(event, 1, "v1");
}

/* --- namespaces, secrets, pods -------------------------------------------------- */

static void admit_namespace(json_t *object, const char *name)
{
    fall_back(member(object, "spec"), "finalizers", json_pack("[s]", "kubernetes"));
    json_object_set_new(member(member(object, "metadata"), "labels"), "kubernetes.io/metadata.name",
                        json_string(name));
    json_object_set_new(member(object, "status"), "phase", json_string("Active"));
}

static void admit_secret(json_t *object)
{
    const char *name;
    json_t *value, *plain = jx_get(object, "stringData", NULL);
    json_object_foreach(plain, name, value)
    {
        auto_buf struct buf encoded;
        buf_init(&encoded, LIMIT_HTTP_REQUEST_BODY * 2);
        base64_encode(&encoded, span_of(json_string_value(value)));
        json_object_set_new(member(object, "data"), name, json_string(buf_text(&encoded)));
    }
    json_object_del(object, "stringData");
    fall_back(object, "type", json_string("Opaque"));
}

static void default_pod(json_t *spec)
{
    json_t *container;
    size_t i;
    fall_back(spec, "restartPolicy", json_string("Always"));
    fall_back(spec, "terminationGracePeriodSeconds", json_integer(30));
    json_array_foreach(jx_get(spec, "containers", NULL), i, container)
    {
        fall_back(container, "terminationMessagePath", json_string("/dev/termination-log"));
        fall_back(container, "terminationMessagePolicy", json_string("File"));
    }
}

static void require_containers(const json_t *spec, const char *path, json_t *causes)
{
    const json_t *container;
    size_t i;
    auto_free char *list = mem_format("%s.containers", path);
    if (json_array_size(jx_get(spec, "containers", NULL)) == 0)
        cause_add(causes, "FieldValueRequired", list, "Required value");
    json_array_foreach(jx_get(spec, "containers", NULL), i, container)
    {
        auto_free char *image = mem_format("%s[%zu].image", list, i);
        if (!jx_string(container, "image", NULL))
            cause_add(causes, "FieldValueRequired", image, "Required value");
    }
}

static void admit_pod(json_t *object, json_t *causes)
{
    default_pod(member(object, "spec"));
    require_containers(jx_get(object, "spec", NULL), "spec", causes);
    json_object_set_new(member(object, "status"), "phase", json_string("Pending"));
}

/* --- jobs ------------------------------------------------------------------------ */

static void label_template(json_t *object, json_t *spec)
{
    const char *uid = jx_string(object, "metadata", "uid", NULL);
    const char *name = jx_string(object, "metadata", "name", NULL);
    json_t *labels = member(member(member(spec, "template"), "metadata"), "labels");
    const char *const pairs[][2] = { { "batch.kubernetes.io/controller-uid", uid },
                                     { "batch.kubernetes.io/job-name", name },
                                     { "controller-uid", uid },
                                     { "job-name", name } };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        json_object_set_new(labels, pairs[i][0], json_string(pairs[i][1]));
    json_object_set_new(
        spec, "selector",
        json_pack("{s{ss}}", "matchLabels", "batch.kubernetes.io/controller-uid", uid));
}

static void check_indexed(const json_t *spec, bool indexed, json_t *causes)
{
    int64_t completions = jx_int(spec, "completions", 0);
    bool per_index = jx_get(spec, "backoffLimitPerIndex", NULL) != NULL;
    if (indexed && (completions < 1 || completions > 1000))
        cause_add(causes, "FieldValueInvalid", "spec.completions",
                  "Invalid value: %" PRId64 ": kubesim takes 1 to 1000 indexes", completions);
    if (indexed && !per_index)
        cause_add(causes, "FieldValueRequired", "spec.backoffLimitPerIndex",
                  "Required value: kubesim takes no Indexed Job without");
    if (!indexed && per_index)
        cause_add(causes, "FieldValueInvalid", "spec.backoffLimitPerIndex",
                  "Invalid value: requires indexed completion mode");
    if (jx_get(spec, "maxFailedIndexes", NULL) && !per_index)
        cause_add(causes, "FieldValueRequired", "spec.backoffLimitPerIndex",
                  "Required value: when maxFailedIndexes is specified");
}

static void admit_job(json_t *object, json_t *causes)
{
    json_t *spec = member(object, "spec"), *template = jx_get(spec, "template", "spec", NULL);
    const char *name = jx_string(object, "metadata", "name", NULL);
    const char *restart = jx_string(template, "restartPolicy", NULL);
    const char *mode = jx_string(spec, "completionMode", NULL);
    require_containers(template, "spec.template.spec", causes);
    if (!restart || (strcmp(restart, "Never") && strcmp(restart, "OnFailure")))
        cause_add(causes, "FieldValueRequired", "spec.template.spec.restartPolicy",
                  "Required value: valid values: \"OnFailure\", \"Never\"");
    check_indexed(spec, mode && strcmp(mode, "Indexed") == 0, causes);
    if (strlen(name) > 63)
        cause_add(causes, "FieldValueInvalid", "spec.template.labels",
                  "Invalid value: \"%s\": must be no more than 63 characters", name);
    fall_back(spec, "parallelism", json_integer(1));
    fall_back(spec, "completions", json_integer(1));
    fall_back(spec, "completionMode", json_string("NonIndexed"));
    fall_back(spec, "backoffLimit",
              json_integer(jx_get(spec, "backoffLimitPerIndex", NULL) ? INT32_MAX : 6));
    fall_back(spec, "suspend", json_false());
    fall_back(
        spec, "podReplacementPolicy",
        json_string(jx_get(spec, "podFailurePolicy", NULL) ? "Failed" : "TerminatingOrFailed"));
    if (template)
        default_pod(template);
    label_template(object, spec);
}

static void keep_immutable(const json_t *object, const json_t *old, json_t *causes)
{
    static const char *const fixed[] = { "template",         "selector",
                                         "completions",      "completionMode",
                                         "podFailurePolicy", "backoffLimitPerIndex" };
    const json_t *spec = jx_get(object, "spec", NULL), *old_spec = jx_get(old, "spec", NULL);
    bool never_started =
        jx_bool(old_spec, "suspend", false) && !jx_string(old, "status", "startTime", NULL);
    for (size_t i = never_started ? 1 : 0; i < ARRAY_SIZE(fixed); i++) {
        const json_t *value = jx_get(spec, fixed[i], NULL), *was = jx_get(old_spec, fixed[i], NULL);
        auto_free char *path = mem_format("spec.%s", fixed[i]);
        if (value != was && !(value && was && json_equal(value, was)))
            cause_add(causes, "FieldValueInvalid", path, "Invalid value: field is immutable");
    }
}

/* --- definitions -------------------------------------------------------------------- */

static void admit_definition(struct api_call *call, json_t *object, bool created, json_t *causes)
{
    const char *name = jx_string(object, "metadata", "name", NULL);
    const char *plural = jx_string(object, "spec", "names", "plural", NULL);
    const char *group = jx_string(object, "spec", "group", NULL);
    auto_free char *expected = mem_format("%s.%s", plural ? plural : "", group ? group : "");
    struct resource *resource;
    struct err err;
    if (strcmp(name, expected) != 0)
        cause_add(causes, "FieldValueInvalid", "metadata.name",
                  "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", name);
    if (json_array_size(causes))
        return;
    if (resource_define(&call->cluster->resources, object, &resource, &err) != 0) {
        cause_add(causes, "FieldValueInvalid", "spec", "%s", err.message);
        return;
    }
    if (created)
        object_set_finalizer(object, COLLECTOR_CLEANUP, true);
    json_t *status = member(object, "status");
    json_object_set(status, "acceptedNames", jx_get(object, "spec", "names", NULL));
    json_object_set_new(status, "storedVersions", json_pack("[s]", resource->version));
    object_set_condition(call->cluster, object, "NamesAccepted", "True", "NoConflicts",
                         "no conflicts found");
    object_set_condition(call->cluster, object, "Established", "True", "InitialNamesAccepted",
                         "the initial names have been accepted");
}

void admission_check(struct api_call *call, json_t *object, const json_t *old, json_t *causes)
{
    switch (call->resource->role) {
    case ROLE_NAMESPACE:
        if (!old)
            admit_namespace(object, jx_string(object, "metadata", "name", NULL));
        break;
    case ROLE_DEFINITION:
        if (!object_is_deleting(object))
            admit_definition(call, object, !old, causes);
        break;
    case ROLE_JOB:
        if (old)
            keep_immutable(object, old, causes);
        else
            admit_job(object, causes);
        break;
    case ROLE_POD:
        if (!old)
            admit_pod(object, causes);
        break;
    default:
        if (strcmp(call->resource->plural, "secrets") == 0 && !*call->resource->group)
            admit_secret(object);
    }
}
