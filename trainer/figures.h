/* figures.h - the measurements of a model, by name and in order of importance. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ml/calibrate.h"

#define FIGURES_MAXIMUM 24 /* what a result document carries */

struct figure {
    const char *name; /* "auc", "pr_auc", ... */
    double value;
};

struct figures {
    struct figure items[FIGURES_MAXIMUM];
    size_t count;
};

/* All measurements of margins on rows that the model has not seen. What is
 * undefined there (one class only) is left out. */
void figures_measure(const double *margins, const uint8_t *labels, size_t count,
                     const struct calibration *calibration, double threshold,
                     struct figures *ret_figures);

/* NAN when there is no such figure. */
double figures_value(const struct figures *figures, const char *name);

/* Calibrated probabilities; the caller frees. */
double *figures_probabilities(const double *margins, size_t count,
                              const struct calibration *calibration)
    __attribute__((returns_nonnull, warn_unused_result));
