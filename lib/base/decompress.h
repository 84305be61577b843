/* decompress.h - a byte source that unpacks .gz and .zst on the way.
 *
 * The name decides (a.csv.gz, a.csv.zst, a.csv) and the first bytes must agree:
 * a file that is named wrongly is DataInvalid. Concatenated members and frames
 * are read as one. A truncated or damaged archive is DataInvalid, never a short
 * file. Memory: 64 KiB, the window of gzip (32 KiB), or that of zstd, which is
 * refused above LIMIT_ZSTD_WINDOW. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/stream.h"

/* Does a file of this name need unpacking? */
bool decompressor_is_needed(const char *name);

/* `source` is borrowed until decompressor_free(). */
struct decompressor *decompressor_new(const char *name, const struct byte_source *source,
                                      struct err *err) __attribute__((warn_unused_result));
void decompressor_free(struct decompressor *decompressor);
void decompressor_cleanup(struct decompressor **decompressor);
#define auto_decompressor __attribute__((cleanup(decompressor_cleanup)))

/* The unpacked bytes. Valid as long as the decompressor. */
const struct byte_source *decompressor_source(struct decompressor *decompressor)
    __attribute__((returns_nonnull));
