/* mem.h - allocation that cannot fail, cleanup at scope end, and arenas.
 *
 * Out of memory ends the process with exit code 70 and one line on stderr:
 * under a memory cgroup the kernel kills us first, and everything that matters
 * is in the cluster or in atomically published files. What makes this safe is
 * the rule that sizes coming from outside pass a limit (limits.h) BEFORE they
 * are allocated, and end in ERR_TOO_BIG. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* count * size is checked for overflow; a size of zero gives a unique pointer. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *mem_zero(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
/* Begins at a line of the cache (64 bytes), as vectors want it; for free(). */
void *mem_aligned(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
void *mem_resize(void *block, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *mem_strndup(const char *text, size_t length)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
char *mem_format(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull, warn_unused_result));

/* Ends the process as a failed allocation does: for libraries that have failed for
 * want of memory and only say so. */
_Noreturn void mem_exhausted(void);

/* Cleanup attributes: the variable is released when it leaves its scope.
 * Each type with a destructor brings its own (auto_buf in buf.h, ...). */
void mem_cleanup_free(void *pointer_to_block);
void mem_cleanup_close(const int *fd);
void mem_cleanup_fclose(FILE **file);
#define auto_free   __attribute__((cleanup(mem_cleanup_free)))
#define auto_close  __attribute__((cleanup(mem_cleanup_close)))
#define auto_fclose __attribute__((cleanup(mem_cleanup_fclose)))

/* Hands out the pointer of an auto_ variable, which then holds NULL. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* An arena owns everything that one operation allocates (decoding a document,
 * one reconcile) and frees it at once. Blocks are zeroed and aligned for any
 * type. Not thread-safe. A zeroed struct arena is empty and ready. */
struct arena {
    struct arena_block *newest;
    struct arena_deferred *deferred;
    size_t allocated_bytes; /* of all blocks */
};
void *arena_zero(struct arena *arena, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));
char *arena_strdup(struct arena *arena, const char *text)
    __attribute__((returns_nonnull, warn_unused_result));
char *arena_strndup(struct arena *arena, const char *text, size_t length)
    __attribute__((returns_nonnull, warn_unused_result));
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull, warn_unused_result));
/* Calls release(object) when the arena is released, newest first: for objects
 * of other libraries (json_decref) that must live as long as the arena. */
void arena_defer(struct arena *arena, void (*release)(void *object), void *object);
void arena_release(struct arena *arena); /* safe on a zeroed or released arena */
#define auto_arena __attribute__((cleanup(arena_release)))
