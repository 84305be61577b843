/* pod_template.h - what users may say about the pods of their Jobs.
 *
 * The part of a pod that ChurnModel and ChurnBatch let users set. Deep
 * Kubernetes structures stay JSON: the API server checks them when the Job is
 * created. */
#pragma once

#include "base/fields.h"

struct pod_resources {
    struct pairs requests, limits; /* resource name to quantity */
};

struct pod_template {
    struct pod_resources *resources;
    struct pairs node_selector;
    json_t *tolerations, *affinity; /* arrays and objects of the core API; NULL: none */
    const char *service_account_name, *priority_class_name;
    json_t *env, *volumes, *volume_mounts;
    struct opt_int run_as_user, run_as_group, fs_group;
    struct pairs labels, annotations; /* copied to Job and pod */
};

extern const struct fields pod_template_fields;

/* The rules that a table cannot say: quantities, reserved labels, annotations,
 * environment variables and volume names. `path` is "spec.podTemplate". */
int pod_template_check(const struct pod_template *template, const char *path, struct err *err)
    __attribute__((warn_unused_result));

#define DEFAULT_DEADLINE_SECONDS "3600"
#define DEFAULT_BACKOFF_LIMIT    "3"
#define DEADLINE_MAXIMUM         2592000 /* 30 days */
#define BACKOFF_LIMIT_MAXIMUM    20
