/* network_train.h - fits neural networks by stochastic gradient descent.
 *
 * A network is prepared inputs (network_inputs.h), an embedding for every category of more
 * than NETWORK_ONE_HOT levels (Guo and Berkhahn, Entity Embeddings of Categorical Variables,
 * 2016), hidden layers of ReLU units with batch normalisation (Ioffe and Szegedy, ICML 2015)
 * and dropout, and one output, the log-odds. It learns log-loss by AdamW (Loshchilov and
 * Hutter, ICLR 2019): a rate that rises over NETWORK_WARM_UP of the schedule and then falls to 0
 * along half a cosine, and decay of weights only. How many epochs of the schedule are used is early
 * stopping: the caller finds out on rows held out (network_search()) and says it to network_fit().
 *
 * Products of matrices are OpenBLAS's, of its serial build: one fit is one thread, and the
 * same rows, options and seed give the same network on processors of the same kind. */
#pragma once

#include "base/random.h"
#include "ml/network.h"

#define NETWORK_ONE_HOT 4   /* categories of so many levels or fewer need no embedding */
#define NETWORK_BATCH   256 /* rows of a step; fewer in small files */
#define NETWORK_WARM_UP 0.1

struct network_options {
    enum network_encoding encoding;
    unsigned hidden_layers, hidden_units;
    double dropout;       /* share of hidden units left out in a step           */
    double learning_rate; /* at its highest                                     */
    double weight_decay;  /* share of weights that goes in a step, times rate   */
    unsigned schedule;    /* epochs until the rate is 0                         */
    unsigned members;     /* networks of an ensemble, from seeds one after the other */
    uint64_t seed;
};

/* Steps of an epoch over so many rows: at least one, and some even in small files. */
size_t network_steps(size_t rows);

/* Fits an ensemble for `epochs` (at most options->schedule). `features`: of the columns, or
 * NULL (network_inputs_fit()). ERR_INVALID (DataInvalid) for too many columns and when the
 * loss leaves all bounds, which a smaller learning rate mends. */
int network_fit(const struct network_options *options, const struct features *features,
                struct matrix train, const uint8_t *labels, unsigned epochs,
                struct network *ret_network, struct err *err) __attribute__((warn_unused_result));

/* Mean log-loss on other rows after each epoch. */
struct network_curve {
    double *losses;
    size_t count;
};
void network_curve_release(struct network_curve *curve);

/* Fits one member (seed: options->seed) until the schedule or `patience` epochs without a
 * lower loss end it. A loss that is no number counts as INFINITY. */
int network_search(const struct network_options *options, const struct features *features,
                   struct matrix train, const uint8_t *labels, struct matrix validation,
                   const uint8_t *validation_labels, unsigned patience,
                   struct network_curve *ret_curve, struct err *err)
    __attribute__((warn_unused_result));
