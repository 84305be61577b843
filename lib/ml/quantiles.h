/* quantiles.h - how the values of a column are distributed.
 *
 * Models that multiply inputs by weights do badly on long tails. They see a column
 * through its quantiles instead: as the normal deviate of a value's rank
 * (quantile_map_value), or as the place of a value between knots
 * (network_inputs.h). */
#pragma once

#include <stddef.h>

#include "ml/boost.h"

#define QUANTILE_KNOTS 200 /* of a map; fewer for fewer values */

/* Values of a column that are not missing, ascending; the caller frees. */
float *quantiles_sort(struct matrix matrix, size_t column, size_t *ret_count)
    __attribute__((returns_nonnull, warn_unused_result));

size_t quantiles_distinct(const float *sorted, size_t count);

/* A piecewise linear map from values to normal quantiles, both ascending. */
struct quantile_map {
    double *knots, *quantiles; /* owned; quantiles NULL: only the knots matter */
    size_t count;              /* 0: no map, a value stays as it is            */
};
void quantile_map_release(struct quantile_map *map); /* safe on a zeroed struct */

/* A knot for every distinct value, or about `maximum` (at most QUANTILE_KNOTS) evenly
 * spaced by rank; the first and the last value always. Equal values share the rank of
 * their middle. */
void quantile_map_fit(const float *sorted, size_t count, size_t maximum,
                      struct quantile_map *ret_map);

/* Beyond the outer knots it is constant. `value` is not NAN. */
double quantile_map_value(const struct quantile_map *map, double value);

/* The number of the pair of knots that a value lies between: 0 .. count - 2. Needs two
 * knots; beyond the outer ones it is the outer pair. */
size_t quantile_map_find(const struct quantile_map *map, double value);
