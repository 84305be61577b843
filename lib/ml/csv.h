/* csv.h - streaming CSV (RFC 4180), in blocks of whole records.
 *
 * A file has a header line, then records. UTF-8 with or without byte order mark,
 * LF or CRLF, quoted fields with commas, doubled quotes and line breaks; the last
 * line may lack its newline. Blanks around header names are trimmed. A quote
 * inside an unquoted field is an ordinary character; empty lines are skipped.
 *
 * Reading is in two steps, so that threads can share the work and the result does
 * not depend on their number: csv_read_block() cuts the byte stream into blocks
 * of whole records (serial, cheap), csv_next() takes the records of one block
 * apart (any thread, one per block). csv_read() does both for serial readers.
 *
 * Line numbers are physical lines counted from 1, line breaks inside quotes
 * included: what an editor shows. What is wrong with one record is a row fault
 * that the caller counts; what makes the rest of the file meaningless (binary
 * data, wrong encoding, a quote that is never closed) is an error with reason
 * DataInvalid. Memory: one block, which grows to LIMIT_CSV_RECORD at most beyond
 * its ordinary size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/stream.h"
#include "ml/csv_index.h"

/* Why a row cannot be used: a line of the rejects file. */
struct row_fault {
    uint64_t line;                   /* where the record begins                 */
    char column[LIMIT_CSV_NAME + 1]; /* header name, "" for the row as a whole  */
    char why[160];                   /* "12 fields, header has 13"              */
};

struct csv_header {
    struct span *names; /* trimmed, unique, not empty */
    size_t count;
};

struct csv_record {
    uint64_t line;
    struct span *cells; /* header->count of them, unquoted, not trimmed; they have room (span.h) */
};

/* Whole records, owned by the block; to be reused for the next ones. A zeroed
 * block is empty. Borrows the reader's header and name. */
struct csv_block {
    const struct csv_reader *reader;
    char *text;
    size_t length, capacity;
    uint64_t first_line;
    size_t position; /* of csv_next() in text */
    uint64_t line;   /* at position */
    struct csv_index index;
    size_t next_end; /* in the index: not before position */
    size_t quote;    /* the first one not before position, or length */
    struct span *cells;
};
void csv_block_release(struct csv_block *block); /* safe on a zeroed block */
#define auto_csv_block __attribute__((cleanup(csv_block_release)))

enum csv_outcome {
    CSV_END,    /* no more records                                    */
    CSV_RECORD, /* a good record                                      */
    CSV_FAULT,  /* a record with the wrong number of fields or quotes */
};

/* Reads the header. `name` is what messages call the file ("weekly.csv"); it is
 * copied. The source is borrowed until csv_reader_free(). Errors (DataInvalid):
 * empty file, NUL bytes or UTF-16, not UTF-8, empty or duplicate header names. */
struct csv_reader *csv_reader_new(const char *name, const struct byte_source *source,
                                  struct err *err) __attribute__((warn_unused_result));
void csv_reader_free(struct csv_reader *reader);
void csv_reader_cleanup(struct csv_reader **reader);
#define auto_csv_reader __attribute__((cleanup(csv_reader_cleanup)))

const struct csv_header *csv_header(const struct csv_reader *reader)
    __attribute__((returns_nonnull));
const char *csv_name(const struct csv_reader *reader) __attribute__((returns_nonnull));

/* From now on csv_read_block() gives only records that begin before byte `end` of
 * the stream (a byte order mark is part of it), and then says that there are no
 * more; a later `end` goes on behind them. A byte alone does not tell whether it is
 * in quotes, so the records of a range are found by reading what is before it. */
void csv_set_end(struct csv_reader *reader, uint64_t end);

/* The next at most `maximum_records` records. *ret_any is false at the end.
 * DataInvalid for a quote that is never closed, ERR_TOO_BIG for a record longer
 * than LIMIT_CSV_RECORD, or the source's error. */
int csv_read_block(struct csv_reader *reader, size_t maximum_records, struct csv_block *block,
                   bool *ret_any, struct err *err) __attribute__((warn_unused_result));

/* The next record of a block; valid until the block is read or released again.
 * *ret_fault is filled for CSV_FAULT, *ret_record for CSV_RECORD. DataInvalid for
 * NUL bytes and bytes that are not UTF-8, with line and column. */
int csv_next(struct csv_block *block, enum csv_outcome *ret_outcome, struct csv_record *ret_record,
             struct row_fault *ret_fault, struct err *err) __attribute__((warn_unused_result));

/* csv_read_block() and csv_next() over a block inside the reader. The record is
 * valid until the next call. */
int csv_read(struct csv_reader *reader, enum csv_outcome *ret_outcome,
             struct csv_record *ret_record, struct row_fault *ret_fault, struct err *err)
    __attribute__((warn_unused_result));

/* The position of a column. DataInvalid names the file, the missing column and
 * the name in the header that comes closest: "weekly.csv has no column Age
 * (closest: age)". */
int csv_find(const struct csv_reader *reader, struct span column, size_t *ret_index,
             struct err *err) __attribute__((warn_unused_result));

/* Appends one cell, quoted when it needs to be (comma, quote, line break, a
 * leading or trailing blank, a leading byte order mark). Separators and line ends are the caller's.
 */
void csv_append_cell(struct buf *out, struct span cell);

/* "line,column,why" and the lines under it: the rejects file. */
#define CSV_FAULT_HEADER "line,column,why\n"
void csv_append_fault(struct buf *out, const struct row_fault *fault);
