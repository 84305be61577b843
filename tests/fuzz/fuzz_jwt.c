/* Properties: an accepted token is RS256 with a key id, its signed part is its text up to the last
 * dot, and no key that the fuzzer knows nothing of has signed it; the first line is a key set, the
 * rest the token. */
#include <stdint.h>

#include "base/limits.h"
#include "net/jwt.h"

static void check(const char *text, const struct jwt_keys *keys)
{
    static const struct jwt_rules rules = { "https://issuer", "us", { 0 } };
    auto_arena struct arena arena = { 0 };
    struct jwt token;
    struct err err;

    if (jwt_parse(text, &arena, &token, &err) < 0)
        return;
    if (strcmp(token.algorithm, "RS256") != 0 || !token.key_id || !token.claims.issuer ||
        !token.claims.audience)
        abort();
    if (token.signed_part.data != text || text + token.signed_part.length != strrchr(text, '.'))
        abort();
    if (keys && jwt_verify(&token, keys, &err) == 0 && !jwt_keys_have(keys, token.key_id))
        abort();
    if (jwt_check(&token.claims, &rules, token.claims.expires_s + JWT_SKEW_S, &err) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text auto_free = mem_strndup(size > 0 ? (const char *)data : "", size);
    size_t length = strcspn(text, "\n");
    struct err err;
    struct jwt_keys *keys = jwt_keys_parse((struct span){ text, length }, &err);

    check(text[length] ? text + length + 1 : text, keys);
    jwt_keys_free(keys);
    return 0;
}
