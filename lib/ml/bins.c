#include "ml/bins.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define SAMPLE_ROWS 200000

void bins_release(struct bins *bins)
{
    for (size_t i = 0; i < bins->column_count; i++)
        free(bins->columns[i].thresholds);
    free(bins->columns);
    free(bins->values);
    *bins = (struct bins){ 0 };
}

/* What one pass over all rows says of a feature. */
struct facts {
    bool has_missing, is_binary;
    float highest; /* -INFINITY: it has no value */
    /* A bundle with it cannot begin before this feature: of those before, some row has both. */
    size_t begin;
};

/* Rows evenly spaced, enough to place thresholds. */
struct sample {
    const float *values;
    float *owned;        /* NULL: values are those of a matrix */
    size_t rows, stride; /* stride: values from one row to the next */
};

struct survey {
    struct facts *facts; /* of each feature */
    struct sample sample;
};

static void survey_release(struct survey *survey)
{
    free(survey->facts);
    free(survey->sample.owned);
}
#define auto_survey __attribute__((cleanup(survey_release)))

static void note_row(struct facts *facts, const float *row, size_t columns)
{
    size_t begin = 0;
    for (size_t feature = 0; feature < columns; feature++) {
        float value = row[feature];
        struct facts *fact = &facts[feature];
        if (isnan(value))
            fact->has_missing = true;
        else if (value > fact->highest)
            fact->highest = value;
        if (value == 1) {
            fact->begin = begin > fact->begin ? begin : fact->begin;
            begin = feature + 1;
        } else if (value != 0) {
            fact->is_binary = false;
        }
    }
}

static void survey_init(struct survey *survey, const struct row_source *source, float *block)
{
    size_t spacing = (source->rows - 1) / SAMPLE_ROWS + 1, columns = source->columns;
    struct sample *sample = &survey->sample;
    survey->facts = mem_zero(columns, sizeof(*survey->facts));
    for (size_t i = 0; i < columns; i++)
        survey->facts[i] = (struct facts){ .is_binary = true, .highest = -INFINITY };
    *sample = (struct sample){ .values = source->values,
                               .rows = (source->rows - 1) / spacing + 1,
                               .stride = spacing * columns };
    if (source->values == NULL) {
        sample->values = sample->owned = mem_zero(sample->rows * columns, sizeof(float));
        sample->stride = columns;
    }
    for (size_t first = 0, count; first < source->rows; first += count) {
        count = row_source_length(source, first);
        const float *rows = row_source_block(source, first, count, block);
        for (size_t i = 0; i < count; i++) {
            note_row(survey->facts, rows + i * columns, columns);
            if (sample->owned != NULL && (first + i) % spacing == 0)
                memcpy(sample->owned + (first + i) / spacing * columns, rows + i * columns,
                       columns * sizeof(float));
        }
    }
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
static bool init_column(struct bin_column *column, const struct survey *survey, size_t feature,
                        size_t maximum)
{
    const struct sample *sample = &survey->sample;
    size_t count = 0;
    auto_free float *sorted = mem_zero(sample->rows, sizeof(*sorted));
    *column = (struct bin_column){ .feature = (uint32_t)feature,
                                   .has_missing = survey->facts[feature].has_missing };
    for (size_t row = 0; row < sample->rows; row++) {
        float value = sample->values[row * sample->stride + feature];
        if (!isnan(value))
            sorted[count++] = value;
    }
    if (count == 0)
        return false;
    qsort(sorted, count, sizeof(*sorted), compare_floats);
    column->thresholds = mem_zero(maximum, sizeof(float));
    column->bins = place_thresholds(sorted, count, maximum, column->thresholds);
    column->thresholds[column->bins - 1] = above(survey->facts[feature].highest);
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

/* --- bundles --------------------------------------------------------------- */

/* As many features from `first` on as can share a column; 0: the first is none for a bundle. */
static size_t bundle_length(const struct survey *survey, size_t columns, size_t first,
                            size_t maximum)
{
    size_t count = 0;
    while (first + count < columns && count + 1 < maximum &&
           survey->facts[first + count].is_binary && survey->facts[first + count].begin <= first)
        count++;
    return count;
}

static uint8_t bundle_bin_of(const struct bin_column *column, const float *features)
{
    uint8_t bin = 0;
    for (uint32_t i = 0; i < column->feature_count; i++)
        if (features[i] == 1)
            bin = (uint8_t)(i + 1);
    return bin;
}

/* --- all columns ----------------------------------------------------------- */

static void plan_columns(struct bins *bins, const struct survey *survey, size_t columns,
                         size_t maximum)
{
    for (size_t feature = 0; feature < columns;) {
        struct bin_column *column = &bins->columns[bins->column_count];
        size_t length = bundle_length(survey, columns, feature, maximum);
        bool useful = length > 0 || init_column(column, survey, feature, maximum);
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
}

static void fill_rows(struct bins *bins, size_t first, size_t count, const float *rows,
                      size_t columns)
{
    for (size_t index = 0; index < bins->column_count; index++) {
        const struct bin_column *column = &bins->columns[index];
        uint8_t *values = bins->values + first * bins->column_count + index;
        for (size_t i = 0; i < count; i++) {
            const float *features = rows + i * columns + column->feature;
            values[i * bins->column_count] = column->feature_count > 0
                                                 ? bundle_bin_of(column, features)
                                                 : bin_of(column, *features);
        }
    }
}

void bins_init(struct bins *bins, struct row_source source, size_t maximum)
{
    auto_free float *block = mem_zero(ROW_SOURCE_BLOCK * source.columns, sizeof(*block));
    auto_survey struct survey survey;
    survey_init(&survey, &source, block);
    *bins = (struct bins){ .columns = mem_zero(source.columns, sizeof(*bins->columns)),
                           .rows = source.rows };
    plan_columns(bins, &survey, source.columns, maximum);
    bins->values = mem_zero(source.rows * bins->column_count, 1);
    for (size_t first = 0, count; first < source.rows; first += count) {
        count = row_source_length(&source, first);
        fill_rows(bins, first, count, row_source_block(&source, first, count, block),
                  source.columns);
    }
}
