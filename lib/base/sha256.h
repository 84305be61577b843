/* sha256.h - SHA-256 (FIPS 180-4, by OpenSSL), incremental, as lower-case hex.
 *
 * Identities in this project are the first hex digits of such a hash over
 * length-prefixed parts, so that ("ab","c") and ("a","bc") differ. */
#pragma once

#include <stddef.h>

#include "base/span.h"

#define SHA256_HEX   65 /* 64 digits and NUL */
#define SHA256_BYTES 32

struct sha256 {
    void *context; /* OpenSSL's EVP_MD_CTX */
};

void sha256_init(struct sha256 *hash);
void sha256_release(struct sha256 *hash); /* safe after sha256_hex() and on zero */
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
/* The length as eight big-endian bytes, then the bytes. */
void sha256_add_part(struct sha256 *hash, struct span part);
/* Ends the hash and releases it. */
void sha256_hex(struct sha256 *hash, char ret_hex[SHA256_HEX]);

/* One-shot over bytes. */
void sha256_of(struct span bytes, char ret_hex[SHA256_HEX]);

/* HMAC-SHA-256 (RFC 2104) of `bytes`. */
void sha256_hmac(struct span key, struct span bytes, unsigned char ret_code[SHA256_BYTES]);
/* Such a code as lower-case hex. */
void sha256_hex_of_bytes(const unsigned char bytes[SHA256_BYTES], char ret_hex[SHA256_HEX]);
