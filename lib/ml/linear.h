/* linear.h - logistic regression with an L2 penalty.
 *
 * Inputs are prepared per feature: either standardised, or - for features with
 * many values - mapped to normal quantiles first, which tames long tails. Every
 * prepared input has mean 0 over the training rows; a missing value counts as
 * the mean, and where missing is frequent enough an indicator has a weight of its
 * own. So the intercept is the margin of the average customer, and
 *
 *   margin = intercept + sum over features of linear_contribution()
 *
 * holds exactly. A fitted struct linear is constant and may be shared by threads. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ml/boost.h"
#include "ml/quantiles.h"

/* More features than this are refused: the solver's matrix grows with the square. */
#define LINEAR_COLUMNS_MAXIMUM 1024
#define LINEAR_KNOTS           QUANTILE_KNOTS /* of a quantile map */

enum linear_inputs { LINEAR_STANDARDISED, LINEAR_QUANTILES };
extern const char *const linear_inputs_names[]; /* "standardised", "normal quantiles" */

struct linear_column {
    struct quantile_map map; /* to normal quantiles; empty: none */
    double centre, scale;    /* input = (mapped value - centre) / scale */
    double weight;
    double missing_weight; /* 0: no indicator */
    double missing_share;  /* of the training rows */
};

struct linear {
    struct linear_column *columns;
    size_t column_count;
    double intercept;
};
void linear_release(struct linear *linear); /* safe on a zeroed struct */
#define auto_linear __attribute__((cleanup(linear_release)))

/* Learns how to prepare inputs; all weights are 0. ERR_INVALID for more than
 * LINEAR_COLUMNS_MAXIMUM columns. */
int linear_prepare(struct matrix train, enum linear_inputs inputs, struct linear *ret_linear,
                   struct err *err) __attribute__((warn_unused_result));

/* Prepared inputs of the training rows, which are read block by block, to solve for several
 * penalties. */
struct linear_design {
    float *values; /* rows x width */
    size_t rows, width;
};
void linear_design_init(struct linear_design *design, const struct linear *linear,
                        struct row_source train);
void linear_design_release(struct linear_design *design);
#define auto_linear_design __attribute__((cleanup(linear_design_release)))

/* Minimises sum of log-losses + l2 / 2 x squared weights (not the intercept) by
 * Newton's method, starting from the weights that are there: solving for falling
 * penalties is cheap. `design` and `labels` are of the rows of linear_prepare(). */
int linear_solve(struct linear *linear, const struct linear_design *design, const uint8_t *labels,
                 double l2, struct err *err) __attribute__((warn_unused_result));

/* What one feature adds to the margin. `value` may be NAN. */
double linear_contribution(const struct linear_column *column, double value);

void linear_margins(const struct linear *linear, struct matrix matrix, double *ret_margins);

/* {"intercept", "columns": [{...}]}: weights.json. New reference. */
json_t *linear_to_json(const struct linear *linear) __attribute__((warn_unused_result));
/* ERR_INVALID (DataInvalid) unless it has exactly `columns` sound columns. */
int linear_from_json(const json_t *json, size_t columns, struct linear *ret_linear, struct err *err)
    __attribute__((warn_unused_result));
