/* row_source.h - rows to learn from, a block at a time.
 *
 * A matrix has them in memory as floats, four bytes a value. What takes millions of rows reads them
 * from a source instead, which may make each block when it is asked for (features.h: row_encoder),
 * and keeps what it needs as bins. NAN means missing. */
#pragma once

#include <stddef.h>

#define ROW_SOURCE_BLOCK 4096 /* rows that are read at once, at most */

struct matrix {
    const float *values; /* rows x columns, row-major, borrowed */
    size_t rows, columns;
};

struct row_source {
    size_t rows, columns;
    const float *values; /* of a matrix. NULL: `read` makes them */
    /* Rows first .. first + count - 1. The same values each time, from any thread. */
    void (*read)(const void *context, size_t first, size_t count, float *ret_values);
    const void *context; /* borrowed */
};

static inline struct row_source rows_of(struct matrix matrix)
{
    return (struct row_source){ matrix.rows, matrix.columns, matrix.values, NULL, NULL };
}

/* Some rows, at most ROW_SOURCE_BLOCK: in `room`, which has space for them, or where they are. */
static inline const float *row_source_block(const struct row_source *source, size_t first,
                                            size_t count, float *room)
{
    if (source->values != NULL)
        return source->values + first * source->columns;
    source->read(source->context, first, count, room);
    return room;
}

/* How many rows the block that begins at `first` has. */
static inline size_t row_source_length(const struct row_source *source, size_t first)
{
    size_t left = source->rows - first;
    return left < ROW_SOURCE_BLOCK ? left : ROW_SOURCE_BLOCK;
}
