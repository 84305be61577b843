/* search_steps.h - the parts of search.h; included by search*.c only. */
#pragma once

#include <stdatomic.h>

#include "ml/search.h"

/* One fold as two matrices: rows to learn from and rows to be judged on. */
struct fold_data {
    float *train_values, *validation_values;
    struct matrix train, validation;
    uint8_t *train_labels, *validation_labels;
    uint32_t *validation_rows; /* their places in the whole matrix */
};

struct search {
    const struct search_request *request;
    struct fold_data *folds;
    unsigned fold_count;
    size_t rows;
    const uint8_t *labels;
    atomic_size_t done; /* units of work, for progress */
    size_t total;
};

/* What one algorithm came up with. candidates[0] is its finalist. */
struct finalist {
    struct candidate candidates[SEARCH_CANDIDATES];
    size_t count;
    double *margins; /* out of fold, owned */
};

void search_progress(struct search *search);

/* Number of units of work that each will report. */
size_t search_boost_work(const struct search *search);
size_t search_linear_work(const struct search *search);

int search_boost(struct search *search, struct finalist *ret_finalist, struct err *err)
    __attribute__((warn_unused_result));
int search_linear(struct search *search, struct finalist *ret_finalist, struct err *err)
    __attribute__((warn_unused_result));

/* Best first; equal ones in the order of trying. */
void search_sort(struct candidate *candidates, size_t count);
