/* network.h - a neural network that scores: dense layers with ReLU, several of them averaged.
 *
 * Training (network_train.h) folds embeddings and batch normalisation into the first
 * weights of each layer, so what is left is
 *
 *   h = prepared row (network_inputs.h);  h = max(0, W h + b) for each hidden layer;
 *   margin = w h + b
 *
 * and the margin of the ensemble is the mean of its members'. Scoring multiplies by a small
 * kernel of its own, with AVX2 where the processor has it and the same bits without: no library.
 *
 * Reasons are integrated gradients (Sundararajan, Taly and Yan, ICML 2017): what an input adds
 * is its value times the mean slope of the margin on the straight way from the average
 * customer - the row of zeros - to the customer. The way is cut into NETWORK_STEPS parts, and
 * in each part a ReLU has the slope of its secant (as in DeepLIFT: Shrikumar, Greenside and
 * Kundaje, ICML 2017) instead of the slope at one point. So
 *
 *   margin = network_base() + sum of contributions
 *
 * holds for every row up to the rounding of floats, and for a network without kinks on the
 * way a contribution is coefficient x (value - mean), as in logistic regression.
 *
 * A network does not change after decoding and may be shared by threads. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "ml/network_inputs.h"

#define NETWORK_LAYERS_MAXIMUM  8    /* hidden ones    */
#define NETWORK_UNITS_MAXIMUM   1024 /* of each        */
#define NETWORK_MEMBERS_MAXIMUM 16
#define NETWORK_STEPS           15 /* and the begin of the way: 16 points at once */

struct network_layer {
    size_t in, out;
    float *weights;    /* out x in                         */
    float *biases;     /* out                              */
    float *transposed; /* in x out, for reasons            */
};

struct network {
    struct network_inputs inputs;
    struct network_layer *layers; /* member after member; each ends with one of out 1 */
    size_t layer_count;           /* of one member                                    */
    size_t member_count;
    bool portable; /* for tests: without AVX2 */
};
void network_release(struct network *network); /* safe on a zeroed struct */
#define auto_network __attribute__((cleanup(network_release)))

/* Layers without weights, all with memory: inputs.width -> units, ..., -> 1. */
void network_allocate(struct network *network, size_t members, size_t hidden_layers, size_t units);
/* After the weights were set: what network_contributions() needs besides. */
void network_complete(struct network *network);

/* Raw margins of rows of inputs.count floats. */
void network_margins(const struct network *network, struct matrix matrix, double *ret_margins);

/* The margin of the average customer. */
double network_base(const struct network *network);

/* What each encoded feature adds: rows x inputs.count floats. */
void network_contributions(const struct network *network, struct matrix matrix,
                           float *ret_contributions);

/* --- network.bin ---------------------------------------------------------- */

/* Little-endian: "churnnet", then counts, inputs, layers (network_file.c). */
void network_encode(const struct network *network, struct buf *out);

/* Bytes from anywhere: every size is compared with a maximum and with what is left of the
 * bytes, every number is finite, and no layer can leave the range of floats. ERR_INVALID
 * (DataInvalid) otherwise, and unless it has exactly `columns` features. */
int network_decode(struct span bytes, size_t columns, struct network *ret_network, struct err *err)
    __attribute__((warn_unused_result));
