/* ranks.c - thresholds in order, and values among them. */
#include "ml/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define EIGHT       8 /* floats that are compared at once */
#define BLOCK_BYTES (256 * KIB)

typedef float floats __attribute__((vector_size(4 * EIGHT)));
typedef int32_t integers __attribute__((vector_size(4 * EIGHT)));

static float threshold_of(const struct split *split)
{
    return isnan(split->threshold) ? -INFINITY : split->threshold; /* both are below nothing */
}

static int compare(const void *left, const void *right)
{
    const struct split *a = left, *b = right;
    float one = threshold_of(a), other = threshold_of(b);
    if (a->feature != b->feature)
        return a->feature < b->feature ? -1 : 1;
    if (a->default_left != b->default_left)
        return a->default_left ? 1 : -1;
    return one < other ? -1 : one > other;
}

void ranks_init(struct ranks *ranks, struct split *splits, size_t count, size_t columns)
{
    struct rank_lane *lane = NULL;
    *ranks = (struct ranks){ .columns = columns };
    qsort(splits, count, sizeof(*splits), compare);
    ranks->thresholds = mem_zero(count, sizeof(*ranks->thresholds));
    ranks->lanes = mem_zero(count, sizeof(*ranks->lanes));
    for (size_t i = 0, used = 0; i < count; i++) {
        const struct split *split = &splits[i];
        if (i > 0 && compare(split, split - 1) == 0)
            continue;
        if (lane == NULL || lane->count == RANKS_LANE || lane->feature != split->feature ||
            lane->default_left != split->default_left) {
            lane = &ranks->lanes[ranks->lane_count++];
            *lane = (struct rank_lane){ split->feature, split->default_left, 0, used };
        }
        ranks->thresholds[used++] = threshold_of(split);
        lane->count++;
    }
    ranks->lanes = mem_resize(ranks->lanes, ranks->lane_count, sizeof(*ranks->lanes));
}

void ranks_release(struct ranks *ranks)
{
    free(ranks->lanes);
    free(ranks->thresholds);
    *ranks = (struct ranks){ 0 };
}

/* -1 when what the lane holds comes before the split, 1 when behind it. */
static int compare_lane(const struct ranks *ranks, const struct rank_lane *lane,
                        const struct split *split)
{
    const float *thresholds = ranks->thresholds + lane->first;
    struct split end = { thresholds[lane->count - 1], lane->feature, lane->default_left };
    if (compare(&end, split) < 0)
        return -1;
    end.threshold = thresholds[0];
    return compare(&end, split) > 0;
}

struct rank_split ranks_find(const struct ranks *ranks, struct split split)
{
    size_t lane = 0, lanes = ranks->lane_count;
    while (lane + 1 < lanes) {
        size_t middle = (lane + lanes) / 2;
        if (compare_lane(ranks, &ranks->lanes[middle], &split) <= 0)
            lane = middle;
        else
            lanes = middle;
    }
    const float *thresholds = ranks->thresholds + ranks->lanes[lane].first;
    size_t rank = 0, end = ranks->lanes[lane].count;
    while (rank + 1 < end) {
        size_t middle = (rank + end) / 2;
        if (thresholds[middle] <= threshold_of(&split))
            rank = middle;
        else
            end = middle;
    }
    return (struct rank_split){ (uint32_t)lane, (uint8_t)rank };
}

size_t ranks_block(const struct ranks *ranks, size_t wanted)
{
    size_t rows = BLOCK_BYTES / (ranks->lane_count + 1) / RANKS_ROWS * RANKS_ROWS;
    if (rows > wanted)
        rows = (wanted + RANKS_ROWS - 1) / RANKS_ROWS * RANKS_ROWS;
    return rows > RANKS_ROWS ? rows : RANKS_ROWS;
}

/* Counts, for each of RANKS_ROWS values, the thresholds that it is not below. */
static inline __attribute__((always_inline)) void fill_lane(const struct ranks *ranks,
                                                            const struct rank_lane *lane,
                                                            const floats *values,
                                                            rank_rows *ret_ranks)
{
    const float *thresholds = ranks->thresholds + lane->first;
    union {
        integers vectors[RANKS_ROWS / EIGHT];
        int32_t values[RANKS_ROWS];
    } counts = { 0 };
    uint8_t bytes[RANKS_ROWS];
    for (size_t k = 0; k < lane->count; k++) {
        for (size_t i = 0; i < RANKS_ROWS / EIGHT; i++) /* true is -1, and false for NAN */
            counts.vectors[i] -=
                lane->default_left ? values[i] >= thresholds[k] : ~(values[i] < thresholds[k]);
    }
    for (size_t i = 0; i < RANKS_ROWS; i++)
        bytes[i] = (uint8_t)counts.values[i];
    memcpy(ret_ranks, bytes, sizeof(bytes));
}

static inline __attribute__((always_inline)) void fill(const struct ranks *ranks,
                                                       const float *values, size_t rows,
                                                       rank_rows *ret_ranks)
{
    for (size_t first = 0; first < rows; first += RANKS_ROWS) {
        size_t count = rows - first < RANKS_ROWS ? rows - first : RANKS_ROWS;
        const float *from = values + first * ranks->columns;
        for (size_t i = 0; i < ranks->lane_count; i++) {
            union {
                floats vectors[RANKS_ROWS / EIGHT];
                float values[RANKS_ROWS];
            } column = { 0 };
            for (size_t row = 0; row < count; row++)
                column.values[row] = from[row * ranks->columns + ranks->lanes[i].feature];
            fill_lane(ranks, &ranks->lanes[i], column.vectors, ret_ranks++);
        }
    }
}

void ranks_fill_portable(const struct ranks *ranks, const float *values, size_t rows,
                         rank_rows *ret_ranks)
{
    fill(ranks, values, rows, ret_ranks);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void fill_avx2(const struct ranks *ranks,
                                                      const float *values, size_t rows,
                                                      rank_rows *ret_ranks)
{
    fill(ranks, values, rows, ret_ranks);
}
#endif

void ranks_fill(const struct ranks *ranks, const float *values, size_t rows, rank_rows *ret_ranks)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        fill_avx2(ranks, values, rows, ret_ranks);
        return;
    }
#endif
    fill(ranks, values, rows, ret_ranks);
}
