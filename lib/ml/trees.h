/* trees.h - the trees of a gradient boosting model, ready to score and explain. */
#pragma once

#include <pthread.h>

#include "ml/features.h"
#include "ml/forest.h"
#include "ml/shap.h"

struct trees {
    struct forest forest;
    uint32_t *sources; /* of each feature: the source column that it was made of */
    size_t source_count;
    pthread_mutex_t lock; /* of shap, until it is there */
    struct shap *shap;    /* NULL until trees_shap() was called */
};

/* From the bytes of booster.ubj. ERR_INVALID (DataInvalid) when they are no sound
 * model over these features, which are not needed afterwards. Threads may share it. */
struct trees *trees_new(struct span bytes, const struct features *features, struct err *err)
    __attribute__((warn_unused_result));
void trees_free(struct trees *trees); /* NULL is fine */

/* What gives contributions per source column. The first call makes its tables, which takes
 * longer than reading the trees and megabytes: who wants margins only does not pay for it. Any
 * thread; lives as long as the trees. */
const struct shap *trees_shap(struct trees *trees) __attribute__((returns_nonnull));
