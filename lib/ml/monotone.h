/* monotone.h - the values of a symmetric tree's leaves, never against a direction.
 *
 * A leaf is `depth` bits, bit i saying whether a row goes right at question i (symmetric_grow.h).
 * Where the question is about a column of which more may only mean more (or only less), the leaf
 * with the bit must not be below (above) the one that differs in this bit alone. Of all values that
 * keep this, about the nearest to what the leaves would have alone are taken, in weighted squares:
 * isotonic regression (Barlow and others, Statistical Inference under Order Restrictions, 1972) by
 * Dykstra's alternating projections (JASA 78(384), 1983), then rounded up to what holds exactly.
 * A sum of trees that keep to a direction keeps to it, and so does what rises with the sum. */
#pragma once

#include <stdint.h>

/* `directions`: of each question, 1 (more means more), -1 (more means less) or 0 (as it comes).
 * `weights`, one per leaf, are positive. Changes the 2^depth values in place. */
void monotone_project(double *values, const double *weights, int depth, const int8_t *directions);
