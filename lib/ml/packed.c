#include "ml/packed.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define LARGEST_DIVISOR 10000
#define LARGEST_INTEGER 0x1p53 /* below it, doubles have every integer */

void packed_release(struct packed *packed)
{
    for (size_t i = 0; i < packed->block_count; i++)
        free(packed->blocks[i].values);
    free(packed->blocks);
    free(packed->rest);
    *packed = (struct packed){ 0 };
}

/* The same number, and the same zero. */
static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

/* The range of all numbers times the divisor; false: they are not integers then. */
static bool find_range(const double *numbers, double divisor, double *ret_least,
                       double *ret_greatest)
{
    double least = INFINITY, greatest = -INFINITY;
    for (size_t i = 0; i < PACKED_BLOCK; i++) {
        double integer = rint(numbers[i] * divisor);
        if (isnan(numbers[i]))
            continue;
        /* + 0 makes one zero of both, so that the negative one is no integer */
        if (!(fabs(integer) < LARGEST_INTEGER) || !is_same((integer + 0.0) / divisor, numbers[i]))
            return false;
        least = integer < least ? integer : least;
        greatest = integer > greatest ? integer : greatest;
    }
    *ret_least = least <= greatest ? least : 0;
    *ret_greatest = least <= greatest ? greatest : 0;
    return true;
}

/* Sets all but the values; false: no integers of four bytes hold the numbers. */
static bool choose_integers(const double *numbers, struct packed_block *block)
{
    double least, greatest;
    for (double divisor = 1; divisor <= LARGEST_DIVISOR; divisor *= 10) {
        if (!find_range(numbers, divisor, &least, &greatest))
            continue;
        block->least = least;
        block->divisor = divisor;
        block->kind = greatest - least < UINT8_MAX    ? PACKED_1
                      : greatest - least < UINT16_MAX ? PACKED_2
                                                      : PACKED_4;
        return greatest - least < UINT32_MAX;
    }
    return false;
}

static bool fit_floats(const double *numbers)
{
    for (size_t i = 0; i < PACKED_BLOCK; i++)
        if (!isnan(numbers[i]) &&
            (fabs(numbers[i]) > (double)FLT_MAX || !is_same((double)(float)numbers[i], numbers[i])))
            return false;
    return true;
}

static uint32_t integer_of(const struct packed_block *block, double number)
{
    return isnan(number) ? UINT32_MAX : (uint32_t)(rint(number * block->divisor) - block->least);
}

static const size_t sizes[] = { [PACKED_1] = 1,
                                [PACKED_2] = 2,
                                [PACKED_4] = 4,
                                [PACKED_FLOAT] = sizeof(float),
                                [PACKED_DOUBLE] = sizeof(double) };

static void fill(struct packed_block *block, const double *numbers)
{
    block->values = mem_alloc(PACKED_BLOCK * sizes[block->kind]);
    for (size_t i = 0; i < PACKED_BLOCK; i++) {
        switch (block->kind) {
        case PACKED_1:
            ((uint8_t *)block->values)[i] = (uint8_t)integer_of(block, numbers[i]);
            break;
        case PACKED_2:
            ((uint16_t *)block->values)[i] = (uint16_t)integer_of(block, numbers[i]);
            break;
        case PACKED_4:
            ((uint32_t *)block->values)[i] = integer_of(block, numbers[i]);
            break;
        case PACKED_FLOAT:
            ((float *)block->values)[i] = (float)numbers[i];
            break;
        case PACKED_DOUBLE:
            ((double *)block->values)[i] = numbers[i];
            break;
        }
    }
}

static void pack(struct packed *packed)
{
    struct packed_block block = { 0 };
    if (!choose_integers(packed->rest, &block))
        block.kind = fit_floats(packed->rest) ? PACKED_FLOAT : PACKED_DOUBLE;
    fill(&block, packed->rest);
    if (packed->block_count == packed->capacity) {
        packed->capacity = packed->capacity == 0 ? 16 : 2 * packed->capacity;
        packed->blocks = mem_resize(packed->blocks, packed->capacity, sizeof(*packed->blocks));
    }
    packed->blocks[packed->block_count++] = block;
    packed->rest_count = 0;
}

void packed_add(struct packed *packed, double number)
{
    if (packed->rest == NULL)
        packed->rest = mem_alloc(PACKED_BLOCK * sizeof(*packed->rest));
    packed->rest[packed->rest_count++] = number;
    if (packed->rest_count == PACKED_BLOCK)
        pack(packed);
}

size_t packed_bytes(const struct packed *packed)
{
    size_t bytes = packed->rest_count * sizeof(*packed->rest);
    for (size_t i = 0; i < packed->block_count; i++)
        bytes += sizeof(packed->blocks[i]) + PACKED_BLOCK * sizes[packed->blocks[i].kind];
    return bytes;
}
