/* folds.h - who is held out, and which fold of the cross-validation a row is in.
 *
 * Membership follows from customer ids and the seed alone, not from the order of
 * rows or what else is in the file, so another training on newer data holds out
 * the same customers. A model must not be tested on a copy of what it learned: rows
 * that are equal but for their id are dealt to one fold, and a held-out row that
 * repeats one of the training part is neither learned from nor measured. Where more
 * than FOLDS_COPIES_SHARE of the rows are such repeats, the columns simply have few
 * values, and every row goes its own way.
 *
 * A search among recipes fits hundreds of models; it learns from FOLDS_SEARCHED rows of the
 * training part where there are more: the same share of each class, drawn by the seed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ml/table.h"

/* In fold[]: not in any fold. */
#define FOLD_HOLDOUT UINT8_MAX
#define FOLD_COPY    (UINT8_MAX - 1) /* held out, but a copy of a row to learn from */

#define FOLDS_COPIES_SHARE 0.2
#define FOLDS_SEARCHED     200000
#define FOLDS_ROW_BYTES    33 /* what dealing takes */

struct folds {
    uint8_t *fold; /* per row of the table: 0 .. fold_count - 1, or one of the above */
    unsigned fold_count;
    uint32_t *training, *holdout; /* row numbers, ascending, without FOLD_COPY */
    size_t training_count, holdout_count;
    uint32_t *searched; /* rows of training, ascending: all of them or a sample */
    size_t searched_count;
    size_t duplicates; /* rows that repeat another one but for the id; 0 for too many */
    size_t copies;     /* rows of FOLD_COPY */
};

/* A customer is held out when SHA-256(seed, id) as a fraction of its range is
 * below `share`. The others are dealt to folds within their class (stratified), in
 * the order of their hashes. */
void folds_init(struct folds *folds, const struct table *table, int64_t seed, double share,
                unsigned fold_count);
/* The lists of rows from fold[], for folds that were saved and read again. */
void folds_list(struct folds *folds, const struct table *table, int64_t seed);
void folds_release(struct folds *folds); /* safe on a zeroed struct */
#define auto_folds __attribute__((cleanup(folds_release)))
