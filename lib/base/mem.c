#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define CHURN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHURN_ASAN 1
#endif
#endif

#ifdef CHURN_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

/* EX_SOFTWARE of sysexits.h, what jobs document as "internal". */
#define EXIT_OUT_OF_MEMORY 70
#define CACHE_LINE         64

_Noreturn void mem_exhausted(void)
{
    static const char line[] = "out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);

    (void)ignored;
    _exit(EXIT_OUT_OF_MEMORY);
}

static void *present(void *block)
{
    if (!block)
        mem_exhausted();
    return block;
}

void *mem_alloc(size_t size)
{
    return present(malloc(size > 0 ? size : 1));
}

void *mem_zero(size_t count, size_t size)
{
    return present(count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1));
}

void *mem_aligned(size_t count, size_t size)
{
    size_t bytes;
    void *block = NULL;

    if (__builtin_mul_overflow(count, size, &bytes) ||
        posix_memalign(&block, CACHE_LINE, bytes > 0 ? bytes : 1) != 0)
        mem_exhausted();
    return block;
}

void *mem_resize(void *block, size_t count, size_t size)
{
    if (count == 0 || size == 0)
        return present(realloc(block, 1));
    return present(reallocarray(block, count, size));
}

char *mem_strdup(const char *text)
{
    return present(strdup(text));
}

char *mem_strndup(const char *text, size_t length)
{
    return present(strndup(text, length));
}

char *mem_format(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        mem_exhausted();
    return text;
}

void mem_cleanup_free(void *pointer_to_block)
{
    free(*(void **)pointer_to_block);
}

/* close() is not repeated after EINTR: Linux has closed the descriptor by then. */
void mem_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void mem_cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

/* --- arena --------------------------------------------------------------- */

/* Blocks grow with what the arena already holds, between these two. */
#define ARENA_BLOCK_MINIMUM ((size_t)1024)
#define ARENA_BLOCK_MAXIMUM ((size_t)65536)
#define ARENA_ALIGNMENT     _Alignof(max_align_t)

#ifdef CHURN_ASAN
#define ARENA_RED_ZONE ARENA_ALIGNMENT /* stays poisoned behind every object */
#else
#define ARENA_RED_ZONE 0
#endif

struct arena_block {
    struct arena_block *older;
    size_t capacity, used;
    max_align_t storage[];
};

struct arena_deferred {
    struct arena_deferred *older;
    void (*release)(void *object);
    void *object;
};

static struct arena_block *add_block(struct arena *arena, size_t needed)
{
    size_t capacity = arena->allocated_bytes;

    if (capacity < ARENA_BLOCK_MINIMUM)
        capacity = ARENA_BLOCK_MINIMUM;
    if (capacity > ARENA_BLOCK_MAXIMUM)
        capacity = ARENA_BLOCK_MAXIMUM;
    if (capacity < needed)
        capacity = needed;
    struct arena_block *block = mem_zero(1, sizeof(*block) + capacity);
    block->capacity = capacity;
    block->older = arena->newest;
    arena->newest = block;
    arena->allocated_bytes += capacity;
    ASAN_POISON_MEMORY_REGION(block->storage, capacity);
    return block;
}

void *arena_zero(struct arena *arena, size_t count, size_t size)
{
    struct arena_block *block = arena->newest;
    size_t bytes, needed;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        mem_exhausted();
    needed = (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    needed = (needed > 0 ? needed : ARENA_ALIGNMENT) + ARENA_RED_ZONE;
    if (!block || block->capacity - block->used < needed)
        block = add_block(arena, needed);
    void *object = (char *)block->storage + block->used;
    block->used += needed;
    ASAN_UNPOISON_MEMORY_REGION(object, bytes);
    return object;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    size_t copied = strnlen(text, length);
    char *copy = arena_zero(arena, copied + 1, 1);

    memcpy(copy, text, copied);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        mem_exhausted();
    char *text = arena_zero(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_defer(struct arena *arena, void (*release)(void *object), void *object)
{
    struct arena_deferred *deferred = arena_zero(arena, 1, sizeof(*deferred));

    deferred->release = release;
    deferred->object = object;
    deferred->older = arena->deferred;
    arena->deferred = deferred;
}

void arena_release(struct arena *arena)
{
    for (struct arena_deferred *it = arena->deferred; it; it = it->older)
        it->release(it->object);
    while (arena->newest) {
        struct arena_block *block = arena->newest;

        arena->newest = block->older;
        ASAN_UNPOISON_MEMORY_REGION(block->storage, block->capacity);
        free(block);
    }
    *arena = (struct arena){ 0 };
}
