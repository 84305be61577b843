/* symmetric_grow.h - the splits of one symmetric tree; included by symmetric*.c and its test only.
 *
 * All leaves of a level are split by the same condition, so a tree of depth d is d conditions, and
 * bit i of a row's leaf says whether it went right at condition i. A level's condition is the one
 * with the greatest
 *
 *     sqrt(sum over leaves and their two sides of G^2 / (H + lambda)) + noise
 *
 * over all bins of the tree's columns, G and H being the sums of the drawn rows' gradients and
 * hessians: the second-order gain of Chen and Guestrin (XGBoost, KDD 2016, equation 7) of all
 * leaves together. Its root is, like CatBoost's score (Prokhorenkova and others, NeurIPS 2018,
 * section 4), of the size of one standard deviation where there is nothing to learn; the noise,
 * which keeps trees from agreeing on what is only luck, is in that unit. A leaf whose sides would
 * go against the direction of a column counts as if it were not split.
 *
 * Gradients and hessians are summed as integers (two halves of 64 bits, scaled so that the sums of
 * a tree fit), so a histogram does not depend on the order of rows, and that of the larger of two
 * siblings is exactly their parent's less the smaller's: only half of the rows are visited. */
#pragma once

#include "base/random.h"
#include "ml/bins.h"
#include "ml/symmetric.h"

/* Which rows go right: those in bins above `bin`; of a bundle those in `bin`. */
struct symmetric_condition {
    uint32_t column, bin;
    bool missing_left;
};

struct grower {
    const struct bins *bins;
    const struct symmetric_options *options;
    struct random random;
    uint8_t *leaves; /* of every row, after grower_grow() */
    /* of the drawn rows */
    uint32_t *rows, *chosen; /* chosen: places in rows, of a histogram */
    uint64_t *sums;          /* gradient (upper half, signed) and hessian, scaled */
    size_t row_count, drawn_count;
    double gradient_scale, hessian_scale;
    uint32_t *columns; /* the drawn ones come first */
    size_t drawn_columns;
    /* histograms: bins x width sums, leaf by leaf */
    uint64_t *parents, *children, *smaller;
    size_t width;
    bool portable; /* for tests: without AVX2 */
};

void grower_init(struct grower *grower, const struct bins *bins,
                 const struct symmetric_options *options);
void grower_release(struct grower *grower);
#define auto_grower __attribute__((cleanup(grower_release)))

/* Fills options->depth conditions and grower->leaves. `noise`: its standard deviation. */
void grower_grow(struct grower *grower, const float *gradients, const float *hessians, double noise,
                 struct symmetric_condition *ret_conditions);
