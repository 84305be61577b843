/* gs_key.h - pure: a service account's key file, and what it signs.
 * https://developers.google.com/identity/protocols/oauth2/service-account#httprest */
#pragma once

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

struct gs_key {
    const char *email, *id, *token_uri; /* id: NULL when the file has none */
    void *private_key;                  /* OpenSSL's EVP_PKEY */
};

/* The JSON document that Google Cloud gives out for a key. Texts live in the arena, which also
 * releases the private key. UNSUPPORTED for credentials of other types (of a person, of an identity
 * federation), saying what to use instead; no message quotes the file. */
int gs_key_parse(struct span text, const char *what, struct arena *arena, struct gs_key *ret_key,
                 struct err *err) __attribute__((warn_unused_result));

/* The JSON Web Token (RFC 7519, RS256) that is exchanged for an access token with `scope`, valid
 * for an hour from now_s, a Unix time. A secret. The caller frees. */
char *gs_key_sign(const struct gs_key *key, const char *scope, int64_t now_s, struct err *err)
    __attribute__((warn_unused_result));
