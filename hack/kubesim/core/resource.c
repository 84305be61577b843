#include "kubesim/core/resource.h"

#include <regex.h>
#include <string.h>

static const struct builtin {
    const char *group, *version, *plural, *kind, *short_names, *categories;
    bool namespaced, has_status;
    enum resource_role role;
} builtins[] = {
    { "", "v1", "namespaces", "Namespace", "ns", "", false, true, ROLE_NAMESPACE },
    { "", "v1", "pods", "Pod", "po", "all", true, true, ROLE_POD },
    { "", "v1", "secrets", "Secret", "", "", true, false, ROLE_PLAIN },
    { "", "v1", "configmaps", "ConfigMap", "cm", "", true, false, ROLE_PLAIN },
    { "", "v1", "serviceaccounts", "ServiceAccount", "sa", "", true, false, ROLE_PLAIN },
    { "", "v1", "services", "Service", "svc", "all", true, true, ROLE_PLAIN },
    { "", "v1", "events", "Event", "ev", "", true, false, ROLE_EVENT },
    { "events.k8s.io", "v1", "events", "Event", "ev", "", true, false, ROLE_EVENT },
    { "apps", "v1", "deployments", "Deployment", "deploy", "all", true, true, ROLE_PLAIN },
    { "batch", "v1", "jobs", "Job", "", "all", true, true, ROLE_JOB },
    { "coordination.k8s.io", "v1", "leases", "Lease", "", "", true, false, ROLE_PLAIN },
    { "rbac.authorization.k8s.io", "v1", "roles", "Role", "", "", true, false, ROLE_PLAIN },
    { "rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", "", true, false,
      ROLE_PLAIN },
    { "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", "", false, false,
      ROLE_PLAIN },
    { "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", "", false,
      false, ROLE_PLAIN },
    { "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition",
      "crd crds", "api-extensions", false, true, ROLE_DEFINITION },
};

static json_t *words(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t length = strcspn(text, " ");
        json_array_append_new(list, json_stringn(text, length));
        text += length + strspn(text + length, " ");
    }
    return list;
}

static struct resource *add(struct resources *resources)
{
    struct resource *resource = mem_zero(1, sizeof(*resource));
    resource->storage = resource;
    resources->items =
        mem_resize(resources->items, resources->count + 1, sizeof(*resources->items));
    resources->items[resources->count++] = resource;
    return resource;
}

static char *lower(const char *text)
{
    char *copy = mem_strdup(text);
    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

void resources_init(struct resources *resources)
{
    *resources = (struct resources){ 0 };
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        const struct builtin *builtin = &builtins[i];
        struct resource *resource = add(resources);
        resource->group = mem_strdup(builtin->group);
        resource->version = mem_strdup(builtin->version);
        resource->plural = mem_strdup(builtin->plural);
        resource->kind = mem_strdup(builtin->kind);
        resource->singular = lower(builtin->kind);
        resource->list_kind = mem_format("%sList", builtin->kind);
        resource->short_names = words(builtin->short_names);
        resource->categories = words(builtin->categories);
        resource->namespaced = builtin->namespaced;
        resource->has_status = builtin->has_status;
        resource->role = builtin->role;
        if (builtin->role == ROLE_EVENT)
            resource->storage = resource_find(resources, "", "v1", "events");
    }
}

static void forget_patterns(struct resource *resource)
{
    for (size_t i = 0; i < resource->patterns.count; i++) {
        regfree(resource->patterns.entries[i].value);
        free(resource->patterns.entries[i].value);
    }
    index_release(&resource->patterns);
}

static void forget_declaration(struct resource *resource)
{
    free(resource->group);
    free(resource->version);
    free(resource->plural);
    free(resource->singular);
    free(resource->kind);
    free(resource->list_kind);
    json_decref(resource->short_names);
    json_decref(resource->categories);
    json_decref(resource->schema);
    json_decref(resource->columns);
    forget_patterns(resource);
}

static void resource_free(struct resource *resource)
{
    forget_declaration(resource);
    index_release(&resource->objects);
    free(resource);
}

void resources_release(struct resources *resources)
{
    for (size_t i = 0; i < resources->count; i++)
        resource_free(resources->items[i]);
    free(resources->items);
    *resources = (struct resources){ 0 };
}

struct resource *resource_find(const struct resources *resources, const char *group,
                               const char *version, const char *plural)
{
    for (size_t i = 0; i < resources->count; i++) {
        struct resource *resource = resources->items[i];
        if (strcmp(resource->plural, plural) == 0 && strcmp(resource->group, group) == 0 &&
            (!version || strcmp(resource->version, version) == 0))
            return resource;
    }
    return NULL;
}

char *resource_api_version(const struct resource *resource)
{
    return mem_format("%s%s%s", resource->group, *resource->group ? "/" : "", resource->version);
}

char *resource_name(const struct resource *resource)
{
    return mem_format("%s%s%s", resource->plural, *resource->group ? "." : "", resource->group);
}

struct resource *resource_of_kind(const struct resources *resources, const char *api_version,
                                  const char *kind)
{
    for (size_t i = 0; i < resources->count; i++) {
        struct resource *resource = resources->items[i];
        auto_free char *own = resource_api_version(resource);
        if (strcmp(resource->kind, kind) == 0 && strcmp(own, api_version) == 0)
            return resource;
    }
    return NULL;
}

/* The one version that is served; several would need conversion. */
static const json_t *served_version(const json_t *spec, struct err *err)
{
    const json_t *found = NULL, *version;
    size_t i;
    json_array_foreach(jx_get(spec, "versions", NULL), i, version)
    {
        if (!jx_bool(version, "served", false))
            continue;
        if (found) {
            err_set(err, ERR_INVALID, "spec.versions: this server takes one served version");
            return NULL;
        }
        found = version;
    }
    if (!found)
        err_set(err, ERR_INVALID, "spec.versions: Required value: one served version");
    return found;
}

static char *copy_or(const char *text, char *take_fallback)
{
    if (!text)
        return take_fallback;
    free(take_fallback);
    return mem_strdup(text);
}

static json_t *list_or_empty(json_t *list)
{
    return json_is_array(list) ? json_incref(list) : json_array();
}

static void declare(struct resource *resource, const json_t *spec, const json_t *version)
{
    const json_t *names = jx_get(spec, "names", NULL);
    forget_declaration(resource);
    resource->group = mem_strdup(jx_string(spec, "group", NULL));
    resource->version = mem_strdup(jx_string(version, "name", NULL));
    resource->plural = mem_strdup(jx_string(names, "plural", NULL));
    resource->kind = mem_strdup(jx_string(names, "kind", NULL));
    resource->singular = copy_or(jx_string(names, "singular", NULL), lower(resource->kind));
    resource->list_kind =
        copy_or(jx_string(names, "listKind", NULL), mem_format("%sList", resource->kind));
    resource->short_names = list_or_empty(jx_get(names, "shortNames", NULL));
    resource->categories = list_or_empty(jx_get(names, "categories", NULL));
    resource->namespaced = strcmp(jx_string(spec, "scope", NULL), "Namespaced") == 0;
    resource->has_status = jx_get(version, "subresources", "status", NULL) != NULL;
    resource->role = ROLE_CUSTOM;
    resource->schema = json_incref(jx_get(version, "schema", "openAPIV3Schema", NULL));
    resource->columns = json_incref(jx_get(version, "additionalPrinterColumns", NULL));
}

int resource_define(struct resources *resources, const json_t *definition,
                    struct resource **ret_resource, struct err *err)
{
    static const char *const required[][2] = {
        { "group", NULL }, { "scope", NULL }, { "names", "plural" }, { "names", "kind" }
    };
    const json_t *spec = jx_get(definition, "spec", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(required); i++)
        if (!jx_string(spec, required[i][0], required[i][1], NULL))
            return err_set(err, ERR_INVALID, "spec.%s%s%s: Required value", required[i][0],
                           required[i][1] ? "." : "", required[i][1] ? required[i][1] : "");
    const json_t *version = served_version(spec, err);
    if (!version)
        return -1;
    if (!jx_string(version, "name", NULL) || !jx_get(version, "schema", "openAPIV3Schema", NULL))
        return err_set(
            err, ERR_INVALID,
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required");
    struct resource *resource = resource_find(resources, jx_string(spec, "group", NULL), NULL,
                                              jx_string(spec, "names", "plural", NULL));
    if (!resource)
        resource = add(resources);
    declare(resource, spec, version);
    *ret_resource = resource;
    return 0;
}
