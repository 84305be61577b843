/* checksum.h - what object stores keep to check an object's bytes with, taken while they stream. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum checksum_kind {
    CHECKSUM_NONE, /* the store has none: the text is "" */
    CHECKSUM_CRC32C,
    CHECKSUM_MD5,
};

struct checksum {
    enum checksum_kind kind;
    uint32_t crc32c;
    void *md5; /* OpenSSL's EVP_MD_CTX */
};

/* As both clouds write it: the big-endian bytes in base64. */
#define CHECKSUM_TEXT 25

void checksum_init(struct checksum *checksum, enum checksum_kind kind);
void checksum_release(struct checksum *checksum); /* safe on a zeroed struct and after the text */
void checksum_add(struct checksum *checksum, const void *bytes, size_t length);
/* Ends and releases it. */
void checksum_text(struct checksum *checksum, char ret_text[CHECKSUM_TEXT]);

/* The text of a CRC-32C alone. */
void checksum_crc32c_text(uint32_t crc32c, char ret_text[CHECKSUM_TEXT]);
