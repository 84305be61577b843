/* buf.h - a growing byte buffer that knows its maximum.
 *
 * Every buffer is created with a limit from limits.h. Appending past it sets
 * a sticky flag and drops the bytes; the caller checks once, at the end, with
 * buf_check(). The content is always NUL-terminated (the NUL is not counted),
 * so text can be used as a string. A zeroed struct buf has a maximum of 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buf {
    char *data; /* NULL while nothing was ever appended: use buf_text() */
    size_t length, capacity, maximum;
    bool overflow;
};

void buf_init(struct buf *buf, size_t maximum);
void buf_release(struct buf *buf); /* frees; the struct is then zeroed */
void buf_clear(struct buf *buf);   /* length 0 and no overflow, memory kept */
#define auto_buf __attribute__((cleanup(buf_release)))

void buf_append(struct buf *buf, const void *bytes, size_t length);
void buf_string(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char character);
void buf_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first `count` bytes (at most all). */
void buf_consume(struct buf *buf, size_t count);

/* The content as a C string, "" when empty. Borrowed until the next change. */
const char *buf_text(const struct buf *buf) __attribute__((returns_nonnull));

/* Moves the content out: the caller frees it. Never NULL. */
char *buf_take(struct buf *buf) __attribute__((returns_nonnull, warn_unused_result));

/* ERR_TOO_BIG "<what> is larger than N bytes" when something was dropped. */
int buf_check(const struct buf *buf, const char *what, struct err *err)
    __attribute__((warn_unused_result));
