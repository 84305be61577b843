/* search_steps.h - the parts of search.h; included by search*.c only. */
#pragma once

#include <stdatomic.h>

#include "ml/search.h"
#include "ml/symmetric.h"

/* One fold as two matrices: rows to learn from and rows to be judged on. Tasks
 * make their own, so that only as many copies exist as there are threads. */
struct fold_data {
    float *train_values, *validation_values;
    struct matrix train, validation;
    uint8_t *train_labels, *validation_labels;
    uint32_t *validation_rows; /* their places in the whole matrix */
};

struct search {
    const struct search_request *request;
    struct matrix matrix;
    const uint8_t *labels;
    const uint8_t *fold;
    unsigned fold_count;
    const int8_t *monotone; /* of the columns (boost.h); NULL: all are free */
    atomic_size_t done;     /* units of work, for progress */
    size_t total;
};

/* Takes every `stride`-th row. */
void fold_data_init(struct fold_data *data, const struct search *search, unsigned number,
                    size_t stride);
void fold_data_release(struct fold_data *data);
#define auto_fold_data __attribute__((cleanup(fold_data_release)))

/* What one algorithm came up with: candidates, finals first, and the margins of those that have a
 * weight. */
struct finalist {
    struct candidate candidates[SEARCH_CANDIDATES];
    size_t count;
    double *margins; /* out of fold, owned                        */
    char note[256];  /* sentences for the report, with a blank behind each */
};

void search_progress(struct search *search);

/* Number of units of work that each will report; 0: it is not tried. */
size_t search_boost_work(const struct search *search);
size_t search_linear_work(const struct search *search);
size_t search_network_work(const struct search *search);

int search_boost(struct search *search, struct finalist *ret_finalist, struct err *err)
    __attribute__((warn_unused_result));
int search_linear(struct search *search, struct finalist *ret_finalist, struct err *err)
    __attribute__((warn_unused_result));
int search_network(struct search *search, struct finalist *ret_finalist, struct err *err)
    __attribute__((warn_unused_result));

/* Best first; equal ones in the order of trying. */
void search_sort(struct candidate *candidates, size_t count);

/* --- rounds of boosting (search_rounds.c) ----------------------------------- */

/* All candidates x folds, each until it stops early or has maximum_trees. */
struct round_search {
    struct search *search;
    struct candidate *candidates; /* gets rounds and log_loss */
    size_t count;
    unsigned maximum_trees, patience;
    size_t stride; /* of rows */
    /* After the first `race_folds`, candidates whose loss there is more than `hopeless` times the
     * least are out: their log_loss is the best one's times how far they are behind. 0, and always
     * with margins: all are tried on all folds. */
    unsigned race_folds;
    double hopeless;
    double *margins;            /* candidate x row, out of fold; NULL when only losses matter */
    struct boost_curve *curves; /* candidate x fold, while it runs                          */
    size_t *rows;               /* the same: rows that were judged */
    struct trees_fit *fits;     /* the same, or NULL              */
    size_t *tasks;              /* places in these                */
};
int round_search_run(struct round_search *round, struct err *err)
    __attribute__((warn_unused_result));

/* What symmetric_train() takes for a matrix of so many columns. */
struct symmetric_options candidate_symmetric(const struct candidate *candidate, size_t columns);
