/* Property: what is found in a header is a part of it, and Bearer alone gives parameters. */
#include <stdint.h>

#include "oci/challenge.h"

static void check(const char *value, size_t size)
{
    if (value && strlen(value) > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct challenge challenge = { 0 };
    struct err err;
    const char *header = arena_strndup(&arena, size > 0 ? (const char *)data : "", size);

    if (challenge_add(header, &arena, &challenge, &err) < 0)
        return 0;
    check(challenge.realm, size);
    check(challenge.service, size);
    check(challenge.scope, size);
    if (!challenge.bearer && (challenge.realm || challenge.service || challenge.scope))
        abort();
    return 0;
}
