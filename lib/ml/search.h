/* search.h - chooses algorithm, shape and length by cross-validation.
 *
 * All of it happens inside the training part. Gradient boosting goes in two steps: every shape of
 * symmetric trees (symmetric.h) and of XGBoost's (boost.h) with a large learning rate and early
 * stopping, those that are far behind after two folds on no more of them; then the best of each
 * kind that is worth it with a small rate, symmetric ones several times, and of what comes out a
 * blend (blend.h), whose trees are at most max_trees. Logistic regression tries every preparation
 * of inputs and penalty. `Auto` compares the finalist of each algorithm on out-of-fold predictions
 * and prefers trees unless another is clearly better: more than SEARCH_CLEARLY in log-loss and more
 * than one standard error of the paired difference.
 *
 * When features have directions (features.h), only trees keep to them, and only they may be tried.
 *
 * Neural networks try a few encodings and regularisations with one network each, and stop early;
 * the best becomes an ensemble. They take too long for `Auto` and are tried when they are asked
 * for.
 *
 * The result depends on data and request only, never on the number of threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ml/boost.h"
#include "ml/linear.h"
#include "ml/model.h"
#include "ml/network_train.h"

#define SEARCH_CLEARLY    0.001
#define SEARCH_CANDIDATES 48
#define SEARCH_TREES      600 /* of a model, unless the request says otherwise */

/* One recipe, and how well it did. */
struct candidate {
    enum model_algorithm algorithm;
    struct boost_options boost; /* GradientBoosting */
    bool is_symmetric;          /* then without min_child_weight */
    double noise;               /* of symmetric trees; they have a seed, too */
    uint64_t seed;
    unsigned rounds;
    enum linear_inputs inputs; /* LogisticRegression */
    double l2;
    struct network_options network; /* NeuralNetwork; rounds are epochs of its schedule */
    double log_loss;                /* mean over all rows, out of fold, before calibration */
    double weight;                  /* in the model; 0: it is no part of it                */
};

/* What the user fixed; NAN: to be chosen. */
struct search_request {
    bool try_boosting, try_linear, try_network;
    double max_depth, min_child_weight, learning_rate, max_trees, lambda, l2;
    double hidden_layers, hidden_units, dropout, weight_decay, epochs, ensemble;
    /* of the columns; NULL: networks take all as numbers, and nothing has a direction */
    const struct features *features;
    uint64_t seed;
    unsigned threads;
    /* Called from any thread after each unit of work, done of total; may be NULL. */
    void (*progress)(void *context, size_t done, size_t total);
    void *progress_context;
};
#define SEARCH_REQUEST_AUTO                                                                        \
    ((struct search_request){ .try_boosting = true,                                                \
                              .try_linear = true,                                                  \
                              .max_depth = NAN,                                                    \
                              .min_child_weight = NAN,                                             \
                              .learning_rate = NAN,                                                \
                              .max_trees = NAN,                                                    \
                              .lambda = NAN,                                                       \
                              .l2 = NAN,                                                           \
                              .hidden_layers = NAN,                                                \
                              .hidden_units = NAN,                                                 \
                              .dropout = NAN,                                                      \
                              .weight_decay = NAN,                                                 \
                              .epochs = NAN,                                                       \
                              .ensemble = NAN,                                                     \
                              .threads = 1 })

struct search_result {
    /* What was tried, by algorithm. Of each the finals, fitted with the final learning rates,
     * come first. */
    struct candidate candidates[SEARCH_CANDIDATES];
    size_t count;
    size_t chosen;   /* the one with the greatest weight; all with a weight are of its algorithm */
    char why[768];   /* a few sentences */
    double *margins; /* of the model, out of fold, one per row; owned */
};
void search_result_release(struct search_result *result); /* safe on a zeroed struct */
#define auto_search_result __attribute__((cleanup(search_result_release)))

/* `fold`: one number below fold_count per row. ERR_INVALID (DataInvalid) when
 * there are too many features for the only algorithm that is allowed. */
int search_run(const struct search_request *request, struct matrix matrix, const uint8_t *labels,
               const uint8_t *fold, unsigned fold_count, struct search_result *ret_result,
               struct err *err) __attribute__((warn_unused_result));

/* Fits what was chosen on all given rows, of which trees keep bins and the other algorithms a
 * matrix; fills algorithm, and weights, linear or network. */
int search_fit(const struct search_result *search, struct row_source source, const uint8_t *labels,
               struct model *model, struct err *err) __attribute__((warn_unused_result));

/* The same for one recipe alone, whatever its weight. */
int candidate_fit(const struct candidate *candidate, struct row_source source,
                  const uint8_t *labels, struct model *model, struct err *err)
    __attribute__((warn_unused_result));

/* "depth 4, leaf weight 5, lambda 1, rate 0.05, 212 trees" */
void candidate_describe(const struct candidate *candidate, char *ret_text, size_t size);
