/* blend.h - weights for a sum of models.
 *
 * Ensemble selection (Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble Selection from Libraries
 * of Models, ICML 2004) on margins: begin with nothing; BLEND_STEPS times add the member, one that
 * is there already or not, with which the mean of all that were added has the lowest log-loss. The
 * weights are how often each was taken, in the best of the sets on the way. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BLEND_STEPS   20
#define BLEND_MEMBERS 16

struct blend_input {
    const double *margins; /* member x row: log-odds of rows that the member has not seen */
    size_t members, rows;
    const uint8_t *labels;
    const unsigned *costs; /* of each member; a set never costs more than `budget` ... */
    unsigned budget;       /* ... unless a single member does                          */
};

/* Fills one weight per member; they add up to 1. The log-loss of the blend. */
double blend_weights(const struct blend_input *input, double *ret_weights);
