#include "store/checksum.h"

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/crc32c.h"
#include "base/mem.h"

#define MD5_BYTES 16

void checksum_init(struct checksum *checksum, enum checksum_kind kind)
{
    *checksum = (struct checksum){ .kind = kind };
    if (kind != CHECKSUM_MD5)
        return;
    checksum->md5 = EVP_MD_CTX_new();
    if (!checksum->md5 || EVP_DigestInit_ex(checksum->md5, EVP_md5(), NULL) != 1)
        mem_exhausted();
}

void checksum_release(struct checksum *checksum)
{
    EVP_MD_CTX_free(checksum->md5);
    *checksum = (struct checksum){ 0 };
}

void checksum_add(struct checksum *checksum, const void *bytes, size_t length)
{
    if (checksum->kind == CHECKSUM_CRC32C)
        checksum->crc32c = crc32c_add(checksum->crc32c, bytes, length);
    else if (checksum->kind == CHECKSUM_MD5 && EVP_DigestUpdate(checksum->md5, bytes, length) != 1)
        mem_exhausted();
}

static void encode(const void *bytes, size_t length, char ret_text[CHECKSUM_TEXT])
{
    auto_buf struct buf text = { .maximum = CHECKSUM_TEXT };

    base64_encode(&text, (struct span){ bytes, length });
    snprintf(ret_text, CHECKSUM_TEXT, "%s", buf_text(&text));
}

void checksum_crc32c_text(uint32_t crc32c, char ret_text[CHECKSUM_TEXT])
{
    unsigned char bytes[] = { (unsigned char)(crc32c >> 24), (unsigned char)(crc32c >> 16),
                              (unsigned char)(crc32c >> 8), (unsigned char)crc32c };

    encode(bytes, sizeof(bytes), ret_text);
}

void checksum_text(struct checksum *checksum, char ret_text[CHECKSUM_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    ret_text[0] = '\0';
    if (checksum->kind == CHECKSUM_CRC32C)
        checksum_crc32c_text(checksum->crc32c, ret_text);
    if (checksum->kind == CHECKSUM_MD5) {
        if (EVP_DigestFinal_ex(checksum->md5, digest, NULL) != 1)
            mem_exhausted();
        encode(digest, MD5_BYTES, ret_text);
    }
    checksum_release(checksum);
}
