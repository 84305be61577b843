/* job_builder.h - the Job objects that the controller creates.
 *
 * A Job is a function of its order: the same order gives the same object.
 * Pods run under the "restricted" Pod Security Standard, without an API token,
 * and get the job document through a downwardAPI volume. */
#pragma once

#include "base/json.h"
#include "contract/identity.h"
#include "job_credentials.h"
#include "pod_template.h"
#include "view.h"

#define LABEL_MODEL         "churnops.io/model"
#define LABEL_BATCH         "churnops.io/batch"
#define LABEL_RUN           "churnops.io/run"
#define ANNOTATION_ATTEMPT  "churnops.io/attempt"
#define ANNOTATION_TEMPLATE "churnops.io/template"
#define ANNOTATION_KEEP     "churnops.io/keep-versions"

struct job_order {
    const char *owner_kind; /* MODEL_KIND or BATCH_KIND */
    const struct metadata *owner;
    const char *name, *run_key;
    const char *template_hash;           /* job_template_hash(), NULL: the Job is never replaced */
    const struct strings *keep_versions; /* that a training does not delete; NULL: it is none */
    int64_t attempt;
    const char *component;                      /* "trainer" or "scorer"                      */
    const char *model, *batch;                  /* names for labels; batch NULL for trainings */
    const char *image;                          /* with digest                                */
    json_t *document;                           /* borrowed: the job document                 */
    const struct pod_template *pod_template;    /* NULL: none                  */
    const struct list *pull_secrets;            /* of struct object_reference  */
    const struct credentials_spec *credentials; /* NULL: none               */
    int64_t active_deadline_seconds, backoff_limit;
    int64_t indexes; /* of an Indexed Job, one pod each; 0: one pod alone */
};

/* So many pods of an Indexed Job run at a time. */
#define JOB_PARALLELISM 32

/* What makes a child of its owner. New reference. */
json_t *job_owner_reference(const char *owner_kind, const struct metadata *owner)
    __attribute__((warn_unused_result));

/* New reference. */
json_t *job_build(const struct job_order *order) __attribute__((warn_unused_result));

/* A Job whose pod does nothing, but has to be given the image: then its status names the digest
 * (image_probe.h). Pulled as the pods of `pod_template` pull it, and ended by Kubernetes alone
 * after PROBE_SECONDS. It has not the label by which Jobs are followed: no status names it. */
#define PROBE_SECONDS 300
struct probe_order {
    const struct metadata *model;            /* whose it is                 */
    const char *image;                       /* with tag                    */
    const struct pod_template *pod_template; /* NULL: none                  */
    const struct list *pull_secrets;         /* of struct object_reference  */
};
/* New reference. */
json_t *job_build_probe(const struct probe_order *order) __attribute__((warn_unused_result));

/* What replaces an unfinished Job when it changes, as a key of 32 hex digits:
 * pod template, pull secrets, credentials (NULL: none), deadline, backoff limit. */
void job_template_hash(const struct pod_template *pod_template, const struct list *pull_secrets,
                       const struct credentials_spec *credentials, int64_t active_deadline_seconds,
                       int64_t backoff_limit, char ret_key[IDENTITY_KEY]);

/* "ghcr.io/acme/trainer:stable" and a digest to "ghcr.io/acme/trainer@sha256:..." */
const char *job_image(const char *reference, const char *digest, struct arena *arena);
