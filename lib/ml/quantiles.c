#include "ml/quantiles.h"

#include <math.h>

#include "base/mem.h"

/* The z with P(normal <= z) = share, by bisection: only done for knots. */
static double normal_quantile(double share)
{
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(erfc(-middle / M_SQRT2) / 2 < share ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

float *quantiles_sort(struct matrix matrix, size_t column, size_t *ret_count)
{
    float *values = mem_zero(matrix.rows, sizeof(*values));
    size_t count = 0;
    for (size_t i = 0; i < matrix.rows; i++) {
        float value = matrix.values[i * matrix.columns + column];
        if (!isnan(value))
            values[count++] = value;
    }
    qsort(values, count, sizeof(*values), compare_floats);
    *ret_count = count;
    return values;
}

size_t quantiles_distinct(const float *sorted, size_t count)
{
    size_t distinct = count > 0;
    for (size_t i = 1; i < count; i++)
        distinct += sorted[i] != sorted[i - 1];
    return distinct;
}

void quantile_map_release(struct quantile_map *map)
{
    free(map->knots);
    free(map->quantiles);
    *map = (struct quantile_map){ 0 };
}

void quantile_map_fit(const float *sorted, size_t count, size_t maximum,
                      struct quantile_map *ret_map)
{
    size_t distinct = quantiles_distinct(sorted, count);
    size_t spacing = distinct <= maximum ? 0 : count / maximum + 1;
    size_t next_rank = 0;
    struct quantile_map map = { .knots = mem_zero(QUANTILE_KNOTS + 2, sizeof(double)),
                                .quantiles = mem_zero(QUANTILE_KNOTS + 2, sizeof(double)) };
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && sorted[end] == sorted[begin]; end++)
            continue;
        if (end <= next_rank && end < count)
            continue;
        map.knots[map.count] = (double)sorted[begin];
        map.quantiles[map.count++] = normal_quantile((double)(begin + end) / 2 / (double)count);
        next_rank = end - 1 + spacing;
    }
    *ret_map = map;
}

size_t quantile_map_find(const struct quantile_map *map, double value)
{
    size_t low = 0, high = map->count - 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(map->knots[middle] <= value ? &low : &high) = middle;
    }
    return low;
}

double quantile_map_value(const struct quantile_map *map, double value)
{
    size_t count = map->count;
    if (count == 0)
        return value;
    if (value <= map->knots[0])
        return map->quantiles[0];
    if (value >= map->knots[count - 1])
        return map->quantiles[count - 1];
    size_t low = quantile_map_find(map, value);
    double part = (value - map->knots[low]) / (map->knots[low + 1] - map->knots[low]);
    return map->quantiles[low] + part * (map->quantiles[low + 1] - map->quantiles[low]);
}
