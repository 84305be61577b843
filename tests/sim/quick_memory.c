/* quick_memory.c - takes the place of malloc when a program is linked with it: for processes that
 * live for a second on one thread, as those that play a seed.
 *
 * Blocks come in sizes of a few classes, and a block that is freed waits in the list of its class
 * for the next of its size. Nothing goes back to the system, and nothing is searched or merged.
 * Left out under the sanitizers, which have a malloc of their own. */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What libraries allocate is freed by us, and the other way round. */
#pragma GCC visibility push(default)

#define ALIGNMENT   16
#define SMALL       1024 /* up to here a class for every 16 bytes, then two for every doubling */
#define SMALL_LISTS (SMALL / ALIGNMENT + 1)
#define LISTS       (SMALL_LISTS + 2 * 54)
#define CHUNK       ((size_t)8 << 20)

/* Before each block: its class, and where the memory that it is cut from begins. */
struct head {
    uint32_t list;
    uint32_t offset; /* from the block's beginning, for blocks that are aligned further */
    size_t unused;
};

struct free_block {
    struct free_block *next;
};

static struct free_block *lists[LISTS];
static char *chunk, *chunk_end;

static unsigned list_of(size_t size)
{
    size_t words = (size + ALIGNMENT - 1) / ALIGNMENT;
    unsigned power;

    if (words <= SMALL / ALIGNMENT)
        return (unsigned)words;
    power = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^power < size <= 2^(power + 1) */
    return SMALL_LISTS + 2 * (power - 10) + (size > (size_t)3 << (power - 1));
}

static size_t size_in(unsigned list)
{
    unsigned step = list - SMALL_LISTS, power = 10 + step / 2;

    if (list < SMALL_LISTS)
        return (size_t)list * ALIGNMENT;
    return step % 2 ? (size_t)2 << power : (size_t)3 << (power - 1);
}

static struct head *head_of(void *block)
{
    return (struct head *)block - 1;
}

static void *cut(unsigned list)
{
    size_t size = sizeof(struct head) + size_in(list);
    struct head *head;

    if ((size_t)(chunk_end - chunk) < size) {
        size_t length = size > CHUNK ? size : CHUNK;
        void *fresh =
            mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (fresh == MAP_FAILED)
            return NULL;
        (void)madvise(fresh, length, MADV_HUGEPAGE); /* one fault for 512 pages */
        chunk = fresh;
        chunk_end = chunk + length;
    }
    head = (struct head *)chunk;
    chunk += size;
    head->list = list;
    head->offset = 0;
    return head + 1;
}

void *malloc(size_t size)
{
    unsigned list = list_of(size > 0 ? size : 1);
    struct free_block *block = size <= PTRDIFF_MAX ? lists[list] : NULL;

    if (block) {
        lists[list] = block->next;
        return block;
    }
    block = size <= PTRDIFF_MAX ? cut(list) : NULL;
    if (!block)
        errno = ENOMEM;
    return block;
}

void free(void *block)
{
    if (!block)
        return;
    struct free_block *whole = (struct free_block *)((char *)block - head_of(block)->offset);
    unsigned list = head_of(whole)->list;

    whole->next = lists[list];
    lists[list] = whole;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(bytes);

    return block ? memset(block, 0, bytes) : NULL;
}

size_t malloc_usable_size(void *block)
{
    size_t offset = block ? head_of(block)->offset : 0;

    return block ? size_in(head_of((char *)block - offset)->list) - offset : 0;
}

void *realloc(void *block, size_t size)
{
    size_t room = malloc_usable_size(block);
    void *larger;

    if (block && size <= room)
        return block;
    larger = malloc(size);
    if (larger && block) {
        memcpy(larger, block, room);
        free(block);
    }
    return larger;
}

void *memalign(size_t alignment, size_t size)
{
    char *block = malloc(size + alignment), *aligned;

    if (!block || alignment <= ALIGNMENT)
        return block;
    aligned = (char *)(((uintptr_t)block + alignment - 1) & ~(uintptr_t)(alignment - 1));
    if (aligned != block)
        head_of(aligned)->offset = (uint32_t)(aligned - block);
    return aligned;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);

    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

#pragma GCC visibility pop
