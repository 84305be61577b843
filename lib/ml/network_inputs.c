#include "ml/network_inputs.h"

#include <math.h>

#include "base/mem.h"

#define MAP_DISTINCT    3  /* numbers of fewer values need no map     */
#define INDICATOR_ROWS  20 /* fewer missing values teach nothing      */
#define INDICATOR_SHARE 0.005
#define KNOTS_MINIMUM   5 /* when NETWORK_INPUTS_MAXIMUM is shared out */

const char *const network_encoding_names[] = { "normal quantiles", "piecewise linear", NULL };

void network_inputs_release(struct network_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        quantile_map_release(&inputs->items[i].map);
    free(inputs->items);
    free(inputs->centres);
    free(inputs->scales);
    *inputs = (struct network_inputs){ 0 };
}

/* --- fitting ------------------------------------------------------------ */

/* Levels are 0 or 1, and the share of positives of a level is a number. */
static bool is_level(const struct features *features, size_t column)
{
    if (features == NULL)
        return false;
    const struct feature_source *source = &features->sources[features->items[column].source];
    bool share =
        source->shares != NULL && column + 1 == source->first_feature + source->feature_count;
    return source->type == VALUE_CATEGORICAL && !share;
}

static void fit_input(struct matrix train, size_t column, enum network_encoding encoding,
                      size_t knots, struct network_input *input)
{
    size_t count;
    auto_free float *sorted = quantiles_sort(train, column, &count);
    if (quantiles_distinct(sorted, count) >= MAP_DISTINCT) {
        bool pieces = encoding == NETWORK_PIECEWISE;
        quantile_map_fit(sorted, count, pieces ? knots : QUANTILE_KNOTS, &input->map);
        if (pieces)
            free(TAKE(input->map.quantiles));
    }
    size_t missing = train.rows - count;
    input->indicator = missing >= INDICATOR_ROWS && count > 0 &&
                       (double)missing / (double)train.rows >= INDICATOR_SHARE;
}

bool network_inputs_lay_out(struct network_inputs *inputs)
{
    inputs->width = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        struct network_input *input = &inputs->items[i];
        bool pieces = input->map.count > 0 && input->map.quantiles == NULL;
        input->first = inputs->width;
        input->width = (pieces ? input->map.count - 1 : 1) + (input->indicator ? 1 : 0);
        inputs->width += input->width;
    }
    return inputs->width <= NETWORK_INPUTS_MAXIMUM;
}

/* Means over rows that are not missing, and for what is neither a place between knots
 * nor a level the spread, which becomes 1. Until then centres are 0 and scales 1. */
static void standardise(struct matrix train, const struct features *features,
                        struct network_inputs *inputs)
{
    auto_free double *sums = mem_zero(inputs->width, 2 * sizeof(*sums));
    auto_free double *squares = mem_zero(inputs->width, sizeof(*squares));
    auto_free size_t *counts = mem_zero(inputs->count, sizeof(*counts));
    auto_free float *row = mem_zero(inputs->width, sizeof(*row));
    for (size_t i = 0; i < train.rows; i++) {
        const float *values = train.values + i * train.columns;
        network_prepare(inputs, values, row);
        for (size_t k = 0; k < inputs->width; k++) {
            sums[k] += (double)row[k];
            squares[k] += (double)row[k] * (double)row[k];
        }
        for (size_t k = 0; k < inputs->count; k++)
            counts[k] += isnan(values[k]) ? 0 : 1;
    }
    for (size_t k = 0; k < inputs->count; k++) {
        const struct network_input *input = &inputs->items[k];
        bool pieces = input->map.count > 0 && input->map.quantiles == NULL;
        for (size_t i = input->first; i < input->first + input->width; i++) {
            bool indicator = input->indicator && i + 1 == input->first + input->width;
            double rows = fmax((double)(indicator ? train.rows : counts[k]), 1);
            double mean = sums[i] / rows, variance = squares[i] / rows - mean * mean;
            inputs->centres[i] = (float)mean;
            if (!pieces && !indicator && !is_level(features, k) && variance > 0)
                inputs->scales[i] = (float)(1 / sqrt(variance));
        }
    }
}

int network_inputs_fit(struct matrix train, const struct features *features,
                       enum network_encoding encoding, struct network_inputs *ret_inputs,
                       struct err *err)
{
    if (train.columns > NETWORK_FEATURES)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "a neural network takes at most %d features, not %zu: drop columns with "
                          "many categories",
                          NETWORK_FEATURES, train.columns);
    struct network_inputs inputs = { .items = mem_zero(train.columns, sizeof(*inputs.items)),
                                     .count = train.columns };
    size_t share = NETWORK_INPUTS_MAXIMUM / (train.columns + 1); /* with an indicator */
    size_t knots = share > NETWORK_KNOTS   ? NETWORK_KNOTS
                   : share > KNOTS_MINIMUM ? share - 1
                                           : KNOTS_MINIMUM;
    for (size_t i = 0; i < train.columns; i++) {
        if (!is_level(features, i))
            fit_input(train, i, encoding, knots, &inputs.items[i]);
    }
    if (!network_inputs_lay_out(&inputs)) {
        network_inputs_release(&inputs);
        return err_set(err, ERR_INTERNAL, "the inputs of the network are too many");
    }
    inputs.centres = mem_zero(inputs.width, sizeof(float));
    inputs.scales = mem_zero(inputs.width, sizeof(float));
    for (size_t i = 0; i < inputs.width; i++)
        inputs.scales[i] = 1;
    standardise(train, features, &inputs);
    *ret_inputs = inputs;
    return 0;
}

/* --- preparing ---------------------------------------------------------- */

static float standard(const struct network_inputs *inputs, size_t place, double mapped)
{
    float value = ((float)mapped - inputs->centres[place]) * inputs->scales[place];
    if (value > NETWORK_INPUT_LARGEST)
        return NETWORK_INPUT_LARGEST;
    return value < -NETWORK_INPUT_LARGEST ? -NETWORK_INPUT_LARGEST : value;
}

static void prepare_pieces(const struct network_inputs *inputs, const struct network_input *input,
                           double value, float *ret_row)
{
    const double *knots = input->map.knots;
    size_t pieces = input->map.count - 1, inside = quantile_map_find(&input->map, value);
    double part = (value - knots[inside]) / (knots[inside + 1] - knots[inside]);
    part = fmin(fmax(part, 0), 1);
    for (size_t i = 0; i < pieces; i++) {
        double place = i < inside ? 1 : i > inside ? 0 : part;
        ret_row[input->first + i] = standard(inputs, input->first + i, place);
    }
}

void network_prepare(const struct network_inputs *inputs, const float *values, float *ret_row)
{
    for (size_t k = 0; k < inputs->count; k++) {
        const struct network_input *input = &inputs->items[k];
        double value = (double)values[k];
        size_t indicator = input->first + input->width - (input->indicator ? 1 : 0);
        if (input->indicator)
            ret_row[indicator] = standard(inputs, indicator, isnan(value) ? 1 : 0);
        if (isnan(value)) {
            for (size_t i = input->first; i < indicator; i++)
                ret_row[i] = 0;
        } else if (input->map.count > 0 && input->map.quantiles == NULL) {
            prepare_pieces(inputs, input, value, ret_row);
        } else {
            ret_row[input->first] =
                standard(inputs, input->first, quantile_map_value(&input->map, value));
        }
    }
}
