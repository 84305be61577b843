#include "net/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"

#define BITS_MINIMUM 2048
#define BITS_MAXIMUM 8192

/* --- keys --- */

struct jwt_keys {
    struct key {
        char *id;
        EVP_PKEY *key;
    } items[LIMIT_JWKS_KEYS];
    size_t count;
};

/* A member of a JWKS (RFC 7517, 4; RFC 7518, 6.3.1). */
struct key_document {
    const char *type, *use, *algorithm, *id, *modulus, *exponent;
};

#define KEY(member, name, ...) FIELD(struct key_document, member, name, FIELD_STRING, __VA_ARGS__)

static const struct field key_items[] = {
    KEY(type, "kty", .flags = FIELD_REQUIRED),
    KEY(use, "use"),
    KEY(algorithm, "alg"),
    KEY(id, "kid", .flags = FIELD_REQUIRED),
    KEY(modulus, "n", .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 2048),
    KEY(exponent, "e", .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 16),
};
static const struct fields key_fields = FIELDS(struct key_document, key_items, .open = true);

static bool is_for_signatures(const struct key_document *document)
{
    return strcmp(document->type, "RSA") == 0 &&
           (!document->use || strcmp(document->use, "sig") == 0) &&
           (!document->algorithm || strcmp(document->algorithm, "RS256") == 0);
}

/* NULL: not base64url. */
static BIGNUM *decode_number(const char *text)
{
    auto_buf struct buf bytes;
    struct err ignored;

    buf_init(&bytes, LIMIT_TOKEN);
    if (base64url_decode(&bytes, span_of(text), &ignored) < 0)
        return NULL;
    return BN_bin2bn((const unsigned char *)buf_text(&bytes), (int)bytes.length, NULL);
}

static EVP_PKEY *build_key(const BIGNUM *modulus, const BIGNUM *exponent)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY *key = NULL;

    if (builder && context && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) &&
        (parameters = OSSL_PARAM_BLD_to_param(builder)) && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *decode_key(const struct key_document *document)
{
    BIGNUM *modulus = decode_number(document->modulus);
    BIGNUM *exponent = decode_number(document->exponent);
    EVP_PKEY *key = NULL;

    if (modulus && exponent && BN_is_odd(modulus) && BN_num_bits(modulus) >= BITS_MINIMUM &&
        BN_num_bits(modulus) <= BITS_MAXIMUM && BN_is_odd(exponent) && !BN_is_one(exponent))
        key = build_key(modulus, exponent);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static void add_key(struct jwt_keys *keys, const json_t *object)
{
    auto_arena struct arena arena = { 0 };
    struct key_document document;
    struct err ignored; /* a key of another kind has other members */
    EVP_PKEY *key;

    if (keys->count == LIMIT_JWKS_KEYS ||
        fields_decode(object, &key_fields, "key", &arena, &document, &ignored) < 0 ||
        !is_for_signatures(&document))
        return;
    key = decode_key(&document);
    if (key)
        keys->items[keys->count++] = (struct key){ mem_strdup(document.id), key };
}

struct jwt_keys *jwt_keys_parse(struct span text, struct err *err)
{
    auto_json json_t *document = jx_parse(text, LIMIT_JWKS, "key set", err);
    const json_t *list = jx_get(document, "keys", NULL);
    struct jwt_keys *keys;
    const json_t *object;
    size_t i;

    if (!document)
        return NULL;
    keys = mem_zero(1, sizeof(*keys));
    json_array_foreach(list, i, object) add_key(keys, object);
    if (keys->count > 0)
        return keys;
    jwt_keys_free(keys);
    (void)err_set(err, ERR_INVALID,
                  "key set: no RSA key of %d to %d bits for signatures is in its \"keys\"",
                  BITS_MINIMUM, BITS_MAXIMUM);
    return NULL;
}

void jwt_keys_free(struct jwt_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->items[i].id);
        EVP_PKEY_free(keys->items[i].key);
    }
    free(keys);
}

static const struct key *find_key(const struct jwt_keys *keys, const char *key_id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].id, key_id) == 0)
            return &keys->items[i];
    return NULL;
}

bool jwt_keys_have(const struct jwt_keys *keys, const char *key_id)
{
    return find_key(keys, key_id);
}

/* --- tokens --- */

struct header_document {
    const char *algorithm, *key_id;
    const json_t *critical;
};

static const struct field header_items[] = {
    FIELD(struct header_document, algorithm, "alg", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct header_document, key_id, "kid", FIELD_STRING, .flags = FIELD_REQUIRED),
    FIELD(struct header_document, critical, "crit", FIELD_JSON),
};
static const struct fields header_fields =
    FIELDS(struct header_document, header_items, .open = true);

#define CLAIM(member, name, kind, ...) FIELD(struct jwt_claims, member, name, kind, __VA_ARGS__)
/* Far beyond any date, and exact in every JSON library. */
#define SECONDS_MAXIMUM ((int64_t)1 << 53)

static const struct field claim_items[] = {
    CLAIM(issuer, "iss", FIELD_STRING, .flags = FIELD_REQUIRED),
    CLAIM(subject, "sub", FIELD_STRING),
    CLAIM(audience, "aud", FIELD_JSON, .flags = FIELD_REQUIRED),
    CLAIM(email, "email", FIELD_STRING),
    CLAIM(email_verified, "email_verified", FIELD_BOOL),
    CLAIM(expires_s, "exp", FIELD_INT, .flags = FIELD_REQUIRED, .maximum = SECONDS_MAXIMUM),
    CLAIM(issued_s, "iat", FIELD_INT, .maximum = SECONDS_MAXIMUM),
    CLAIM(not_before_s, "nbf", FIELD_INT, .maximum = SECONDS_MAXIMUM),
};
static const struct fields claim_fields = FIELDS(struct jwt_claims, claim_items, .open = true);

/* The three parts of a token: header, claims, signature. */
static int split(const char *text, struct span parts[3], struct err *err)
{
    if (strlen(text) > LIMIT_TOKEN)
        return err_set(err, ERR_TOO_BIG, "token: longer than %zu bytes", LIMIT_TOKEN);
    for (size_t i = 0; i < 3; i++) {
        size_t length = strcspn(text, ".");

        if (length == 0 || (text[length] == '.') != (i < 2))
            return err_set(err, ERR_INVALID,
                           "token: must be three parts of base64url with dots between");
        parts[i] = (struct span){ text, length };
        text += length + (i < 2);
    }
    return 0;
}

static int decode_bytes(struct span text, const char *what, struct arena *arena,
                        struct span *ret_bytes, struct err *err)
{
    auto_buf struct buf bytes;

    buf_init(&bytes, LIMIT_TOKEN);
    if (base64url_decode(&bytes, text, err) < 0)
        return err_wrap(err, "%s", what);
    char *copy = arena_zero(arena, bytes.length + 1, 1);
    memcpy(copy, buf_text(&bytes), bytes.length);
    *ret_bytes = (struct span){ copy, bytes.length };
    return 0;
}

static void release_json(void *value)
{
    json_decref(value);
}

static int decode_document(struct span text, const char *what, const struct fields *table,
                           struct arena *arena, void *ret_value, struct err *err)
{
    struct span bytes;
    json_t *object;

    if (decode_bytes(text, what, arena, &bytes, err) < 0)
        return -1;
    object = jx_parse(bytes, LIMIT_TOKEN, what, err);
    if (!object)
        return -1;
    arena_defer(arena, release_json, object);
    return fields_decode(object, table, what, arena, ret_value, err);
}

int jwt_parse(const char *text, struct arena *arena, struct jwt *ret_token, struct err *err)
{
    struct header_document header;
    struct jwt token = { 0 };
    struct span parts[3];

    if (split(text, parts, err) < 0 ||
        decode_document(parts[0], "token header", &header_fields, arena, &header, err) < 0)
        return -1;
    if (strcmp(header.algorithm, "RS256") != 0)
        return err_set(err, ERR_INVALID, "token header.alg: must be RS256");
    if (header.critical)
        return err_set(err, ERR_INVALID, "token header.crit: no extension is understood");
    if (decode_document(parts[1], "token", &claim_fields, arena, &token.claims, err) < 0 ||
        decode_bytes(parts[2], "token signature", arena, &token.signature, err) < 0)
        return -1;
    token.algorithm = header.algorithm;
    token.key_id = header.key_id;
    token.signed_part = (struct span){ text, parts[0].length + 1 + parts[1].length };
    *ret_token = token;
    return 0;
}

int jwt_verify(const struct jwt *token, const struct jwt_keys *keys, struct err *err)
{
    const struct key *key = find_key(keys, token->key_id);
    EVP_MD_CTX *context;
    int outcome;

    if (!key)
        return err_set(err, ERR_NOT_FOUND, "token: signed with a key that is not in the key set");
    context = EVP_MD_CTX_new();
    if (!context)
        mem_exhausted();
    outcome = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->key);
    if (outcome == 1)
        outcome = EVP_DigestVerify(
            context, (const unsigned char *)token->signature.data, token->signature.length,
            (const unsigned char *)token->signed_part.data, token->signed_part.length);
    EVP_MD_CTX_free(context);
    return outcome == 1 ? 0 : err_set(err, ERR_DENIED, "token: the signature is not right");
}

/* --- rules --- */

static bool is_audience(const json_t *audience, const char *wanted)
{
    const json_t *item;
    size_t i;

    if (json_is_string(audience))
        return strcmp(json_string_value(audience), wanted) == 0;
    json_array_foreach(audience, i,
                       item) if (json_is_string(item) &&
                                 strcmp(json_string_value(item), wanted) == 0) return true;
    return false;
}

static bool is_welcome(const struct jwt_claims *claims, const struct strings *emails)
{
    if (emails->count == 0)
        return true;
    for (size_t i = 0; claims->email && claims->email_verified && i < emails->count; i++)
        if (strcmp(emails->items[i], claims->email) == 0)
            return true;
    return false;
}

int jwt_check(const struct jwt_claims *claims, const struct jwt_rules *rules, int64_t now_s,
              struct err *err)
{
    if (strcmp(claims->issuer, rules->issuer) != 0)
        return err_set(err, ERR_INVALID, "token: the issuer must be %s", rules->issuer);
    if (now_s >= claims->expires_s + JWT_SKEW_S)
        return err_set(err, ERR_INVALID, "token: expired");
    if (claims->issued_s > now_s + JWT_SKEW_S || claims->not_before_s > now_s + JWT_SKEW_S)
        return err_set(err, ERR_INVALID, "token: not valid yet");
    if (!is_audience(claims->audience, rules->audience))
        return err_set(err, ERR_DENIED, "token: the audience must be %s", rules->audience);
    if (!is_welcome(claims, &rules->emails))
        return err_set(err, ERR_DENIED, "token: not of a service account that may push");
    return 0;
}
