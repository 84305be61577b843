/* shap_leaf.h - what one leaf adds to the features of its path (shap.h); private to
 * the explanation of forests. */
#pragma once

#include "ml/forest_check.h"

#define SHAP_PATH  64                    /* splits above a leaf, as forest_check() allows */
#define SHAP_NODES ((SHAP_PATH + 1) / 2) /* of a quadrature */

/* Nodes and weights on (0, 1) of Gauss-Legendre quadrature, for each count. */
struct shap_quadrature {
    double nodes[SHAP_NODES + 1][SHAP_NODES], weights[SHAP_NODES + 1][SHAP_NODES];
};
void shap_quadrature_init(struct shap_quadrature *quadrature);

/* `count` features with share `absent` and outcome `present` (o) each; adds to
 * ret_values[i] what the i-th gets from a leaf of value `value`. */
void shap_leaf_add(const struct shap_quadrature *quadrature, const double *absent,
                   const uint8_t *present, size_t count, double value, double *ret_values);
