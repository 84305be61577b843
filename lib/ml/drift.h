/* drift.h - is the weekly file still like the training data?
 *
 * The distribution of every source column (features.h) and of the score is
 * binned at training: up to DRIFT_BINS quantile bins and one for missing values
 * of a number; one per known level and one for all others of a category. The
 * population stability index of a column is
 *   PSI = sum over bins (a - e) ln(a / e)
 * with the shares e at training and a in the weekly file (Siddiqi, Credit Risk
 * Scorecards, 2006). Below 0.1 is stable, above 0.25 shifted. Each count is
 * raised by DRIFT_SMOOTHING so that an empty bin gives a large value, not an
 * infinite one. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ml/features.h"

#define DRIFT_BINS      10
#define DRIFT_SMOOTHING 0.5

struct drift_column {
    char *name;
    enum value_type type;
    double *edges; /* numbers: bin i holds edges[i-1] < x <= edges[i] */
    size_t edge_count;
    size_t bin_count;   /* the last bin: missing, or other levels */
    uint64_t *expected; /* bin_count counts at training */
};

struct drift {
    struct drift_column *columns; /* one per source, then the score */
    size_t count;
    size_t bin_total; /* of all columns: the length of a count array */
};
void drift_release(struct drift *drift); /* safe on a zeroed struct */
#define auto_drift __attribute__((cleanup(drift_release)))

/* `values`: row_count decoded rows (features_decode_rows()); `scores`: the
 * model's probability of each, in [0, 1]. */
void drift_fit(const struct features *features, const double *values, const double *scores,
               size_t row_count, struct drift *ret_drift);

/* Adds one row to `counts` (bin_total items, zero at first). Count arrays of
 * threads are merged by adding them. */
void drift_count(const struct drift *drift, const double *values, double score, uint64_t *counts);

/* PSI of one column; 0 when nothing was counted. */
double drift_psi(const struct drift *drift, const uint64_t *counts, size_t column);

/* The largest `maximum` PSIs of source columns, largest first; equal ones by
 * name. Returns how many. */
struct drift_figure {
    const char *name; /* borrowed from drift */
    double psi;
};
size_t drift_largest(const struct drift *drift, const uint64_t *counts, size_t maximum,
                     struct drift_figure *ret_figures);
static inline size_t drift_score_column(const struct drift *drift)
{
    return drift->count - 1;
}

/* {"columns": [{"name", "type", "edges", "expected"}]}. New reference. */
json_t *drift_to_json(const struct drift *drift) __attribute__((warn_unused_result));
/* The columns must be those of `features`, in order, then the score. */
int drift_from_json(const json_t *json, const struct features *features, struct drift *ret_drift,
                    struct err *err) __attribute__((warn_unused_result));
