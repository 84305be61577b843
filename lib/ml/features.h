/* features.h - from typed columns to the float vector that models take.
 *
 * Fitted on training rows only and saved inside model.json, so that scoring does
 * exactly what training did.
 *   Numeric, Boolean: one feature, missing stays NaN; numbers are cut at
 *     +-FEATURES_LARGEST.
 *   Categorical: one feature per level (one-hot), for the FEATURES_LEVELS most
 *     frequent levels of at least FEATURES_LEVEL_ROWS rows; the others share one
 *     feature "other", which exists when there are such rows. A level never seen
 *     counts as other; without that feature it is all zeros.
 *   Categorical with more levels than that: also one feature with the smoothed
 *     share of positives of the level, (positives + m p) / (rows + m), m =
 *     FEATURES_SMOOTHING, p the share over all rows (Micci-Barreca, SIGKDD
 *     Explorations 3(1), 2001). Training rows get the share over the OTHER inner
 *     folds, so that no row sees its own label.
 *
 * "Source" is a column of the file, "feature" one item of the vector. A row is
 * decoded to one double per source (a categorical source: its level number,
 * levels.count when not known), which drift.h counts, and then encoded to floats.
 * Everything but fitting is const and may be shared by threads. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ml/csv.h"
#include "ml/table.h"

#define FEATURES_LEVELS     32
#define FEATURES_LEVEL_ROWS 5
#define FEATURES_SMOOTHING  20.0
/* A float that survives doubling, which XGBoost does to find the end of a bin. */
#define FEATURES_LARGEST 1e37F

struct feature_source {
    char *name; /* of the column */
    enum value_type type;
    struct dictionary levels; /* Categorical: known levels, most frequent first   */
    uint32_t hot_count;       /* Categorical: the first so many have a feature    */
    bool has_other;           /* Categorical: and the rest share one              */
    double *shares;           /* NULL, or levels.count + 1 (the last: never seen) */
    size_t first_feature, feature_count;
    int8_t monotone; /* the direction that trees keep to (boost.h); of training, not saved */
};

struct feature {
    char *name;    /* "Age", "Geography=France", "Geography=(other)", "Zip (share)" */
    size_t source; /* index into sources */
};

struct features {
    struct feature_source *sources;
    size_t source_count;
    struct feature *items;
    size_t count; /* length of an encoded row */
};
void features_release(struct features *features); /* safe on a zeroed struct */
#define auto_features __attribute__((cleanup(features_release)))

/* Learns from the given rows of a table. DataInvalid when no column is left. */
int features_fit(const struct table *table, const uint32_t *rows, size_t row_count,
                 struct features *ret_features, struct err *err)
    __attribute__((warn_unused_result));

enum features_use {
    FEATURES_TRAINING, /* the rows that features_fit() learned from            */
    FEATURES_SCORING,  /* any other rows                                       */
};

/* Encodes rows of a table, any number of them at a time. Columns are found by name: the table may
 * be another file than the one of features_fit(); DataInvalid when it lacks one, or has it with
 * another type. For FEATURES_TRAINING `rows` must be those of features_fit(). Borrows features,
 * table and rows. Read-only once made. */
struct row_encoder;
struct row_encoder *row_encoder_new(const struct features *features, const struct table *table,
                                    const uint32_t *rows, size_t row_count, enum features_use use,
                                    struct err *err) __attribute__((warn_unused_result));
void row_encoder_free(struct row_encoder *encoder); /* NULL is fine */
void row_encoder_cleanup(struct row_encoder **encoder);
#define auto_row_encoder __attribute__((cleanup(row_encoder_cleanup)))

/* rows[first .. first + count - 1] as count x features->count floats. */
void row_encoder_encode(const struct row_encoder *encoder, size_t first, size_t count,
                        float *ret_matrix);

/* All rows at once: as a row-major matrix of row_count x features->count floats. */
int features_encode_rows(const struct features *features, const struct table *table,
                         const uint32_t *rows, size_t row_count, enum features_use use,
                         float *ret_matrix, struct err *err) __attribute__((warn_unused_result));

/* The direction of each feature, as boosters take it; the caller frees. NULL when all are free. */
int8_t *features_monotone(const struct features *features) __attribute__((warn_unused_result));

/* The same rows decoded: row_count x source_count doubles, for drift_fit(). */
int features_decode_rows(const struct features *features, const struct table *table,
                         const uint32_t *rows, size_t row_count, double *ret_values,
                         struct err *err) __attribute__((warn_unused_result));

/* --- scoring ---------------------------------------------------------------- */

/* Which cell of a record belongs to each source. Other columns are ignored. The
 * caller frees the array. DataInvalid (csv_find) names the missing column. */
int features_match(const struct features *features, const struct csv_reader *reader,
                   size_t **ret_cells, struct err *err) __attribute__((warn_unused_result));

/* One record to source_count doubles. False when a cell does not fit the type of
 * its column; *ret_fault then says which. *unseen counts levels that no feature
 * stands for. */
bool features_decode(const struct features *features, const size_t *cells,
                     const struct csv_record *record, double *ret_values,
                     struct row_fault *ret_fault, uint64_t *unseen);

/* source_count decoded doubles to `count` floats. */
void features_encode(const struct features *features, const double *values, float *ret_row);

/* --- in model.json ---------------------------------------------------------- */

/* {"sources": [{"name", "type", "levels", "hot", "other", "shares"}]}. New. */
json_t *features_to_json(const struct features *features) __attribute__((warn_unused_result));
int features_from_json(const json_t *json, struct features *ret_features, struct err *err)
    __attribute__((warn_unused_result));
