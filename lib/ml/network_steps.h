/* network_steps.h - a network while it learns: parameters, their gradient, and the way
 * there; included by network_*.c and their test only. */
#pragma once

#include "base/random.h"
#include "ml/network_train.h"

/* Neighbouring inputs that go on together into the embedded row: as they are, or, levels of
 * one category, times a matrix of count x width. */
struct network_segment {
    size_t first, count; /* in the prepared row */
    size_t place, width; /* in the embedded row */
    size_t weights;      /* offset of the matrix; only where it is embedded */
    bool embedded;
};

/* A hidden layer: where its parameters are, and what the last batch left. */
struct hidden_layer {
    size_t in;
    size_t weights;             /* units x in, by offset                          */
    size_t gains, shifts;       /* units each, of batch normalisation             */
    float *means, *variances;   /* units: running ones, for rows outside training */
    float *inverse;             /* units: 1 / standard deviation of the batch     */
    float *normal;              /* rows x units: normalised sums                  */
    float *kept;                /* rows x units: 0, or 1 / (1 - dropout)          */
    float *outputs, *gradients; /* rows x units                                   */
};

struct learner {
    const struct network_options *options;
    const struct network_inputs *inputs; /* borrowed */
    struct network_segment *segments;
    size_t segment_count, width; /* of an embedded row */
    struct hidden_layer *layers;
    size_t output_weights, output_bias;
    float *parameters, *gradient; /* count floats; the first `decayed` are weights */
    size_t count, decayed;
    float *prepared;                     /* rows x inputs->width */
    float *embedded, *embedded_gradient; /* rows x width         */
    float *margins, *margin_gradient;    /* rows                 */
};

/* Random weights, and the log-odds of `rate`, the share of positives, as bias. Memory for
 * `batch_rows` rows at once. */
void learner_init(struct learner *learner, const struct network_options *options,
                  const struct network_inputs *inputs, const struct features *features,
                  size_t batch_rows, double rate, struct random *random);
void learner_release(struct learner *learner); /* safe on a zeroed struct */
#define auto_learner __attribute__((cleanup(learner_release)))

/* Prepares some rows of a matrix: those numbered in `rows`. */
void learner_load(struct learner *learner, struct matrix matrix, const uint32_t *rows,
                  size_t count);

/* Margins of the loaded rows, as of rows outside training. */
void learner_margins(struct learner *learner, size_t count);

/* Mean log-loss of the loaded rows in training - with the batch's own statistics, and random
 * dropout - and its gradient by all parameters. */
double learner_differentiate(struct learner *learner, const uint8_t *labels, size_t count,
                             struct random *random);

/* Writes what was learned into the layers of one member (network_allocate()). */
void learner_fold(const struct learner *learner, struct network_layer *layers);
