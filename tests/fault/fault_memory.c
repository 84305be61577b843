/* fault_memory.c - preloaded into a program, lets its n-th allocation fail (kind "ENOMEM").
 *
 * Counted is every malloc, calloc, realloc, reallocarray, memalign, aligned_alloc and
 * posix_memalign after main() began, whoever calls: the program, libc for it (strdup, fopen),
 * and the libraries it uses (jansson, OpenSSL, zlib, operator new of libxgboost). */
#include <errno.h>

#include "fault.h"

#define EXPORTED __attribute__((visibility("default")))

/* glibc's own, under the names that nobody replaces. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct fault *fault; /* NULL until main() begins */

void fault_begin(void)
{
    fault = fault_open();
}

static int fails(const char *call)
{
    if (!fault || !fault_is_due(fault))
        return 0;
    memcpy(fault->call, call, strlen(call) + 1);
    errno = ENOMEM;
    return 1;
}

EXPORTED void *malloc(size_t size)
{
    return fails("malloc") ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return fails("calloc") ? NULL : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *block, size_t size)
{
    return fails("realloc") ? NULL : __libc_realloc(block, size);
}

EXPORTED void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return fails("reallocarray") ? NULL : __libc_realloc(block, bytes);
}

EXPORTED void *memalign(size_t alignment, size_t size);
EXPORTED void *memalign(size_t alignment, size_t size)
{
    return fails("memalign") ? NULL : __libc_memalign(alignment, size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return fails("aligned_alloc") ? NULL : __libc_memalign(alignment, size);
}

EXPORTED int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    void *block = fails("posix_memalign") ? NULL : __libc_memalign(alignment, size);

    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}
