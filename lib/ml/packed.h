/* packed.h - a long column of numbers in little memory; every number comes back exactly.
 *
 * Numbers are packed in blocks of PACKED_BLOCK, each in the narrowest of these ways that loses
 * nothing:
 *   whole numbers as integers of 1, 2 or 4 bytes above the least of the block;
 *   decimals the same, multiplied by a power of ten: a decimal of few digits is the quotient of two
 *     integers, which division rounds as reading the digits does;
 *   floats, then doubles.
 * A NaN is missing, and the greatest integer. So an age or a category takes one byte, a salary with
 * cents four. */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define PACKED_BLOCK 1024

enum packed_kind { PACKED_1, PACKED_2, PACKED_4, PACKED_FLOAT, PACKED_DOUBLE };

struct packed_block {
    void *values;   /* PACKED_BLOCK of them           */
    double least;   /* of integers: what 0 stands for */
    double divisor; /* of integers: 1, 10, 100, ...   */
    enum packed_kind kind;
};

struct packed {
    struct packed_block *blocks;
    size_t block_count, capacity;
    double *rest; /* behind the blocks; room for a whole one */
    size_t rest_count;
};
void packed_release(struct packed *packed); /* safe on a zeroed struct, which is empty */

void packed_add(struct packed *packed, double number);

/* What the numbers take in memory. */
size_t packed_bytes(const struct packed *packed);

static inline double packed_integer(const struct packed_block *block, uint32_t integer,
                                    uint32_t missing)
{
    return integer == missing ? (double)NAN : (block->least + integer) / block->divisor;
}

/* `place` is below the number of those added. */
static inline double packed_get(const struct packed *packed, size_t place)
{
    size_t number = place / PACKED_BLOCK, within = place % PACKED_BLOCK;
    const struct packed_block *block;

    if (number == packed->block_count)
        return packed->rest[within];
    block = &packed->blocks[number];
    switch (block->kind) {
    case PACKED_1:
        return packed_integer(block, ((const uint8_t *)block->values)[within], UINT8_MAX);
    case PACKED_2:
        return packed_integer(block, ((const uint16_t *)block->values)[within], UINT16_MAX);
    case PACKED_4:
        return packed_integer(block, ((const uint32_t *)block->values)[within], UINT32_MAX);
    case PACKED_FLOAT:
        return (double)((const float *)block->values)[within];
    case PACKED_DOUBLE:
        break;
    }
    return ((const double *)block->values)[within];
}
