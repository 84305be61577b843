/* ranks.h - where the values of a row stand among the thresholds of a forest.
 *
 * A split asks whether a value is below a threshold. All that a forest can know of a
 * value is its rank: how many of the feature's thresholds it is not below. In
 * ascending order, the value is below threshold k if its rank is at most k. A
 * rank is a byte, so that thirty-two rows are asked at once.
 *
 * A lane holds at most RANKS_LANE thresholds of one feature whose splits send missing
 * values the same way. A feature has more lanes when it needs them; in each, a
 * value beyond an end has the rank of that end. Missing values have rank 0 where
 * they go left and the highest where they go right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANKS_ROWS 32  /* asked at once */
#define RANKS_LANE 255 /* thresholds of a lane */

/* The ranks of RANKS_ROWS rows in one lane. */
typedef uint8_t rank_rows __attribute__((vector_size(RANKS_ROWS)));

struct split {
    float threshold; /* a value below it goes left; below NAN is nothing */
    uint32_t feature;
    bool default_left; /* where a missing value (NAN) goes */
};

/* The same split, asked of ranks: left if the rank in `lane` is at most `rank`. */
struct rank_split {
    uint32_t lane;
    uint8_t rank;
};

struct rank_lane {
    uint32_t feature;
    bool default_left;
    uint8_t count; /* of thresholds, ascending, ... */
    size_t first;  /* ... from here in ranks->thresholds */
};

struct ranks {
    struct rank_lane *lanes; /* by feature, default_left, thresholds */
    size_t lane_count;
    float *thresholds;
    size_t columns; /* of a row */
};

/* Of `count` splits over rows of `columns`. Sorts the splits. */
void ranks_init(struct ranks *ranks, struct split *splits, size_t count, size_t columns);
void ranks_release(struct ranks *ranks); /* safe on a zeroed struct */

/* For a split that was among those of ranks_init(). */
struct rank_split ranks_find(const struct ranks *ranks, struct split split);

/* How many rows, a multiple of RANKS_ROWS and at most `wanted` of them, have ranks that
 * stay in a cache. */
size_t ranks_block(const struct ranks *ranks, size_t wanted);

/* `rows` x columns floats, row by row, to the ranks of each RANKS_ROWS of them:
 * lane_count items for the first, lane_count for the next and so on, aligned as
 * mem_aligned() does. Rows that fill the last up have values of 0. */
void ranks_fill(const struct ranks *ranks, const float *values, size_t rows, rank_rows *ret_ranks);

/* The same without the instructions that not every processor has: the same bytes. */
void ranks_fill_portable(const struct ranks *ranks, const float *values, size_t rows,
                         rank_rows *ret_ranks);
