/* logistic.h - probabilities of many margins at once.
 *
 * 1 / (1 + exp(-x)) in floats, with a relative error below 1e-5 for margins of up to +-80; beyond,
 * as for 80. No calls and no branches, so that rows go through side by side; with AVX2 where the
 * processor has it, and the same bits without. */
#pragma once

#include <stddef.h>

/* `margins` and `ret_probabilities` may be the same. */
void logistic_rows(const float *margins, size_t count, float *ret_probabilities);

/* For tests: without AVX2. */
void logistic_rows_portable(const float *margins, size_t count, float *ret_probabilities);
