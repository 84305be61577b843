#include "base/buf.h"

#include <stdarg.h>

#include "base/mem.h"

void buf_init(struct buf *buf, size_t maximum)
{
    *buf = (struct buf){ .maximum = maximum };
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL; false (and overflow set) past the maximum.
 * What was dropped once makes everything after it meaningless, so a buffer
 * that overflowed takes no more. */
static bool reserve(struct buf *buf, size_t more)
{
    if (buf->overflow || more > buf->maximum - buf->length) {
        buf->overflow = true;
        return false;
    }
    size_t needed = buf->length + more + 1;

    if (needed > buf->capacity) {
        size_t capacity = buf->capacity > 32 ? buf->capacity : 32;

        while (capacity < needed)
            capacity *= 2;
        if (capacity > buf->maximum + 1)
            capacity = buf->maximum + 1;
        buf->data = mem_resize(buf->data, capacity, 1);
        buf->capacity = capacity;
    }
    return true;
}

void buf_append(struct buf *buf, const void *bytes, size_t length)
{
    if (length == 0 || !reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_string(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char character)
{
    buf_append(buf, &character, 1);
}

void buf_format(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0 && reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void buf_consume(struct buf *buf, size_t count)
{
    if (count > buf->length)
        count = buf->length;
    if (count == 0)
        return;
    buf->length -= count;
    memmove(buf->data, buf->data + count, buf->length + 1);
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data ? buf->data : mem_strdup("");

    buf_init(buf, buf->maximum);
    return text;
}

int buf_check(const struct buf *buf, const char *what, struct err *err)
{
    if (buf->overflow)
        return err_set(err, ERR_TOO_BIG, "%s is larger than %zu bytes", what, buf->maximum);
    return 0;
}
