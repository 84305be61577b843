/* symmetric.h - gradient boosted symmetric trees, trained by ourselves.
 *
 * Every level of a symmetric (oblivious) tree asks one question of all its leaves, as in CatBoost
 * (Prokhorenkova and others, CatBoost: unbiased boosting with categorical features, NeurIPS 2018;
 * Dorogush and others, CatBoost: gradient boosting with categorical features support, 2018,
 * arXiv 1810.11363). Such trees fit the training rows less closely than others of their size, are
 * quick to grow, and a leaf is found without walking. Log-loss; columns as bins (bins.h); each tree
 * sees a sample of rows and columns when it chooses its questions (symmetric_grow.h), all rows for
 * the values of its leaves: Newton steps of -G / (H + lambda), shrunk by the learning rate, and
 * kept to the directions of columns that have one (monotone.h).
 *
 * What comes out is a boosted forest like any other, in XGBoost's format.
 *
 * One training is one thread; the same input and seed give the same trees. Matrices are row-major
 * floats, NAN means missing. */
#pragma once

#include "ml/boost.h"

#define SYMMETRIC_DEPTH_MAXIMUM 8

struct symmetric_options {
    int depth; /* 1 .. SYMMETRIC_DEPTH_MAXIMUM */
    double learning_rate;
    double lambda;       /* L2 penalty of leaf values, > 0                      */
    double noise;        /* of scores, in standard deviations of pure chance      */
    double row_share;    /* of rows that choose questions, (0, 1]                  */
    double column_share; /* of columns that a tree may ask, (0, 1]                 */
    unsigned leaf_steps; /* Newton steps for the values of leaves, at least 1      */
    size_t bins;         /* of a column, 2 .. BINS_MAXIMUM                         */
    uint64_t seed;
    const int8_t *monotone; /* as in boost_options */
};

struct symmetric;
void symmetric_free(struct symmetric *symmetric); /* NULL is fine */
void symmetric_cleanup(struct symmetric **symmetric);
#define auto_symmetric __attribute__((cleanup(symmetric_cleanup)))

/* Fits exactly `rounds` trees. Labels are 0 or 1; both occur. */
struct symmetric *symmetric_train(const struct symmetric_options *options, struct row_source train,
                                  const uint8_t *labels, unsigned rounds)
    __attribute__((returns_nonnull, warn_unused_result));

/* As booster_search(): adds trees until `patience` of them in a row brought no new lowest log-loss
 * on the validation rows, or there are `maximum_rounds`; all of them are kept. */
struct symmetric *symmetric_search(const struct symmetric_options *options, struct matrix train,
                                   const uint8_t *train_labels, struct matrix validation,
                                   const uint8_t *validation_labels, unsigned maximum_rounds,
                                   unsigned patience, struct boost_curve *ret_curve)
    __attribute__((returns_nonnull, warn_unused_result));

/* Margins by the first `rounds` trees; all of them for 0 or when there are fewer. */
void symmetric_margins(const struct symmetric *symmetric, struct matrix matrix, unsigned rounds,
                       double *ret_margins);

/* XGBoost's UBJSON format. ERR_TOO_BIG beyond LIMIT_MODEL_WEIGHTS. The caller frees. */
int symmetric_save(const struct symmetric *symmetric, char **ret_bytes, size_t *ret_size,
                   struct err *err) __attribute__((warn_unused_result));
