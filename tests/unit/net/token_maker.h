/* token_maker.h - an issuer of tokens for tests: a key, its JWKS, and JWTs signed with it. */
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "base/limits.h"
#include "base/mem.h"

struct token_maker {
    EVP_PKEY *key;
    const char *key_id;
};

static inline void token_maker_init(struct token_maker *maker, const char *key_id, unsigned bits)
{
    *maker = (struct token_maker){ .key = EVP_RSA_gen(bits), .key_id = key_id };
    if (!maker->key)
        abort();
}

static inline void token_maker_release(struct token_maker *maker)
{
    EVP_PKEY_free(maker->key);
}

static inline void append_base64url(struct buf *out, struct span bytes)
{
    auto_buf struct buf text;

    buf_init(&text, LIMIT_JWKS);
    base64_encode(&text, bytes);
    for (size_t i = 0; i < text.length && text.data[i] != '='; i++)
        buf_char(out, text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : text.data[i]);
}

static inline void append_number(struct buf *out, const EVP_PKEY *key, const char *parameter)
{
    BIGNUM *number = NULL;
    unsigned char bytes[1024];
    int length = EVP_PKEY_get_bn_param(key, parameter, &number) == 1 ? BN_bn2bin(number, bytes) : 0;

    append_base64url(out, (struct span){ (const char *)bytes, (size_t)length });
    BN_free(number);
}

/* {"keys": [one]}; `extra` are further members of the key, such as ",\"use\":\"enc\"". */
static inline char *token_maker_keys(const struct token_maker *maker, const char *extra)
{
    struct buf text;

    buf_init(&text, LIMIT_JWKS);
    buf_format(&text, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"%s\"%s,\"n\":\"", maker->key_id,
               extra);
    append_number(&text, maker->key, OSSL_PKEY_PARAM_RSA_N);
    buf_string(&text, "\",\"e\":\"");
    append_number(&text, maker->key, OSSL_PKEY_PARAM_RSA_E);
    buf_string(&text, "\"}]}");
    return buf_take(&text);
}

static inline void append_signature(struct buf *token, EVP_PKEY *key)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[1024];
    size_t length = sizeof(signature);

    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &length, (const unsigned char *)token->data,
                       token->length) != 1)
        abort();
    EVP_MD_CTX_free(context);
    buf_char(token, '.');
    append_base64url(token, (struct span){ (const char *)signature, length });
}

/* The caller frees. */
static inline char *token_of(const struct token_maker *maker, const char *header,
                             const char *claims)
{
    struct buf token;

    buf_init(&token, LIMIT_JWKS);
    append_base64url(&token, span_of(header));
    buf_char(&token, '.');
    append_base64url(&token, span_of(claims));
    append_signature(&token, maker->key);
    return buf_take(&token);
}

static inline char *token_maker_sign(const struct token_maker *maker, const char *claims)
{
    char *header auto_free =
        mem_format("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", maker->key_id);

    return token_of(maker, header, claims);
}
