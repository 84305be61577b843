/* Property: every accepted entry has a user with a password or neither, and entries come with the
 * longest path first. */
#include <stdint.h>

#include "oci/docker_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct docker_config config;
    struct err err;

    if (docker_config_parse((struct span){ (const char *)data, size }, &arena, &config, &err) < 0)
        return 0;
    for (size_t i = 0; i < config.count; i++) {
        const struct docker_auth *auth = &config.auths[i];

        if (!auth->username != !auth->password)
            abort();
        if (i > 0 && strlen(auth[-1].path) < strlen(auth->path))
            abort();
        bool is_name = !strchr(auth->host, '*') && strlen(auth->host) < 256;
        if (is_name && !docker_auth_matches(auth, auth->host, auth->path))
            abort();
    }
    return 0;
}
