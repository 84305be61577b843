/* job_credentials.h - pure: how a pod gets what opens its buckets.
 *
 * The Secret of spec.credentials is mounted as files, which the variables that each cloud's own
 * tools know announce: so any image finds them. Only variables of the schemes that the job document
 * names are set, and none that the user sets in podTemplate.env. */
#pragma once

#include "base/fields.h"
#include "base/json.h"

#define CREDENTIALS_FOLDER "/var/run/churn/credentials"

/* Keys of the Secret. */
#define CREDENTIALS_GCS      "gcs.json"
#define CREDENTIALS_AWS      "aws-credentials"
#define CREDENTIALS_ENDPOINT "endpoint"
#define CREDENTIALS_REGION   "region"
#define CREDENTIALS_CA       "ca.crt"

struct secret_reference {
    const char *name;
};

struct credentials_spec {
    struct secret_reference *secret_ref;
};
extern const struct fields credentials_spec_fields;

/* Adds volume, mount and variables to the spec of a pod of one container. */
void job_add_credentials(const char *secret, const json_t *document, json_t *pod);
