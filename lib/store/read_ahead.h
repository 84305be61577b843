/* read_ahead.h - reads a file on a thread of its own, ahead of who wants its bytes.
 *
 * For what takes time to read, unpacking or a network, while other work is done on what came
 * before: the bytes go through a ring of pieces, READ_AHEAD_BYTES in all, and the thread waits
 * while it is full. The reader gets the same bytes, then the same end or failure, as from the
 * source itself, and both again when it asks again. A plain local file is read in place, by
 * whoever reads; so is every file when no thread can be started: that only makes it slower.
 *
 * From read_ahead_new() to read_ahead_free() the source belongs to the thread: what it changes may
 * be looked at when the end or a failure was read, which come after all it did. Signals are left
 * to other threads. */
#pragma once

#include "base/limits.h"
#include "base/stream.h"

#define READ_AHEAD_BYTES MIB

/* `uri` tells whether to read ahead: what is packed (.gz, .zst) or in a bucket. `source` gives
 * the unpacked bytes and is borrowed until read_ahead_free(). */
struct read_ahead *read_ahead_new(const char *uri, const struct byte_source *source)
    __attribute__((returns_nonnull, warn_unused_result));
/* Also before the end: waits for the piece that is being read. NULL: no effect. */
void read_ahead_free(struct read_ahead *ahead);
void read_ahead_cleanup(struct read_ahead **ahead);
#define auto_read_ahead __attribute__((cleanup(read_ahead_cleanup)))

/* Valid as long as `ahead`. */
const struct byte_source *read_ahead_source(struct read_ahead *ahead)
    __attribute__((returns_nonnull));
