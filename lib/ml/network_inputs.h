/* network_inputs.h - what a neural network sees of a row.
 *
 * A number becomes its normal quantile, or the places of its value between knots
 * that lie evenly by rank, one input for each pair of knots:
 *
 *   input t = 0 below knot t, 1 above knot t + 1, a straight line between
 *
 * (piecewise linear encoding: Gorishniy, Rubachev and Babenko, On Embeddings for
 * Numerical Features in Tabular Deep Learning, NeurIPS 2022). Numbers of two values
 * and the levels of categories stay as they are. Every input is shifted to a mean
 * of 0 over the training rows; a missing value counts as the mean, and where missing
 * is frequent enough it has an input of its own. So the row of all zeros is the
 * average customer.
 *
 * Learned from training rows only; constant afterwards and shared by threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ml/boost.h"
#include "ml/features.h"
#include "ml/quantiles.h"

#define NETWORK_KNOTS          11   /* 10 inputs for a number, fewer for fewer values   */
#define NETWORK_FEATURES       1024 /* more are refused: each has its weights per unit  */
#define NETWORK_INPUTS_MAXIMUM 8192 /* of them together; wide files get fewer knots     */
/* Standardised inputs further out are cut: such rows are mistakes more often than not. */
#define NETWORK_INPUT_LARGEST 100.0F

enum network_encoding { NETWORK_QUANTILES, NETWORK_PIECEWISE };
extern const char *const network_encoding_names[]; /* "normal quantiles", "piecewise linear" */

/* One encoded feature. */
struct network_input {
    struct quantile_map map; /* no quantiles: piecewise linear; no knots: as it is */
    size_t first, width;     /* its places in the prepared row                     */
    bool indicator;          /* the last of them says that the value is missing    */
};

struct network_inputs {
    struct network_input *items;
    size_t count;            /* encoded features                          */
    size_t width;            /* length of a prepared row                  */
    float *centres, *scales; /* prepared value = (mapped - centre) x scale */
};
void network_inputs_release(struct network_inputs *inputs); /* safe on a zeroed struct */

/* `features`: says which columns of `train` are levels of one category; NULL: none. ERR_INVALID
 * (DataInvalid) for more than NETWORK_FEATURES columns. */
int network_inputs_fit(struct matrix train, const struct features *features,
                       enum network_encoding encoding, struct network_inputs *ret_inputs,
                       struct err *err) __attribute__((warn_unused_result));

/* Gives each input its place, once maps and indicators are known. False: there are too many. */
bool network_inputs_lay_out(struct network_inputs *inputs) __attribute__((warn_unused_result));

/* One row of `count` floats (NAN: missing) to `width` floats. */
void network_prepare(const struct network_inputs *inputs, const float *values, float *ret_row);
