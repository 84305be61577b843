/* text_source.h - a byte source over a text, in pieces of a chosen size. */
#pragma once

#include "base/span.h"
#include "base/stream.h"

struct text_source {
    struct span text;
    size_t piece; /* bytes per read; 0: as many as fit */
};

static inline int text_source_read(void *context, void *buffer, size_t capacity, size_t *ret_length,
                                   struct err *err)
{
    struct text_source *self = context;
    size_t length = self->text.length < capacity ? self->text.length : capacity;

    (void)err;
    if (self->piece && length > self->piece)
        length = self->piece;
    if (length > 0)
        memcpy(buffer, self->text.data, length);
    self->text.data += length;
    self->text.length -= length;
    *ret_length = length;
    return 0;
}

static inline struct byte_source text_source(struct text_source *self)
{
    return (struct byte_source){ text_source_read, self };
}
