/* stream.h - where bytes come from, as a port.
 *
 * Readers of files, objects over HTTP, decompressors and hashes have this one
 * shape, so that they can be put on top of each other and tests can hand out a
 * text in pieces of any size. The implementation stands behind `context`, which
 * whoever made the source owns. Not thread-safe. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct byte_source {
    /* Fills at most `capacity` (> 0) bytes and sets *ret_length, which is 0 only
     * at the end. May give fewer bytes than there are. */
    int (*read)(void *context, void *buffer, size_t capacity, size_t *ret_length, struct err *err);
    void *context;
};

static inline int byte_source_read(const struct byte_source *source, void *buffer, size_t capacity,
                                   size_t *ret_length, struct err *err)
{
    return source->read(source->context, buffer, capacity, ret_length, err);
}
