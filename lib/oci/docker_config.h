/* docker_config.h - pure: credentials of a pull secret (kubernetes.io/dockerconfigjson).
 *
 * {"auths": {"<registry>[/path]": {"auth": base64("user:password")} or
 * {"username", "password"}}}. Keys may carry http:// or https:// and an ending
 * /v1/ or /v2/; "*" in a host's label matches within that label; of several keys
 * that match, that with the longest path comes first, as in the kubelet
 * (https://kubernetes.io/docs/concepts/containers/images/#config-json).
 * credsStore and credHelpers name programs on somebody's laptop and are ignored;
 * an identitytoken is refused when it would be used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

struct docker_auth {
    const char *host;     /* with port when written; may hold '*' */
    const char *path;     /* "" or "acme/team" */
    const char *username; /* NULL: it has an identitytoken only */
    const char *password;
};

struct docker_config {
    struct docker_auth *auths;
    size_t count;
};

/* ERR_INVALID names the member, never a value. Strings live in the arena. */
int docker_config_parse(struct span text, struct arena *arena, struct docker_config *ret_config,
                        struct err *err) __attribute__((warn_unused_result));

/* Does the entry apply to an image? `domain` as in struct reference. */
bool docker_auth_matches(const struct docker_auth *auth, const char *domain,
                         const char *repository);
