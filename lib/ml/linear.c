#include "ml/linear.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"
#include "ml/calibrate.h"

#define MAP_DISTINCT    11 /* features with fewer values keep them           */
#define INDICATOR_ROWS  20 /* fewer missing values teach nothing             */
#define INDICATOR_SHARE 0.005

const char *const linear_inputs_names[] = { "standardised", "normal quantiles", NULL };

void linear_release(struct linear *linear)
{
    for (size_t i = 0; i < linear->column_count; i++) {
        free(linear->columns[i].knots);
        free(linear->columns[i].quantiles);
    }
    free(linear->columns);
    *linear = (struct linear){ 0 };
}

void linear_design_release(struct linear_design *design)
{
    free(design->values);
    *design = (struct linear_design){ 0 };
}

/* --- preparing ---------------------------------------------------------- */

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

/* Values that are not missing, ascending; the caller frees. */
static float *sorted_column(struct matrix train, size_t column, size_t *ret_count)
{
    float *values = mem_zero(train.rows, sizeof(*values));
    size_t count = 0;
    for (size_t i = 0; i < train.rows; i++) {
        float value = train.values[i * train.columns + column];
        if (!isnan(value))
            values[count++] = value;
    }
    qsort(values, count, sizeof(*values), compare_floats);
    *ret_count = count;
    return values;
}

static size_t count_distinct(const float *sorted, size_t count)
{
    size_t distinct = count > 0;
    for (size_t i = 1; i < count; i++)
        distinct += sorted[i] != sorted[i - 1];
    return distinct;
}

/* A knot for every distinct value, or about LINEAR_KNOTS evenly spaced by rank.
 * Equal values share the rank of their middle. */
static void fit_map(struct linear_column *column, const float *sorted, size_t count,
                    size_t distinct)
{
    column->knots = mem_zero(LINEAR_KNOTS + 2, sizeof(double));
    column->quantiles = mem_zero(LINEAR_KNOTS + 2, sizeof(double));
    size_t spacing = distinct <= LINEAR_KNOTS ? 0 : count / LINEAR_KNOTS + 1;
    size_t next_rank = 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && sorted[end] == sorted[begin]; end++)
            continue;
        if (end <= next_rank && end < count)
            continue;
        column->knots[column->knot_count] = (double)sorted[begin];
        column->quantiles[column->knot_count++] =
            normal_quantile((double)(begin + end) / 2 / (double)count);
        next_rank = end - 1 + spacing;
    }
}

static double map_value(const struct linear_column *column, double value)
{
    size_t count = column->knot_count;
    if (count == 0)
        return value;
    if (value <= column->knots[0])
        return column->quantiles[0];
    if (value >= column->knots[count - 1])
        return column->quantiles[count - 1];
    size_t low = 0, high = count - 1;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(column->knots[middle] <= value ? &low : &high) = middle;
    }
    double part = (value - column->knots[low]) / (column->knots[high] - column->knots[low]);
    return column->quantiles[low] + part * (column->quantiles[high] - column->quantiles[low]);
}

static void prepare_column(struct linear_column *column, struct matrix train, size_t index,
                           enum linear_inputs inputs)
{
    size_t count;
    auto_free float *sorted = sorted_column(train, index, &count);
    size_t distinct = count_distinct(sorted, count);
    if (inputs == LINEAR_QUANTILES && distinct >= MAP_DISTINCT)
        fit_map(column, sorted, count, distinct);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += map_value(column, (double)sorted[i]);
    column->centre = count > 0 ? sum / (double)count : 0;
    for (size_t i = 0; i < count; i++) {
        double distance = map_value(column, (double)sorted[i]) - column->centre;
        squares += distance * distance;
    }
    column->scale = squares > 0 ? sqrt(squares / (double)count) : 1;
    size_t missing = train.rows - count;
    double share = (double)missing / (double)train.rows;
    if (missing >= INDICATOR_ROWS && share >= INDICATOR_SHARE && count > 0)
        column->missing_share = share;
}

int linear_prepare(struct matrix train, enum linear_inputs inputs, struct linear *ret_linear,
                   struct err *err)
{
    if (train.columns > LINEAR_COLUMNS_MAXIMUM)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "logistic regression takes at most %d features, not %zu: drop columns "
                          "with many categories",
                          LINEAR_COLUMNS_MAXIMUM, train.columns);
    *ret_linear = (struct linear){
        .columns = mem_zero(train.columns, sizeof(*ret_linear->columns)),
        .column_count = train.columns,
    };
    for (size_t i = 0; i < train.columns; i++)
        prepare_column(&ret_linear->columns[i], train, i, inputs);
    return 0;
}

/* --- inputs ------------------------------------------------------------- */

static double input_of(const struct linear_column *column, double value)
{
    return isnan(value) ? 0 : (map_value(column, value) - column->centre) / column->scale;
}

static double indicator_of(const struct linear_column *column, double value)
{
    return (isnan(value) ? 1 : 0) - column->missing_share;
}

static size_t design_width(const struct linear *linear)
{
    size_t width = linear->column_count;
    for (size_t i = 0; i < linear->column_count; i++)
        width += linear->columns[i].missing_share > 0;
    return width;
}

void linear_design_init(struct linear_design *design, const struct linear *linear,
                        struct matrix train)
{
    *design = (struct linear_design){ .rows = train.rows, .width = design_width(linear) };
    design->values = mem_zero(train.rows, design->width * sizeof(*design->values));
    for (size_t row = 0; row < train.rows; row++) {
        float *inputs = design->values + row * design->width;
        size_t indicator = linear->column_count;
        for (size_t i = 0; i < linear->column_count; i++) {
            const struct linear_column *column = &linear->columns[i];
            double value = (double)train.values[row * train.columns + i];
            inputs[i] = (float)input_of(column, value);
            if (column->missing_share > 0)
                inputs[indicator++] = (float)indicator_of(column, value);
        }
    }
}

double linear_contribution(const struct linear_column *column, double value)
{
    double contribution = column->weight * input_of(column, value);
    if (column->missing_weight != 0)
        contribution += column->missing_weight * indicator_of(column, value);
    return contribution;
}

void linear_margins(const struct linear *linear, struct matrix matrix, double *ret_margins)
{
    for (size_t row = 0; row < matrix.rows; row++) {
        const float *values = matrix.values + row * matrix.columns;
        ret_margins[row] = linear->intercept;
        for (size_t i = 0; i < linear->column_count; i++)
            ret_margins[row] += linear_contribution(&linear->columns[i], (double)values[i]);
    }
}
