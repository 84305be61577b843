/* cell.h - what the text of one cell means as a number or a boolean.
 *
 * One place for the rules that training and scoring must share. A number is what
 * num_double() takes, with blanks around it. Missing, in any case of letters: the
 * empty or blank cell, NA, N/A, #N/A, NaN, null. In a categorical column only
 * the blank cell is missing, because NA may well be a category.
 *
 * Cells have room (span.h), as those of records do (csv.h). */
#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "ml/csv.h"

enum value_type { VALUE_NUMERIC, VALUE_CATEGORICAL, VALUE_BOOLEAN };
extern const char *const value_type_names[]; /* "Numeric", ...; NULL-terminated */

/* What is wrong with a cell: "\"abc\" is not a number". */
void cell_fault(uint64_t line, const char *column, struct span cell, enum value_type type,
                struct row_fault *ret_fault);

enum cell_outcome { CELL_VALUE, CELL_MISSING, CELL_FAULT };

/* *ret_number is NAN for CELL_MISSING, and anything for CELL_FAULT. */
enum cell_outcome cell_number(struct span cell, double *ret_number);

/* true, yes, y, t, 1 are 1; false, no, n, f, 0 are 0; any case of letters.
 * *ret_number as of cell_number(). */
enum cell_outcome cell_boolean(struct span cell, double *ret_number);

/* Whether a cell is a boolean WORD (not 0 or 1): what inference looks for. */
bool cell_is_boolean_word(struct span cell);

/* Whether a cell is a date, with or without a time: 2026-11-27, 27.11.2026, 11/27/2026,
 * 2026-11-27T10:00:00Z. */
bool cell_is_date(struct span cell);

/* The category: the cell without blanks around it; empty is "missing". */
static inline struct span cell_category(struct span cell)
{
    return span_trim(cell);
}
