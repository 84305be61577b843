/* explain.h - why a score is what it is, in the customer's own columns.
 *
 * A contribution is what a column adds to the log-odds of churn, compared with
 * the average customer. Contributions of a row and the base value add up to the
 * calibrated log-odds, up to the rounding of floats:
 *
 *   log(p / (1 - p)) = base + sum over source columns
 *
 * For trees they are the SHAP values of the margin (Lundberg et al., Nature
 * Machine Intelligence 2, 2020), for logistic regression coefficient x (encoded
 * value - training mean), for neural networks integrated gradients from the average
 * customer (network.h); all are multiplied by the slope of the calibration,
 * and encoded features are added up to the source column they came from. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ml/features.h"

/* One of the columns that moved a score most. */
struct score_reason {
    uint32_t source;     /* index into features->sources, or SCORE_REASON_NONE */
    double contribution; /* in log-odds: positive speaks for churn */
};
#define SCORE_REASON_NONE UINT32_MAX

/* Adds up encoded contributions (features->count floats), times `slope`, to
 * features->source_count sums. */
void explain_group(const struct features *features, const float *encoded, double slope,
                   double *ret_sources);

/* The `wanted` sources of largest absolute contribution, largest first; equal ones
 * in column order. Contributions of 0 are no reasons: what is left of ret_reasons
 * holds SCORE_REASON_NONE. Cost: source_count x wanted at worst, no sorting. */
void explain_top(const double *sources, size_t source_count, size_t wanted,
                 struct score_reason *ret_reasons);
