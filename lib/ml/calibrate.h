/* calibrate.h - Platt scaling: margins to probabilities that mean what they say.
 *
 * probability = 1 / (1 + exp(-(slope * margin + intercept))). Fitted on margins
 * that the model gave to rows it was not trained on (out of fold), because
 * margins of training rows are over-confident. It keeps the order of scores, so
 * the ROC curve does not change. */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

struct calibration {
    double slope, intercept; /* slope > 0 */
};

/* No change: margins are log-odds already. */
#define CALIBRATION_NONE ((struct calibration){ .slope = 1, .intercept = 0 })

/* Maximum likelihood with Platt's smoothed targets, by Newton's method with
 * backtracking: Lin, Lin and Weng, Machine Learning 68(3), 2007. Gives
 * CALIBRATION_NONE when a class is absent or larger margins do not mean more
 * positives. */
struct calibration calibration_fit(const double *margins, const uint8_t *labels, size_t count);

static inline double calibrated_log_odds(const struct calibration *calibration, double margin)
{
    return calibration->slope * margin + calibration->intercept;
}

/* 1 / (1 + exp(-log_odds)), without overflow on either side. */
static inline double probability_of(double log_odds)
{
    double odds = exp(-fabs(log_odds));
    return (log_odds >= 0 ? 1 : odds) / (1 + odds);
}
