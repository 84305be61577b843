/* aws_profile.h - pure: the files that AWS's tools share, `credentials` and `config`
 * (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html). */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

/* What a profile says of what is supported here; NULL: nothing. */
struct aws_profile {
    const char *access_key_id, *secret_access_key, *session_token;
    const char *role_arn, *role_session_name, *web_identity_token_file;
    const char *region, *endpoint_url, *ca_bundle;
    const char *addressing_style;   /* "path", "virtual" or "auto"; in the nested section s3 */
    const char *credential_process; /* programs are not run for credentials: told, not ignored */
    const char *source_profile;     /* nor are roles taken with another profile's keys */
    bool found;                     /* a section has the profile's name */
};

/* Adds what the section of the profile says to *profile, without replacing what is there: read the
 * credentials file first. In a config file sections are named "profile NAME", but for "default".
 * Unknown keys are skipped. Texts live in the arena. ERR_INVALID with the line for what is no
 * section, no "key = value" and no comment; the message never quotes a value. */
int aws_profile_read(struct span text, const char *what, const char *name, bool is_config,
                     struct arena *arena, struct aws_profile *profile, struct err *err)
    __attribute__((warn_unused_result));
