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
    for (size_t i = 0; i < linear->column_count; i++)
        quantile_map_release(&linear->columns[i].map);
    free(linear->columns);
    *linear = (struct linear){ 0 };
}

void linear_design_release(struct linear_design *design)
{
    free(design->values);
    *design = (struct linear_design){ 0 };
}

/* --- preparing ---------------------------------------------------------- */

static void prepare_column(struct linear_column *column, struct matrix train, size_t index,
                           enum linear_inputs inputs)
{
    size_t count;
    auto_free float *sorted = quantiles_sort(train, index, &count);
    if (inputs == LINEAR_QUANTILES && quantiles_distinct(sorted, count) >= MAP_DISTINCT)
        quantile_map_fit(sorted, count, LINEAR_KNOTS, &column->map);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += quantile_map_value(&column->map, (double)sorted[i]);
    column->centre = count > 0 ? sum / (double)count : 0;
    for (size_t i = 0; i < count; i++) {
        double distance = quantile_map_value(&column->map, (double)sorted[i]) - column->centre;
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
    return isnan(value)
               ? 0
               : (quantile_map_value(&column->map, value) - column->centre) / column->scale;
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

static void fill_inputs(const struct linear *linear, const float *values, float *ret_inputs)
{
    size_t indicator = linear->column_count;
    for (size_t i = 0; i < linear->column_count; i++) {
        const struct linear_column *column = &linear->columns[i];
        ret_inputs[i] = (float)input_of(column, (double)values[i]);
        if (column->missing_share > 0)
            ret_inputs[indicator++] = (float)indicator_of(column, (double)values[i]);
    }
}

void linear_design_init(struct linear_design *design, const struct linear *linear,
                        struct row_source train)
{
    auto_free float *block = mem_zero(ROW_SOURCE_BLOCK * train.columns, sizeof(*block));
    *design = (struct linear_design){ .rows = train.rows, .width = design_width(linear) };
    design->values = mem_zero(train.rows, design->width * sizeof(*design->values));
    for (size_t first = 0, count; first < train.rows; first += count) {
        count = row_source_length(&train, first);
        const float *rows = row_source_block(&train, first, count, block);
        for (size_t i = 0; i < count; i++)
            fill_inputs(linear, rows + i * train.columns,
                        design->values + (first + i) * design->width);
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
