/* resource.h - the kinds that the server knows: a table of built-in ones, and
 * those that CustomResourceDefinitions add.
 *
 * Built-in kinds have no schema here: what is stored is what was sent. Custom
 * kinds have the structural schema of their one served version. A resource that
 * a definition brought lives until the definition is deleted. */
#pragma once

#include "base/json.h"
#include "kubesim/core/index.h"

enum resource_role { /* what kinds the server itself acts on */
                     ROLE_PLAIN,
                     ROLE_CUSTOM,
                     ROLE_DEFINITION,
                     ROLE_NAMESPACE,
                     ROLE_JOB,
                     ROLE_POD,
                     ROLE_EVENT,
};

struct resource {
    char *group, *version, *plural, *singular, *kind, *list_kind;
    json_t *short_names, *categories; /* arrays of strings */
    bool namespaced, has_status;
    enum resource_role role;
    json_t *schema;                 /* openAPIV3Schema, or NULL */
    json_t *columns;                /* additionalPrinterColumns, or NULL */
    struct index patterns;          /* compiled regular expressions of the schema */
    struct index objects;           /* "<namespace>/<name>" -> struct object */
    const struct resource *storage; /* another version's resource holds the objects; or itself */
};

struct resources {
    struct resource **items; /* in order of registration: core first */
    size_t count;
};

void resources_init(struct resources *resources); /* with the built-in kinds */
void resources_release(struct resources *resources);

/* Borrowed; NULL when unknown. `version` may be NULL: the first one. */
struct resource *resource_find(const struct resources *resources, const char *group,
                               const char *version, const char *plural);
struct resource *resource_of_kind(const struct resources *resources, const char *api_version,
                                  const char *kind);

/* "batch/v1", or "v1" for the core group. New text. */
char *resource_api_version(const struct resource *resource) __attribute__((returns_nonnull));
/* "jobs.batch", or "pods": how messages call it. New text. */
char *resource_name(const struct resource *resource) __attribute__((returns_nonnull));

/* Registers or updates what a CustomResourceDefinition object declares; ERR_INVALID names the
 * path of what this server cannot take (several served versions, no schema). */
int resource_define(struct resources *resources, const json_t *definition,
                    struct resource **ret_resource, struct err *err)
    __attribute__((warn_unused_result));
