#include "ml/bins.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define SAMPLE_ROWS 200000 /* enough to place thresholds */

void bins_release(struct bins *bins)
{
    for (size_t i = 0; i < bins->column_count; i++)
        free(bins->columns[i].thresholds);
    free(bins->columns);
    free(bins->values);
    *bins = (struct bins){ 0 };
}

static float value_at(struct matrix matrix, size_t row, size_t feature)
{
    return matrix.values[row * matrix.columns + feature];
}

/* --- features of any numbers --------------------------------------------- */

static int compare_floats(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* Halfway, and above `low` even where nothing is between them. */
static float between(float low, float high)
{
    float middle = low / 2 + high / 2;
    return middle > low && middle <= high ? middle : high;
}

static float above(float highest)
{
    return highest + fabsf(highest) + 1;
}

/* One bin for each value when they are few; else a bin ends when it has its share of the rows that
 * are left, so that a frequent value does not take the bins of the others. */
static uint32_t place_thresholds(const float *sorted, size_t count, size_t maximum,
                                 float *thresholds)
{
    size_t distinct = 1, in_bin = 0, left = count;
    uint32_t bins = 0;
    for (size_t i = 1; i < count; i++)
        distinct += sorted[i] > sorted[i - 1];
    for (size_t i = 0; i + 1 < count; i++) {
        in_bin++;
        if (!(sorted[i + 1] > sorted[i]))
            continue;
        if (distinct > maximum && in_bin * (maximum - bins) < left)
            continue;
        thresholds[bins++] = between(sorted[i], sorted[i + 1]);
        left -= in_bin;
        in_bin = 0;
        if (bins + 1 == maximum)
            break;
    }
    return bins + 1; /* the last one's threshold is above all */
}

/* False: there is nothing to split. */
static bool init_column(struct bin_column *column, struct matrix matrix, size_t feature,
                        size_t maximum)
{
    size_t stride = (matrix.rows - 1) / SAMPLE_ROWS + 1, count = 0;
    float highest = -INFINITY;
    auto_free float *sorted = mem_zero(matrix.rows / stride + 1, sizeof(*sorted));
    *column = (struct bin_column){ .feature = (uint32_t)feature };
    for (size_t row = 0; row < matrix.rows; row++) {
        float value = value_at(matrix, row, feature);
        if (isnan(value)) {
            column->has_missing = true;
            continue;
        }
        highest = value > highest ? value : highest;
        if (row % stride == 0)
            sorted[count++] = value;
    }
    if (count == 0)
        return false;
    qsort(sorted, count, sizeof(*sorted), compare_floats);
    column->thresholds = mem_zero(maximum, sizeof(float));
    column->bins = place_thresholds(sorted, count, maximum, column->thresholds);
    column->thresholds[column->bins - 1] = above(highest);
    if (column->bins > 1 || column->has_missing)
        return true;
    free(TAKE(column->thresholds));
    return false;
}

/* How many of the thresholds are not above the value. The last bin takes what the sample had no
 * idea of. */
static uint8_t bin_of(const struct bin_column *column, float value)
{
    size_t low = 0, high = column->bins - 1;
    if (isnan(value))
        return (uint8_t)column->bins;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value < column->thresholds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return (uint8_t)low;
}

static void fill_column(struct bins *bins, size_t index, struct matrix matrix)
{
    const struct bin_column *column = &bins->columns[index];
    for (size_t row = 0; row < matrix.rows; row++)
        bins->values[row * bins->column_count + index] =
            bin_of(column, value_at(matrix, row, column->feature));
}

/* --- bundles --------------------------------------------------------------- */

static bool is_binary(struct matrix matrix, size_t feature)
{
    for (size_t row = 0; row < matrix.rows; row++) {
        float value = value_at(matrix, row, feature);
        if (value != 0 && value != 1)
            return false;
    }
    return true;
}

/* Marks the rows that have the feature; false, and nothing changed, when one has another. */
static bool join(struct matrix matrix, size_t feature, uint8_t *taken)
{
    for (size_t row = 0; row < matrix.rows; row++)
        if (taken[row] && value_at(matrix, row, feature) == 1)
            return false;
    for (size_t row = 0; row < matrix.rows; row++)
        taken[row] |= value_at(matrix, row, feature) == 1;
    return true;
}

/* As many features from `first` on as can share a column; 0: the first is none for a bundle. */
static size_t bundle_length(struct matrix matrix, size_t first, size_t maximum, uint8_t *taken)
{
    size_t count = 0;
    memset(taken, 0, matrix.rows);
    while (first + count < matrix.columns && count + 1 < maximum &&
           is_binary(matrix, first + count) && join(matrix, first + count, taken))
        count++;
    return count;
}

static void fill_bundle(struct bins *bins, size_t index, struct matrix matrix)
{
    const struct bin_column *column = &bins->columns[index];
    for (size_t row = 0; row < matrix.rows; row++) {
        uint8_t bin = 0;
        for (uint32_t i = 0; i < column->feature_count; i++)
            if (value_at(matrix, row, column->feature + i) == 1)
                bin = (uint8_t)(i + 1);
        bins->values[row * bins->column_count + index] = bin;
    }
}

void bins_init(struct bins *bins, struct matrix matrix, size_t maximum)
{
    auto_free uint8_t *taken = mem_zero(matrix.rows, 1);
    *bins = (struct bins){ .columns = mem_zero(matrix.columns, sizeof(*bins->columns)),
                           .rows = matrix.rows };
    for (size_t feature = 0; feature < matrix.columns;) {
        struct bin_column *column = &bins->columns[bins->column_count];
        size_t length = bundle_length(matrix, feature, maximum, taken);
        bool useful = length > 0 || init_column(column, matrix, feature, maximum);
        if (length > 0)
            *column = (struct bin_column){ .feature = (uint32_t)feature,
                                           .feature_count = (uint32_t)length,
                                           .bins = (uint32_t)length + 1 };
        feature += length > 0 ? length : 1;
        if (!useful)
            continue;
        column->first = bins->total;
        bins->total += column->bins + column->has_missing;
        bins->column_count++;
    }
    bins->values = mem_zero(matrix.rows * bins->column_count, 1);
    for (size_t i = 0; i < bins->column_count; i++) {
        if (bins->columns[i].feature_count > 0)
            fill_bundle(bins, i, matrix);
        else
            fill_column(bins, i, matrix);
    }
}
