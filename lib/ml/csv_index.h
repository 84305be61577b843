/* csv_index.h - where the fields of a text end; private to the reading of CSV.
 *
 * One pass over a block finds every comma and newline, and whether there is anything
 * that needs a closer look: quotes, between which commas and newlines mean nothing, or
 * bytes that are not ASCII. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct csv_index {
    uint32_t *ends; /* positions in ascending order, CSV_INDEX_NEWLINE added to those of newlines */
    size_t count, room;
    bool has_quotes;
    bool is_plain; /* ASCII without NUL */
};
#define CSV_INDEX_NEWLINE (UINT32_C(1) << 31)

void csv_index_release(struct csv_index *index); /* safe on a zeroed index */

/* `length` below CSV_INDEX_NEWLINE. The index may have been used before. */
void csv_index_fill(struct csv_index *index, const char *text, size_t length);

/* The same without the instructions that not every processor has: the same result. */
void csv_index_fill_portable(struct csv_index *index, const char *text, size_t length);

/* What lines without quotes a text begins with. */
struct csv_lines {
    size_t count;
    size_t length; /* of all of them, with their newlines */
};

/* Whole lines from the start of the text until there are `maximum`, or the next one would
 * begin at `enough` or behind it, or has a quote in it, or no newline. */
struct csv_lines csv_index_lines(const char *text, size_t length, size_t maximum, size_t enough);

/* The same without the instructions that not every processor has: the same result. */
struct csv_lines csv_index_lines_portable(const char *text, size_t length, size_t maximum,
                                          size_t enough);
