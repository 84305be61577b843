#include "base/num.h"
#include "contract/check.h"
#include "pod_template.h"

static const struct field resources_items[] = {
    FIELD(struct pod_resources, requests, "requests", FIELD_MAP, .maximum = 64),
    FIELD(struct pod_resources, limits, "limits", FIELD_MAP, .maximum = 64),
};
static const struct fields resources_fields = FIELDS(struct pod_resources, resources_items);

#define USER_MAXIMUM 2147483647 /* of the core API */

static const struct field pod_template_items[] = {
    FIELD(struct pod_template, resources, "resources", FIELD_OBJECT, .table = &resources_fields),
    FIELD(struct pod_template, node_selector, "nodeSelector", FIELD_MAP, .maximum = 63),
    FIELD(struct pod_template, tolerations, "tolerations", FIELD_JSON),
    FIELD(struct pod_template, affinity, "affinity", FIELD_JSON),
    FIELD(struct pod_template, service_account_name, "serviceAccountName", FIELD_STRING,
          .maximum = 253, .check = check_subdomain),
    FIELD(struct pod_template, priority_class_name, "priorityClassName", FIELD_STRING,
          .maximum = 253, .check = check_subdomain),
    FIELD(struct pod_template, env, "env", FIELD_JSON),
    FIELD(struct pod_template, volumes, "volumes", FIELD_JSON),
    FIELD(struct pod_template, volume_mounts, "volumeMounts", FIELD_JSON),
    FIELD(struct pod_template, run_as_user, "runAsUser", FIELD_OPT_INT, .minimum = 1,
          .maximum = USER_MAXIMUM),
    FIELD(struct pod_template, run_as_group, "runAsGroup", FIELD_OPT_INT, .minimum = 0,
          .maximum = USER_MAXIMUM),
    FIELD(struct pod_template, fs_group, "fsGroup", FIELD_OPT_INT, .minimum = 0,
          .maximum = USER_MAXIMUM),
    FIELD(struct pod_template, labels, "labels", FIELD_MAP, .maximum = 63),
    FIELD(struct pod_template, annotations, "annotations", FIELD_MAP, .maximum = 1024),
};
const struct fields pod_template_fields = FIELDS(struct pod_template, pod_template_items);

static int check_quantities(const struct pairs *quantities, const char *path, const char *member,
                            struct err *err)
{
    for (size_t i = 0; i < quantities->count; i++) {
        const struct pair *quantity = &quantities->items[i];
        int64_t milli;
        if (num_quantity_milli(span_of(quantity->value), &milli, NULL) < 0 || milli < 0)
            return err_set(err, ERR_INVALID,
                           "%s.resources.%s.%s: must be a quantity such as 500m or 1Gi, not \"%s\"",
                           path, member, quantity->name, quantity->value);
    }
    return 0;
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int check_keys(const struct pairs *pairs, const char *path, const char *member,
                      struct err *err)
{
    static const char *const reserved[] = { "app.kubernetes.io/name", "app.kubernetes.io/part-of",
                                            "app.kubernetes.io/managed-by",
                                            "app.kubernetes.io/component" };
    for (size_t i = 0; i < pairs->count; i++) {
        const char *name = pairs->items[i].name;
        bool ours = begins_with(name, "churnops.io/");
        for (size_t j = 0; j < ARRAY_SIZE(reserved); j++)
            ours = ours || strcmp(name, reserved[j]) == 0;
        if (ours)
            return err_set(err, ERR_INVALID, "%s.%s: must not set %s, which is the operator's",
                           path, member, name);
    }
    return 0;
}

/* Lists of named objects; names that begin with `reserved` are the operator's. */
static int check_named(const json_t *list, const char *path, const char *member,
                       const char *reserved, struct err *err)
{
    if (!list)
        return 0;
    if (!json_is_array(list) || json_array_size(list) > 64)
        return err_set(err, ERR_INVALID, "%s.%s: must be a list of at most 64 items", path, member);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = jx_string(json_array_get(list, i), "name", NULL);
        if (!name)
            return err_set(err, ERR_INVALID, "%s.%s[%zu].name: is required", path, member, i);
        if (reserved && begins_with(name, reserved))
            return err_set(err, ERR_INVALID, "%s.%s[%zu].name: must not begin with %s", path,
                           member, i, reserved);
    }
    return 0;
}

int pod_template_check(const struct pod_template *template, const char *path, struct err *err)
{
    const struct pod_resources *resources = template->resources;
    if (resources && (check_quantities(&resources->requests, path, "requests", err) < 0 ||
                      check_quantities(&resources->limits, path, "limits", err) < 0))
        return -1;
    if (check_keys(&template->labels, path, "labels", err) < 0 ||
        check_keys(&template->annotations, path, "annotations", err) < 0 ||
        check_named(template->env, path, "env", "CHURN_", err) < 0 ||
        check_named(template->volumes, path, "volumes", "churn-", err) < 0 ||
        check_named(template->volume_mounts, path, "volumeMounts", "churn-", err) < 0)
        return -1;
    if (template->tolerations && !json_is_array(template->tolerations))
        return err_set(err, ERR_INVALID, "%s.tolerations: must be a list", path);
    if (template->affinity && !json_is_object(template->affinity))
        return err_set(err, ERR_INVALID, "%s.affinity: must be an object", path);
    return 0;
}
