/* features_build.h - what the parts of features.h share; nobody else includes it. */
#pragma once

#include "ml/features.h"

/* Places and names of the features once all sources are set. */
void features_lay_out(struct features *features);

#define FEATURES_INNER_FOLDS 5

/* Duplicates have one key, so they share a fold and do not tell on each other. */
static inline size_t features_inner_fold(const struct table *table, uint32_t row)
{
    return (size_t)(table->row_keys[row] >> 32) % FEATURES_INNER_FOLDS;
}

/* For each known level and inner fold the share over the other folds; `levels`: of each code of the
 * column. The caller frees. */
double *features_inner_shares(const struct feature_source *source, const struct column *column,
                              const uint32_t *levels, const struct table *table,
                              const uint32_t *rows, size_t row_count)
    __attribute__((returns_nonnull, warn_unused_result));
