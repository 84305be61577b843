/* table.h - a training file in memory: typed columns, ids and labels.
 *
 * The type of a column is inferred from the first rows, at most
 * TABLE_INFERENCE_ROWS, unless the job names it. Of the values that are not
 * missing (cell.h):
 *   boolean words only, true ones and false ones -> Boolean
 *   at least 90 % numbers                        -> Numeric (0/1 is a number)
 *   otherwise                                    -> Categorical
 * A cell that does not fit the type of its column makes its row a bad row, so
 * that a number column that turns into text is noticed. Bad rows (also ragged
 * ones, and rows without label or id) are left out with a warning up to
 * TABLE_TOLERATED_SHARE; more of them are DataInvalid, which names the first one
 * and their number.
 *
 * Left out with a warning, because they cannot help or only name a row: columns
 * with one value or none; dates, unless the job names the type of the column;
 * categories of which more than half of the rows have their own; whole numbers that
 * are all different (the last two from TABLE_IDLIKE_ROWS rows on). An id that occurs twice, and a
 * target that does not have exactly two values, the positive label among them, are DataInvalid.
 *
 * Values are packed (packed.h): about two bytes each, without loss. Rows keep the order of the
 * file. Read-only after table_read(), so threads may share it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/stream.h"
#include "ml/cell.h"
#include "ml/dictionary.h"
#include "ml/packed.h"

#define TABLE_INFERENCE_ROWS  10000
#define TABLE_TOLERATED_SHARE 0.01
#define TABLE_IDLIKE_ROWS     100

struct type_override {
    const char *name;
    enum value_type type;
};

struct table_options {
    const char *target, *positive_label;
    const char *id; /* NULL: rows are told apart by their line number */
    struct strings drop;
    struct strings sensitive; /* kept in groupings whatever else becomes of them */
    const struct type_override *overrides;
    size_t override_count;
    /* Called now and then with the rows that were read so far; may be NULL. */
    void (*progress)(void *context, uint64_t rows);
    void *progress_context;
};

enum column_role {
    ROLE_FEATURE, /* a column that models may use                            */
    ROLE_ID,      /* not stored here: table_id()                             */
    ROLE_TARGET,  /* not stored here: labels                                 */
    ROLE_DROPPED, /* named in options.drop                                   */
    ROLE_LEFT_OUT /* useless: `why` says it, and so does a warning           */
};

struct column {
    char *name;
    enum column_role role;
    enum value_type type;
    const char *why; /* ROLE_LEFT_OUT: "it has one value only"               */
    /* ROLE_FEATURE: row_count items. Numeric, Boolean: NaN is missing; Categorical: codes into
     * levels. */
    struct packed values;
    struct dictionary levels; /* "" is the missing category                  */
};

/* The text of every row in one column, whatever its role and type. */
struct grouping {
    size_t column;            /* index into columns                           */
    struct packed codes;      /* row_count items: into levels                 */
    struct dictionary levels; /* blanks around them trimmed; "" is missing    */
};

struct table {
    char *name;             /* of the file, for messages */
    struct column *columns; /* all columns of the file, in its order */
    size_t column_count;
    struct grouping *groupings; /* one for each of options.sensitive */
    size_t grouping_count;
    size_t row_count; /* good rows */
    size_t rejected;  /* bad rows */
    uint8_t *labels;  /* 1: positive */
    size_t positives;
    struct packed lines; /* of each row in the file: table_line() */
    uint64_t *row_keys;  /* equal for rows with equal values and label, to keep
                          * exact duplicates in one fold */
    char *id_text;       /* NUL-terminated ids, one after the other */
    struct packed id_offsets;
    char **warnings; /* one sentence each, naming file and column */
    size_t warning_count;
};
void table_release(struct table *table); /* safe on a zeroed table */
#define auto_table __attribute__((cleanup(table_release)))

/* Reads a whole CSV file (already decompressed). `name` is what messages call
 * it. On failure *ret_table is not touched. */
int table_read(const char *name, const struct byte_source *source,
               const struct table_options *options, struct table *ret_table, struct err *err)
    __attribute__((warn_unused_result));

/* The id of a row; the line number as text when the job names no id column. */
const char *table_id(const struct table *table, size_t row) __attribute__((returns_nonnull));

/* Its line in the file. */
static inline uint64_t table_line(const struct table *table, size_t row)
{
    return (uint64_t)packed_get(&table->lines, row);
}

/* Of a Numeric or Boolean feature. */
static inline double column_number(const struct column *column, size_t row)
{
    return packed_get(&column->values, row);
}

/* Of a Categorical one. */
static inline uint32_t column_code(const struct column *column, size_t row)
{
    return (uint32_t)packed_get(&column->values, row);
}

static inline uint32_t grouping_code(const struct grouping *grouping, size_t row)
{
    return (uint32_t)packed_get(&grouping->codes, row);
}

/* What the rows take in memory. */
size_t table_bytes(const struct table *table);

/* A column by name, or NULL. */
const struct column *table_column(const struct table *table, const char *name);
