/* training.h - one training: what is known so far, and the stages that add to it.
 *
 * Ingest, Split, Fit, Calibrate, Evaluate, Explain, Package: each stage reads what
 * the stages before it left in struct training and adds its own part. Run one
 * after the other in memory they are `churn-trainer --job FILE`; with the state
 * written to files between them (state.h) they are `churn-trainer STAGE`.
 * Both give the same bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "contract/job.h"
#include "contract/result.h"
#include "ml/folds.h"
#include "ml/model.h"
#include "ml/search.h"
#include "ml/table.h"
#include "trainer/figures.h"
#include "trainer/history.h"

/* Fewer rows or customers of one kind than this teach nothing. */
#define TRAINING_ROWS_MINIMUM  50
#define TRAINING_CLASS_MINIMUM 10
/* Below these the result is given with a warning. */
#define TRAINING_ROWS_FEW  200
#define TRAINING_CLASS_FEW 20

#define TRAINING_WARNINGS 64

/* The new version and the one in use on the same held-out customers (contest.h). */
struct contest {
    size_t rows; /* that both have read; 0: there is nothing to compare */
    struct figures challenger;
    struct figures champion; /* count 0: there is none, or it was skipped */
    const char *skipped;     /* "ComparisonSkipped: why"; NULL: it was not */
};

struct training {
    struct arena arena; /* owns every string below */
    struct train_job job;
    unsigned threads;
    uint64_t memory;       /* bytes that it may take; 0: any */
    struct stores *stores; /* borrowed; NULL: file:// only */
    /* Of the stage, as progress_update() takes it; may be NULL. */
    void (*progress)(void *context, uint64_t done, uint64_t total, uint64_t rows);
    void *progress_context;

    const char *warnings[TRAINING_WARNINGS];
    size_t warning_count;

    /* Ingest */
    struct history history;
    struct table table;
    /* Split */
    struct folds folds;
    /* Fit */
    struct search_result search;
    struct model evaluation; /* fitted without the held-out customers    */
    struct model final;      /* the same recipe, fitted on all rows      */
    /* Calibrate: calibration and threshold of both models */
    /* Evaluate */
    double *holdout_margins; /* of evaluation, one per held-out row      */
    struct figures figures;
    /* Explain: of each source of `final`, its mean absolute contribution, and how
     * much that goes up (1) or down (-1) with its value; 0 for categories */
    double *importance, *direction;
    /* The largest distance of a log-odds from the sum of its reasons and their base */
    double additivity_error;
    /* Package */
    struct contest contest;
    const char *version_uri;
    char document_sha256[SHA256_HEX]; /* of model.json */
};

void training_release(struct training *training); /* safe on a zeroed struct */
#define auto_training __attribute__((cleanup(training_release)))

/* Keeps one sentence for result and report, once: a stage that is run again says the same. The rest
 * is dropped when there are TRAINING_WARNINGS already. */
void training_warn(struct training *training, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- stages, in order ---------------------------------------------------- */

/* Resolves data.uri, reads, hashes and checks the file. */
int stage_ingest(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Holds out customers and deals the others to folds. */
int stage_split(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Chooses a recipe inside the training part; fits it without the hold-out and on
 * all rows. */
int stage_fit(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Platt scaling and threshold from out-of-fold predictions. */
int stage_calibrate(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Measures the evaluation model on the held-out customers. */
int stage_evaluate(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Which columns move the scores of the final model. */
int stage_explain(struct training *training, struct err *err) __attribute__((warn_unused_result));
/* Publishes the version folder. */
int stage_package(struct training *training, struct err *err) __attribute__((warn_unused_result));

/* --- shared by stages ---------------------------------------------------- */

/* Features learned from the given rows, with the directions that the job document gives. */
int training_fit_features(const struct training *training, const uint32_t *rows, size_t count,
                          struct features *ret_features, struct err *err)
    __attribute__((warn_unused_result));

/* The model's names, and its features learned from the given rows. */
int training_begin_model(const struct training *training, const uint32_t *rows, size_t count,
                         struct model *model, struct err *err) __attribute__((warn_unused_result));

/* Labels of the given rows; the caller frees. */
uint8_t *training_labels(const struct table *table, const uint32_t *rows, size_t count)
    __attribute__((returns_nonnull, warn_unused_result));

/* Encoded rows; the caller frees. NULL on failure. */
float *training_encode(const struct features *features, const struct table *table,
                       const uint32_t *rows, size_t count, enum features_use use, struct err *err)
    __attribute__((warn_unused_result));

/* 0, 1, 2, ... for all rows; the caller frees. */
uint32_t *training_all_rows(const struct table *table)
    __attribute__((returns_nonnull, warn_unused_result));
