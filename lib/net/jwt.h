/* jwt.h - pure: who signed a JSON Web Token (RFC 7519), for whom, and until when.
 *
 * Tokens are signed with RS256 (RFC 7518, 3.3), as those are that Google's services send; every
 * other algorithm is refused, "none" first of all. Keys are those of a JWKS (RFC 7517). Messages
 * never quote a token. */
#pragma once

#include "base/err.h"
#include "base/fields.h"
#include "base/span.h"

/* --- keys --------------------------------------------------------------------- */

struct jwt_keys;

/* The RSA keys of a JWKS that are meant for signatures and have 2048 to 8192 bits; others are
 * passed over. ERR_INVALID when none is left. */
struct jwt_keys *jwt_keys_parse(struct span text, struct err *err)
    __attribute__((warn_unused_result));
void jwt_keys_free(struct jwt_keys *keys); /* NULL: no effect */
bool jwt_keys_have(const struct jwt_keys *keys, const char *key_id);

/* --- tokens ------------------------------------------------------------------- */

struct jwt_claims {
    const char *issuer, *subject;
    const json_t *audience; /* a text or several */
    const char *email;
    bool email_verified;
    int64_t expires_s, issued_s, not_before_s; /* since 1970; the last two: 0 when absent */
};

struct jwt {
    const char *algorithm, *key_id;
    struct jwt_claims claims; /* of somebody, until jwt_verify() has said that it is true */
    struct span signed_part;  /* of the text that was parsed */
    struct span signature;
};

/* Takes a token apart, believing nothing. What *ret_token points to lives in the arena.
 * ERR_INVALID says what it lacks. */
int jwt_parse(const char *text, struct arena *arena, struct jwt *ret_token, struct err *err)
    __attribute__((warn_unused_result));

/* ERR_NOT_FOUND: none of the keys is the token's; it may be a newer one. ERR_DENIED: its signature
 * is not that of the key. */
int jwt_verify(const struct jwt *token, const struct jwt_keys *keys, struct err *err)
    __attribute__((warn_unused_result));

/* How far the clock of an issuer may be from ours. */
#define JWT_SKEW_S 60

struct jwt_rules {
    const char *issuer, *audience;
    struct strings emails; /* one of them must be the token's and verified; none: any or no email */
};

/* Whether the claims are ours and of now. ERR_INVALID: of another issuer, expired, not valid yet.
 * ERR_DENIED: for somebody else, or by somebody who may not. */
int jwt_check(const struct jwt_claims *claims, const struct jwt_rules *rules, int64_t now_s,
              struct err *err) __attribute__((warn_unused_result));
