/* trees.h - the trees of a gradient boosting model, ready to score and explain. */
#pragma once

#include "ml/features.h"
#include "ml/forest.h"
#include "ml/shap.h"

struct trees {
    struct forest forest;
    struct shap *shap; /* contributions per source column */
};

/* From the bytes of booster.ubj. ERR_INVALID (DataInvalid) when they are no sound
 * model over these features. Does not change afterwards: threads may share it. */
struct trees *trees_new(struct span bytes, const struct features *features, struct err *err)
    __attribute__((warn_unused_result));
void trees_free(struct trees *trees); /* NULL is fine */
