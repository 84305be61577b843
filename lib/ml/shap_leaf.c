#include "ml/shap_leaf.h"

#include <math.h>

/* The Legendre polynomial of degree `degree` at x, and its derivative. */
static double legendre(size_t degree, double x, double *ret_slope)
{
    double before = 1, value = x;
    for (size_t i = 2; i <= degree; i++) {
        double next = ((double)(2 * i - 1) * x * value - (double)(i - 1) * before) / (double)i;
        before = value;
        value = next;
    }
    *ret_slope = (double)degree * (x * value - before) / (x * x - 1);
    return value;
}

/* Roots by Newton's method from Chebyshev's: Press et al., Numerical Recipes, 4.6. */
static void init_count(size_t count, double *nodes, double *weights)
{
    for (size_t i = 0; i < count; i++) {
        double x = cos(M_PI * ((double)i + 0.75) / ((double)count + 0.5)), slope = 1;
        for (int step = 0; step < 8; step++)
            x -= legendre(count, x, &slope) / slope;
        (void)legendre(count, x, &slope);
        nodes[i] = (1 + x) / 2;
        weights[i] = 1 / ((1 - x * x) * slope * slope);
    }
}

void shap_quadrature_init(struct shap_quadrature *quadrature)
{
    quadrature->nodes[1][0] = 0.5;
    quadrature->weights[1][0] = 1;
    for (size_t count = 2; count <= SHAP_NODES; count++)
        init_count(count, quadrature->nodes[count], quadrature->weights[count]);
}
