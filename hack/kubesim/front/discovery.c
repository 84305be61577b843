/* discovery.c - /api, /apis, /version, /openapi: what kubectl asks before anything else.
 *
 * The OpenAPI document of a group names no schemas: only that each kind's PATCH
 * takes fieldValidation, which lets `kubectl apply` leave validation to the
 * server. https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation */
#include <string.h>

#include "kubesim/front/request.h"

#define KUBERNETES_MAJOR "1"
#define KUBERNETES_MINOR "32"

static const struct resources *resources_of(const struct request *request)
{
    return &request->front->options.cluster->resources;
}

static json_t *version_info(void)
{
    return json_pack("{ss ss ss ss}", "major", KUBERNETES_MAJOR, "minor", KUBERNETES_MINOR,
                     "gitVersion",
                     "v" KUBERNETES_MAJOR "." KUBERNETES_MINOR ".0+kubesim-" CHURN_VERSION,
                     "platform", "linux/amd64");
}

static json_t *resource_entry(const struct resource *resource)
{
    static const char *const verbs[] = { "create", "delete", "get",  "list",
                                         "patch",  "update", "watch" };
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        json_array_append_new(list, json_string(verbs[i]));
    return json_pack("{ss ss ss sb so sO sO}", "name", resource->plural, "singularName",
                     resource->singular, "kind", resource->kind, "namespaced", resource->namespaced,
                     "verbs", list, "shortNames", resource->short_names, "categories",
                     resource->categories);
}

static json_t *subresource_entry(const struct resource *resource, const char *name,
                                 json_t *take_verbs)
{
    return json_pack("{so ss ss sb so}", "name", json_sprintf("%s/%s", resource->plural, name),
                     "singularName", "", "kind", resource->kind, "namespaced", resource->namespaced,
                     "verbs", take_verbs);
}

static bool is_in(const struct resource *resource, const char *group, const char *version)
{
    return strcmp(resource->group, group) == 0 && strcmp(resource->version, version) == 0;
}

static json_t *resource_list(const struct resources *resources, const char *group,
                             const char *version)
{
    json_t *list = json_array();
    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = resources->items[i];
        if (!is_in(resource, group, version))
            continue;
        json_array_append_new(list, resource_entry(resource));
        if (resource->has_status)
            json_array_append_new(list,
                                  subresource_entry(resource, "status",
                                                    json_pack("[sss]", "get", "patch", "update")));
        if (resource->role == ROLE_POD)
            json_array_append_new(list,
                                  subresource_entry(resource, "log", json_pack("[s]", "get")));
    }
    return json_pack("{ss ss so so}", "kind", "APIResourceList", "apiVersion", "v1", "groupVersion",
                     json_sprintf("%s%s%s", group, *group ? "/" : "", version), "resources", list);
}

static json_t *group_of(const struct resource *resource)
{
    auto_json json_t *version = json_pack("{so ss}", "groupVersion",
                                          json_sprintf("%s/%s", resource->group, resource->version),
                                          "version", resource->version);
    return json_pack("{ss ss ss s[O] sO}", "kind", "APIGroup", "apiVersion", "v1", "name",
                     resource->group, "versions", version, "preferredVersion", version);
}

/* The first resource of each named group stands for it: a group has one version here. */
static bool begins_group(const struct resources *resources, size_t position)
{
    const struct resource *resource = resources->items[position];
    for (size_t i = 0; i < position; i++)
        if (is_in(resources->items[i], resource->group, resource->version))
            return false;
    return true;
}

static json_t *group_list(const struct resources *resources)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < resources->count; i++)
        if (*resources->items[i]->group && begins_group(resources, i))
            json_array_append_new(groups, group_of(resources->items[i]));
    return json_pack("{ss ss so}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

/* --- OpenAPI ----------------------------------------------------------------------------- */

static char *openapi_name(const struct resource *resource)
{
    return *resource->group ? mem_format("apis/%s/%s", resource->group, resource->version)
                            : mem_format("api/%s", resource->version);
}

static json_t *openapi_index(const struct resources *resources)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < resources->count; i++) {
        if (!begins_group(resources, i))
            continue;
        auto_free char *name = openapi_name(resources->items[i]);
        json_object_set_new(
            paths, name,
            json_pack("{so}", "serverRelativeURL", json_sprintf("/openapi/v3/%s", name)));
    }
    return json_pack("{so}", "paths", paths);
}

static json_t *openapi_operation(const struct resource *resource)
{
    return json_pack("{s{ss ss ss} s[{ss ss s{ss}}] s{s{s{}}} s{s{ss}}}",
                     "x-kubernetes-group-version-kind", "group", resource->group, "version",
                     resource->version, "kind", resource->kind, "parameters", "name",
                     "fieldValidation", "in", "query", "schema", "type", "string", "requestBody",
                     "content", "application/merge-patch+json", "responses", "200", "description",
                     "OK");
}

static json_t *openapi_document(const struct resources *resources, const char *name)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = resources->items[i];
        auto_free char *own = openapi_name(resource);
        if (strcmp(own, name) != 0)
            continue;
        auto_free char *path =
            mem_format("/%s/%s%s/{name}", own,
                       resource->namespaced ? "namespaces/{namespace}/" : "", resource->plural);
        json_object_set_new(paths, path,
                            json_pack("{so so}", "patch", openapi_operation(resource), "post",
                                      openapi_operation(resource)));
    }
    return json_pack("{ss s{ss ss} so}", "openapi", "3.0.0", "info", "title", "kubesim", "version",
                     CHURN_VERSION, "paths", paths);
}

static json_t *group_answer(const struct request *request, const char *path)
{
    const struct resources *resources = resources_of(request);
    const char *slash = strchr(path, '/');
    auto_free char *group = mem_strndup(path, slash ? (size_t)(slash - path) : strlen(path));
    const char *version = slash ? slash + 1 : NULL;
    for (size_t i = 0; i < resources->count; i++) {
        const struct resource *resource = resources->items[i];
        if (*group && strcmp(resource->group, group) == 0 &&
            (!version || strcmp(resource->version, version) == 0))
            return version ? resource_list(resources, group, version) : group_of(resource);
    }
    return NULL;
}

static json_t *answer_of(const struct request *request, const char *path)
{
    const struct resources *resources = resources_of(request);
    if (strcmp(path, "/version") == 0)
        return version_info();
    if (strcmp(path, "/api") == 0)
        return json_pack("{ss s[s] s[]}", "kind", "APIVersions", "versions", "v1",
                         "serverAddressByClientCIDRs");
    if (strcmp(path, "/apis") == 0)
        return group_list(resources);
    if (strcmp(path, "/api/v1") == 0)
        return resource_list(resources, "", "v1");
    if (strcmp(path, "/openapi/v3") == 0)
        return openapi_index(resources);
    if (strncmp(path, "/openapi/v3/", 12) == 0)
        return openapi_document(resources, path + 12);
    return strncmp(path, "/apis/", 6) == 0 ? group_answer(request, path + 6) : NULL;
}

/* kubectl asks for it as protobuf where version 3 does not help; no bytes are an empty document. */
static void reply_openapi_v2(const struct request *request)
{
    const struct exchange *exchange = &request->exchange;
    exchange->port->reply(exchange->handle, 200,
                          "application/com.github.proto-openapi.spec.v2.v1.0+protobuf", span_of(""),
                          NULL, 0);
}

bool handle_discovery(struct request *request, const char *path)
{
    if (strcmp(path, "/openapi/v2") == 0) {
        reply_openapi_v2(request);
        return true;
    }
    json_t *answer = answer_of(request, path);
    if (!answer)
        return false;
    request_reply(request, 200, answer);
    return true;
}
