/* features_build.h - what the parts of features.h share; nobody else includes it. */
#pragma once

#include "ml/features.h"

/* Places and names of the features once all sources are set. */
void features_lay_out(struct features *features);

/* Replaces the share feature of source `index` by the share over the other inner
 * folds; `values` are the decoded rows. */
void features_inner_shares(const struct features *features, size_t index, const struct table *table,
                           const uint32_t *rows, size_t row_count, const double *values,
                           float *matrix);
