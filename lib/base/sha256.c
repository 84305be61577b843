#include "base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>

#include "base/mem.h"

/* --- memory of OpenSSL --------------------------------------------------- */

static void *allocate(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size > 0 ? mem_alloc(size) : NULL;
}

static void release(void *block, const char *file, int line)
{
    (void)file, (void)line;
    free(block);
}

static void *resize(void *block, size_t size, const char *file, int line)
{
    if (size > 0)
        return mem_resize(block, size, 1);
    release(block, file, line);
    return NULL;
}

/* OpenSSL 3 crashes when an allocation of its first use fails. Before main(): later it takes no
 * other functions. */
__attribute__((constructor)) static void use_our_memory(void)
{
    (void)CRYPTO_set_mem_functions(allocate, resize, release);
}

/* --- hashing ------------------------------------------------------------- */

/* OpenSSL fails here only for want of memory, or when the build lacks SHA-256. */
static void require(int succeeded)
{
    if (succeeded == 1)
        return;
    fputs("SHA-256 is not available: ", stderr);
    mem_exhausted();
}

void sha256_init(struct sha256 *hash)
{
    hash->context = EVP_MD_CTX_new();
    require(hash->context ? 1 : 0);
    require(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL));
}

void sha256_release(struct sha256 *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t length)
{
    require(EVP_DigestUpdate(hash->context, bytes, length));
}

void sha256_add_part(struct sha256 *hash, struct span part)
{
    unsigned char prefix[8];

    for (size_t i = 0; i < sizeof(prefix); i++)
        prefix[i] = (unsigned char)((uint64_t)part.length >> (56 - 8 * i));
    sha256_add(hash, prefix, sizeof(prefix));
    sha256_add(hash, part.data, part.length);
}

void sha256_hex_of_bytes(const unsigned char bytes[SHA256_BYTES], char ret_hex[SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_BYTES; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 0xF];
    }
    ret_hex[SHA256_HEX - 1] = '\0';
}

void sha256_hex(struct sha256 *hash, char ret_hex[SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    require(EVP_DigestFinal_ex(hash->context, digest, &length));
    sha256_hex_of_bytes(digest, ret_hex);
    sha256_release(hash);
}

void sha256_of(struct span bytes, char ret_hex[SHA256_HEX])
{
    struct sha256 hash;

    sha256_init(&hash);
    sha256_add(&hash, bytes.data, bytes.length);
    sha256_hex(&hash, ret_hex);
}

void sha256_hmac(struct span key, struct span bytes, unsigned char ret_code[SHA256_BYTES])
{
    static const unsigned char nothing;
    const void *data = bytes.length > 0 ? (const void *)bytes.data : &nothing;
    unsigned length = 0;

    require(HMAC(EVP_sha256(), key.length > 0 ? key.data : "", (int)key.length, data, bytes.length,
                 ret_code, &length) != NULL);
}
