/* aws_settings.h - where S3 is and what proves who we are, as AWS's own tools find it.
 *
 * From variables (AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
 * AWS_CA_BUNDLE, AWS_PROFILE, ...) and from the files they name, by default ~/.aws/credentials and
 * ~/.aws/config; a variable wins over a file. A file that is not there says nothing: a mounted
 * Secret need not have them all.
 * https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html */
#pragma once

#include <stdbool.h>

#include "store/remote.h"

struct aws_keys {
    const char *access_key_id, *secret_access_key;
    const char *session_token; /* NULL: none */
};

/* NULL: not said. */
struct aws_settings {
    const char *region;
    const char *endpoint_url, *sts_endpoint_url; /* without '/' at the end */
    bool virtual_hosts; /* at an endpoint_url: the bucket is in the host's name */
    bool path_style;    /* at AWS: it is not */
    const char *ca_pem; /* authorities instead of the system's */

    /* What there is of it counts in this order. */
    struct aws_keys keys;
    const char *role_arn, *role_session_name, *web_identity_token_file;
    const char *container_url, *container_token, *container_token_file;
    const char *metadata_url; /* of the instance's metadata server; NULL: it must not be asked */
};

/* Texts live in the arena. INVALID names the variable, or file and line, and what was expected. */
int aws_settings_read(const struct remote *remote, struct arena *arena,
                      struct aws_settings *ret_settings, struct err *err)
    __attribute__((warn_unused_result));
