/* shap_leaf.h - what one leaf adds to the features of its path (shap.h); private to
 * the explanation of forests. */
#pragma once

#include <stddef.h>

#define SHAP_PATH  64                    /* splits above a leaf, as forest_check() allows */
#define SHAP_NODES ((SHAP_PATH + 1) / 2) /* of a quadrature */
#define SHAP_CASES 8                     /* that are worked out together */

/* A number for each case. */
typedef double shap_cases __attribute__((vector_size(8 * SHAP_CASES)));

/* Nodes and weights on (0, 1) of Gauss-Legendre quadrature, for each count. */
struct shap_quadrature {
    double nodes[SHAP_NODES + 1][SHAP_NODES], weights[SHAP_NODES + 1][SHAP_NODES];
};
void shap_quadrature_init(struct shap_quadrature *quadrature);

/* `count` features with share `absent` (z) and in each case outcome `present` (o, 1
 * or 0) each; adds to ret_values[i] what the i-th gets from a leaf of value `value`. The
 * product of all factors but one comes from products from both ends: a factor may be 0. */
static inline __attribute__((always_inline)) void shap_leaf_add(
    const struct shap_quadrature *quadrature, const double *absent, const shap_cases *present,
    size_t count, double value, shap_cases *ret_values)
{
    size_t nodes = (count + 1) / 2;
    for (size_t k = 0; k < nodes; k++) {
        double t = quadrature->nodes[nodes][k], weight = value * quadrature->weights[nodes][k];
        shap_cases behind[SHAP_PATH + 1], before = (shap_cases){ 0 } + 1;
        behind[count] = before;
        for (size_t i = count; i-- > 0;)
            behind[i] = behind[i + 1] * (present[i] * t + absent[i] * (1 - t));
        for (size_t i = 0; i < count; i++) {
            ret_values[i] += weight * (present[i] - absent[i]) * before * behind[i + 1];
            before *= present[i] * t + absent[i] * (1 - t);
        }
    }
}
