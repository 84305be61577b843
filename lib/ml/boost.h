/* boost.h - gradient boosted trees, trained by libxgboost. What is published is scored
 * and explained by forest.h and shap.h; here are also the slow ways that tests compare
 * those with.
 *
 * Matrices are row-major floats, NAN means missing. Every booster works on one
 * thread, so the same input gives the same trees on any machine; parallel work
 * is several boosters (parallel.h). A booster must not be used by two threads at
 * once. Boosters score margins: log-odds before calibration. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "ml/row_source.h"

/* One training. Rows and columns are never sampled, so no seed is needed.
 * https://xgboost.readthedocs.io/en/release_1.7.0/parameter.html */
struct boost_options {
    int max_depth;
    double min_child_weight; /* least sum of row weights p (1 - p) in a leaf */
    double learning_rate;
    double lambda; /* L2 penalty of leaf values */
    /* Of each column: more of it never lowers the margin (1), never raises it (-1), or does as it
     * comes (0). NULL: all are free. Borrowed. */
    const int8_t *monotone;
};

struct booster;

/* Fits exactly `rounds` trees. Labels are 0 or 1. Of the rows XGBoost keeps quantised columns
 * only. */
struct booster *booster_train(const struct boost_options *options, struct row_source train,
                              const uint8_t *labels, unsigned rounds, struct err *err)
    __attribute__((warn_unused_result));
void booster_free(struct booster *booster); /* NULL is fine */
void booster_cleanup(struct booster **booster);
#define auto_booster __attribute__((cleanup(booster_cleanup)))

/* Log-loss on validation rows after 1, 2, ... trees. */
struct boost_curve {
    double *losses; /* owned */
    size_t count;
};
void boost_curve_release(struct boost_curve *curve); /* safe on a zeroed struct */

/* Adds trees until `patience` of them in a row brought no new lowest log-loss on
 * the validation rows, or there are `maximum_rounds`. The booster keeps all
 * trees. ret_booster may be NULL when only the curve matters. */
int booster_search(const struct boost_options *options, struct matrix train,
                   const uint8_t *train_labels, struct matrix validation,
                   const uint8_t *validation_labels, unsigned maximum_rounds, unsigned patience,
                   struct boost_curve *ret_curve, struct booster **ret_booster, struct err *err)
    __attribute__((warn_unused_result));

/* Margins by the first `rounds` trees; all of them for 0 or when there are fewer. */
int booster_margins(struct booster *booster, struct matrix matrix, unsigned rounds,
                    double *ret_margins, struct err *err) __attribute__((warn_unused_result));

/* Exact SHAP values of the margins: rows x (columns + 1) floats, the last of a row
 * being the base value. *ret_values is borrowed from the booster until it is used
 * again. */
int booster_contributions(struct booster *booster, struct matrix matrix, const float **ret_values,
                          struct err *err) __attribute__((warn_unused_result));

/* XGBoost's UBJSON format; equal boosters give equal bytes. The caller frees. */
int booster_save(struct booster *booster, char **ret_bytes, size_t *ret_size, struct err *err)
    __attribute__((warn_unused_result));
/* ERR_INVALID (DataInvalid) when the bytes are no sound booster over `columns`
 * features (forest_check.h). */
struct booster *booster_load(struct span bytes, size_t columns, struct err *err)
    __attribute__((warn_unused_result));
