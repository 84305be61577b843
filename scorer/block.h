/* block.h - some rows of the weekly file on their way to output lines.
 *
 * A thread that works on a block brings its own model session. The results depend
 * only on the block's rows, never on which thread works on it. */
#pragma once

#include "base/buf.h"
#include "ml/model.h"
#include "scorer/ids.h"

/* Rows of a block: enough for the model to work well, few enough for the cells of
 * a wide file to stay small. */
#define BLOCK_ROWS  1024
#define BLOCK_CELLS (64 * 1024)

/* What to do with every row; shared by all threads, read-only. */
struct block_plan {
    const struct model *model;
    const struct csv_reader *reader;
    size_t *source_cells;  /* features_match()                       */
    size_t id_cell;        /* SIZE_MAX: the model knows no id        */
    size_t *carried_cells; /* columns copied to the output           */
    size_t carried_count;
    size_t reasons;
    double threshold;
    size_t rows; /* of a block at most */
};

/* Finds the columns in the weekly file's header. `columns`: to be carried.
 * DataInvalid names a missing column. The reader and model are borrowed. */
int block_plan_init(struct block_plan *plan, const struct model *model,
                    const struct csv_reader *reader, const struct strings *columns, size_t reasons,
                    double threshold, struct err *err) __attribute__((warn_unused_result));
void block_plan_release(struct block_plan *plan);

/* "CustomerId,Surname,churn_probability,churn_prediction,reason_1" and newline. */
void block_append_header(const struct block_plan *plan, struct buf *out);

struct block {
    const struct block_plan *plan;
    struct csv_block csv; /* filled by the reader */
    /* results of block_score() */
    struct buf output, rejects;
    struct id_key *ids;     /* one per scored row          */
    double *probabilities;  /* one per scored row          */
    uint64_t *drift_counts; /* of this block               */
    size_t scored, rejected, unseen;
    struct row_fault first_fault;
    /* scratch */
    struct span *cells; /* of the scored rows: plan columns */
    uint64_t *lines;
    double *values;
    float *encoded;
    struct score_reason *found;
};

void block_init(struct block *block, const struct block_plan *plan);
void block_release(struct block *block); /* safe on a zeroed block */

/* Everything from the CSV text to output lines. The session is of the plan's model. */
int block_score(struct block *block, struct model_session *session, struct err *err)
    __attribute__((warn_unused_result));
