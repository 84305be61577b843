/* csv.c - reading CSV: bytes to blocks, blocks to records. */
#include "ml/csv.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "ml/csv_names.h"

/* A block ends after the record with which it reaches this size, so that memory
 * does not grow with the length of records. */
#define BLOCK_BYTES (256 * KIB)
/* How much is asked of the source at once. */
#define CHUNK_BYTES (64 * KIB)
/* Records per block of csv_read(). */
#define SERIAL_RECORDS 1024

struct csv_reader {
    const struct byte_source *source;
    char *name;
    struct csv_header header;
    char *header_text;
    char *pending; /* read from the source, not yet part of a block */
    size_t pending_length, pending_capacity;
    uint64_t line;   /* of the next record */
    uint64_t offset; /* of the next record in the stream */
    uint64_t end;    /* records from this offset on are not wanted */
    bool started, at_end;
    struct csv_block serial; /* of csv_read() */
    bool serial_loaded;
};

void csv_block_release(struct csv_block *block)
{
    free(block->text);
    free(block->cells);
    csv_index_release(&block->index);
    *block = (struct csv_block){ 0 };
}

const struct csv_header *csv_header(const struct csv_reader *reader)
{
    return &reader->header;
}

const char *csv_name(const struct csv_reader *reader)
{
    return reader->name;
}

static uint64_t count_newlines(const char *text, size_t length)
{
    uint64_t count = 0;

    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n';
    return count;
}

/* --- cutting the stream into blocks ----------------------------------------- */

/* Room for `more` bytes, and behind them for what cells want, with the newline that guards the
 * end of the text. */
static void block_reserve(struct csv_block *block, size_t more)
{
    if (block->capacity >= block->length + more + SPAN_ROOM)
        return;
    block->capacity = block->length + more + SPAN_ROOM + block->capacity / 2;
    block->text = mem_resize(block->text, block->capacity, 1);
}

/* Whole chunks are read, so that scanning an unfinished record again costs the
 * same whatever piece size the source has. */
static int block_fill(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    size_t target = block->length + CHUNK_BYTES;

    block_reserve(block, CHUNK_BYTES);
    while (block->length < target && !reader->at_end) {
        size_t length;

        if (byte_source_read(reader->source, block->text + block->length, target - block->length,
                             &length, err))
            return -1;
        reader->at_end = length == 0;
        block->length += length;
    }
    return 0;
}

/* Takes a byte order mark away; other encodings are recognised by theirs. */
static int check_start(struct csv_reader *reader, struct csv_block *block, struct err *err)
{
    if (block->length >= 2 &&
        (memcmp(block->text, "\xff\xfe", 2) == 0 || memcmp(block->text, "\xfe\xff", 2) == 0))
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s line 1 column 1: the file is UTF-16, expected UTF-8", reader->name);
    if (block->length >= 3 && memcmp(block->text, "\xef\xbb\xbf", 3) == 0) {
        reader->offset = 3;
        block->length -= 3;
        memmove(block->text, block->text + 3, block->length);
    }
    return 0;
}

enum scan_outcome { SCAN_COMPLETE, SCAN_INCOMPLETE, SCAN_OPEN_QUOTE };

/* After an opening quote: the position behind the closing one, or 0 when it is
 * not in the text. */
static size_t skip_quoted(const char *text, size_t length, size_t position, bool at_end)
{
    for (;;) {
        const char *quote = memchr(text + position, '"', length - position);

        if (!quote)
            return 0;
        position = (size_t)(quote - text) + 1;
        if (position == length)
            return at_end ? position : 0;
        if (text[position] != '"')
            return position;
        position++;
    }
}

/* The record with quotes that begins at `position`. On SCAN_COMPLETE *ret_end is
 * behind its line end; on SCAN_OPEN_QUOTE it is at the quote. */
static enum scan_outcome scan_quoted(const char *text, size_t length, size_t position, bool at_end,
                                     size_t *ret_end)
{
    bool cell_start = true;

    while (position < length) {
        char character = text[position];

        if (character == '"' && cell_start) {
            size_t behind = skip_quoted(text, length, position + 1, at_end);

            if (behind == 0) {
                *ret_end = position;
                return SCAN_OPEN_QUOTE;
            }
            position = behind;
            cell_start = false;
            continue;
        }
        position++;
        cell_start = character == ',';
        if (character == '\n') {
            *ret_end = position;
            return SCAN_COMPLETE;
        }
    }
    *ret_end = position;
    return at_end ? SCAN_COMPLETE : SCAN_INCOMPLETE;
}

static enum scan_outcome scan_record(const char *text, size_t length, size_t start, bool at_end,
                                     size_t *ret_end)
{
    const char *newline;
    size_t line_length;

    *ret_end = start;
    if (start == length)
        return SCAN_INCOMPLETE;
    newline = memchr(text + start, '\n', length - start);
    line_length = newline ? (size_t)(newline - text) + 1 - start : length - start;
    if (memchr(text + start, '"', line_length))
        return scan_quoted(text, length, start, at_end, ret_end);
    *ret_end = start + line_length;
    return newline || at_end ? SCAN_COMPLETE : SCAN_INCOMPLETE;
}

/* The quote at `quote` is not closed where the text ends. */
static int fail_open_quote(const struct csv_reader *reader, const struct csv_block *block,
                           size_t quote, struct err *err)
{
    uint64_t line = block->first_line + count_newlines(block->text, quote);

    return err_reason(err, ERR_INVALID, "DataInvalid",
                      "%s line %" PRIu64 ": a quote is opened here and never closed", reader->name,
                      line);
}

static int fail_too_long(const struct csv_reader *reader, const struct csv_block *block,
                         size_t start, enum scan_outcome outcome, size_t position, struct err *err)
{
    if (outcome == SCAN_OPEN_QUOTE)
        return fail_open_quote(reader, block, position, err);
    return err_reason(err, ERR_TOO_BIG, "DataInvalid",
                      "%s line %" PRIu64 ": the record is longer than %zu bytes", reader->name,
                      block->first_line + count_newlines(block->text, start), LIMIT_CSV_RECORD);
}

/* What follows the last whole record waits for the next block. `newlines` are before `end`. */
static void keep_rest(struct csv_reader *reader, struct csv_block *block, size_t end,
                      uint64_t newlines)
{
    size_t rest = block->length - end;

    if (reader->pending_capacity < rest) {
        reader->pending_capacity = rest;
        reader->pending = mem_resize(reader->pending, rest, 1);
    }
    if (rest > 0)
        memcpy(reader->pending, block->text + end, rest);
    reader->pending_length = rest;
    block->length = end;
    block_reserve(block, 0);
    memset(block->text + end, '\n', SPAN_ROOM); /* guards csv_next(), and ends a last line */
    reader->line += newlines;
    reader->offset += end;
}

static void block_begin(struct csv_reader *reader, struct csv_block *block)
{
    block->reader = reader;
    block->length = 0;
    block->position = 0;
    block->first_line = block->line = reader->line;
    block_reserve(block, reader->pending_length);
    if (reader->pending_length > 0)
        memcpy(block->text, reader->pending, reader->pending_length);
    block->length = reader->pending_length;
}

void csv_set_end(struct csv_reader *reader, uint64_t end)
{
    reader->end = end;
}

/* A block is full when its records take this many bytes. */
static size_t enough_bytes(const struct csv_reader *reader)
{
    uint64_t wanted = reader->end > reader->offset ? reader->end - reader->offset : 0;

    return wanted < BLOCK_BYTES ? (size_t)wanted : BLOCK_BYTES;
}

int csv_read_block(struct csv_reader *reader, size_t maximum_records, struct csv_block *block,
                   bool *ret_any, struct err *err)
{
    size_t end = 0;
    uint64_t newlines = 0;

    block_begin(reader, block);
    for (size_t records = 0; records < maximum_records && end < enough_bytes(reader);) {
        struct csv_lines lines =
            csv_index_lines(block->text + end, block->length - end, maximum_records - records,
                            enough_bytes(reader) - end);
        enum scan_outcome outcome;
        size_t position;

        if (lines.count > 0) {
            end += lines.length;
            records += lines.count;
            newlines += lines.count;
            continue;
        }
        outcome = scan_record(block->text, block->length, end, reader->at_end, &position);
        if (outcome == SCAN_COMPLETE) {
            newlines += count_newlines(block->text + end, position - end);
            end = position;
            records++;
            continue;
        }
        if (reader->at_end) {
            if (outcome == SCAN_OPEN_QUOTE)
                return fail_open_quote(reader, block, position, err);
            break;
        }
        if (block->length - end > LIMIT_CSV_RECORD)
            return fail_too_long(reader, block, end, outcome, position, err);
        if (block_fill(reader, block, err))
            return -1;
        if (!reader->started && check_start(reader, block, err))
            return -1;
        reader->started = true;
    }
    keep_rest(reader, block, end, newlines);
    *ret_any = end > 0;
    return 0;
}

/* --- taking records apart --------------------------------------------------- */

/* Binary data and other encodings would give nonsense in every later row, so
 * the block is checked as a whole, before its first record is given out. */
static int check_text(const struct csv_block *block, struct err *err)
{
    const char *nul = memchr(block->text, 0, block->length);
    size_t valid = utf8_valid_prefix(block->text, block->length);
    size_t offset =
        nul && (size_t)(nul - block->text) < valid ? (size_t)(nul - block->text) : valid;
    size_t column = 1;

    if (offset == block->length)
        return 0;
    while (column <= offset && block->text[offset - column] != '\n')
        column++;
    if (block->text[offset] == 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s line %" PRIu64 " column %zu: a NUL byte: this is not a text file",
                          csv_name(block->reader),
                          block->first_line + count_newlines(block->text, offset), column);
    return err_reason(
        err, ERR_INVALID, "DataInvalid", "%s line %" PRIu64 " column %zu: byte 0x%02x is not UTF-8",
        csv_name(block->reader), block->first_line + count_newlines(block->text, offset), column,
        (unsigned)(unsigned char)block->text[offset]);
}

struct split {
    struct span *cells;
    size_t capacity;
    size_t count;      /* fields seen, may exceed capacity */
    size_t bad_quotes; /* the first field with text behind its closing quote, from 1 */
    uint64_t newlines;
};

/* Unquotes in place the cell whose opening quote is at `start`. Returns the
 * position of the separator or newline behind it. */
static size_t split_quoted(char *text, size_t length, size_t start, struct split *split,
                           struct span *ret_cell)
{
    size_t read = start + 1, write = start + 1;

    for (;;) {
        char *quote = memchr(text + read, '"', length - read);
        size_t end = quote ? (size_t)(quote - text) : length;

        split->newlines += count_newlines(text + read, end - read);
        if (write != read)
            memmove(text + write, text + read, end - read);
        write += end - read;
        read = end + 1;
        if (!quote || text[read] != '"')
            break;
        text[write++] = '"';
        read++;
    }
    *ret_cell = (struct span){ text + start + 1, write - start - 1 };
    if (read < length && text[read] == '\r' && text[read + 1] == '\n')
        read++;
    if (read < length && text[read] != ',' && text[read] != '\n' && split->bad_quotes == 0)
        split->bad_quotes = split->count + 1;
    while (read < length && text[read] != ',' && text[read] != '\n')
        read++;
    return read < length ? read : length;
}

/* The text always has a newline at `length`, which ends the loop. */
static size_t split_plain(char *text, size_t start, struct span *ret_cell)
{
    size_t position = start, length;

    while (text[position] != ',' && text[position] != '\n')
        position++;
    length = position - start;
    if (text[position] == '\n' && length > 0 && text[position - 1] == '\r')
        length--;
    *ret_cell = (struct span){ text + start, length };
    return position;
}

/* Splits the record at `position`; returns the position of the next one. */
static size_t split_record(char *text, size_t length, size_t position, struct split *split)
{
    split->count = split->bad_quotes = 0;
    split->newlines = 1;
    for (;;) {
        struct span cell;

        position = text[position] == '"' ? split_quoted(text, length, position, split, &cell)
                                         : split_plain(text, position, &cell);
        if (split->count < split->capacity)
            split->cells[split->count] = cell;
        split->count++;
        if (position >= length || text[position] == '\n')
            return position + 1;
        position++;
    }
}

static enum csv_outcome fault(uint64_t line, const struct csv_header *header,
                              const struct split *split, struct row_fault *ret_fault)
{
    *ret_fault = (struct row_fault){ .line = line };
    if (split->count != header->count) {
        snprintf(ret_fault->why, sizeof(ret_fault->why), "%zu field%s, header has %zu",
                 split->count, split->count == 1 ? "" : "s", header->count);
        return CSV_FAULT;
    }
    struct span name = header->names[split->bad_quotes - 1];
    memcpy(ret_fault->column, name.data, name.length);
    snprintf(ret_fault->why, sizeof(ret_fault->why), "text after the closing quote");
    return CSV_FAULT;
}

static bool at_empty_line(const struct csv_block *block)
{
    const char *text = block->text + block->position;

    return text[0] == '\n' || (text[0] == '\r' && text[1] == '\n');
}

/* Finds the ends of all fields, and checks the text. */
static int index_block(struct csv_block *block, struct err *err)
{
    size_t columns = csv_header(block->reader)->count;

    csv_index_fill(&block->index, block->text, block->length + 1); /* with the guard */
    if (!block->index.is_plain && check_text(block, err))
        return -1;
    block->next_end = block->quote = 0;
    block->cells = mem_resize(block->cells, columns, sizeof(*block->cells));
    return 0;
}

/* Brings what the index says up to the position. */
static void follow_index(struct csv_block *block)
{
    const uint32_t *ends = block->index.ends;

    while ((ends[block->next_end] & ~CSV_INDEX_NEWLINE) < block->position)
        block->next_end++;
    if (!block->index.has_quotes) {
        block->quote = block->length;
    } else if (block->quote < block->position || block->position == 0) {
        const char *text = block->text;
        const char *quote = memchr(text + block->position, '"', block->length - block->position);

        block->quote = quote ? (size_t)(quote - text) : block->length;
    }
}

/* Takes the record at the position apart by the index alone. False unless it is a usual one:
 * with as many fields as the header has, and no quote. */
static bool split_indexed(struct csv_block *block, struct split *split)
{
    const uint32_t *ends = block->index.ends + block->next_end;
    size_t start = block->position, last = split->capacity - 1;
    uint32_t seen = 0;

    if (block->index.count - block->next_end <= last)
        return false;
    for (size_t i = 0; i < last; i++) {
        size_t end = ends[i] & ~CSV_INDEX_NEWLINE;

        seen |= ends[i];
        split->cells[i] = (struct span){ block->text + start, end - start };
        start = end + 1;
    }
    size_t end = ends[last] & ~CSV_INDEX_NEWLINE;

    if (end == ends[last] || (seen & CSV_INDEX_NEWLINE) || end > block->quote)
        return false;
    split->cells[last] = (struct span){ block->text + start, end - start };
    if (end > start && block->text[end - 1] == '\r')
        split->cells[last].length--;
    split->count = split->capacity;
    split->newlines = 1;
    split->bad_quotes = 0;
    block->position = end + 1;
    block->next_end += split->capacity;
    return true;
}

int csv_next(struct csv_block *block, enum csv_outcome *ret_outcome, struct csv_record *ret_record,
             struct row_fault *ret_fault, struct err *err)
{
    const struct csv_header *header = csv_header(block->reader);
    struct split split = { .capacity = header->count };
    uint64_t line;

    if (block->position == 0 && index_block(block, err))
        return -1;
    while (block->position < block->length && at_empty_line(block)) {
        block->position += block->text[block->position] == '\r' ? 2 : 1;
        block->line++;
    }
    if (block->position >= block->length) {
        *ret_outcome = CSV_END;
        return 0;
    }
    line = block->line;
    split.cells = block->cells;
    follow_index(block);
    if (!split_indexed(block, &split))
        block->position = split_record(block->text, block->length, block->position, &split);
    block->line += split.newlines;
    if (split.count != header->count || split.bad_quotes > 0) {
        *ret_outcome = fault(line, header, &split, ret_fault);
        return 0;
    }
    *ret_record = (struct csv_record){ line, block->cells };
    *ret_outcome = CSV_RECORD;
    return 0;
}

int csv_read(struct csv_reader *reader, enum csv_outcome *ret_outcome,
             struct csv_record *ret_record, struct row_fault *ret_fault, struct err *err)
{
    for (;;) {
        if (!reader->serial_loaded) {
            bool any;

            if (csv_read_block(reader, SERIAL_RECORDS, &reader->serial, &any, err))
                return -1;
            if (!any) {
                *ret_outcome = CSV_END;
                return 0;
            }
            reader->serial_loaded = true;
        }
        if (csv_next(&reader->serial, ret_outcome, ret_record, ret_fault, err))
            return -1;
        if (*ret_outcome != CSV_END)
            return 0;
        reader->serial_loaded = false;
    }
}

/* --- the header ------------------------------------------------------------- */

static int read_header(struct csv_reader *reader, struct err *err)
{
    auto_csv_block struct csv_block block = { 0 };
    struct split split = { .capacity = LIMIT_CSV_COLUMNS };
    bool any;

    do {
        if (csv_read_block(reader, 1, &block, &any, err))
            return -1;
        if (!any)
            return err_reason(err, ERR_INVALID, "DataInvalid", "%s is empty", reader->name);
        if (check_text(&block, err))
            return -1;
    } while (at_empty_line(&block));
    split.cells = reader->header.names = mem_zero(split.capacity, sizeof(*split.cells));
    (void)split_record(block.text, block.length, 0, &split);
    if (split.bad_quotes > 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s line %" PRIu64 ": text after the closing quote of header field %zu",
                          reader->name, block.first_line, split.bad_quotes);
    if (split.count > LIMIT_CSV_COLUMNS)
        return err_reason(err, ERR_TOO_BIG, "DataInvalid",
                          "%s line %" PRIu64 ": %zu columns, at most %d are supported",
                          reader->name, block.first_line, split.count, LIMIT_CSV_COLUMNS);
    reader->header.count = split.count;
    reader->header.names =
        mem_resize(reader->header.names, split.count, sizeof(*reader->header.names));
    reader->header_text = TAKE(block.text);
    return csv_check_names(reader->name, block.first_line, &reader->header, err);
}

struct csv_reader *csv_reader_new(const char *name, const struct byte_source *source,
                                  struct err *err)
{
    auto_csv_reader struct csv_reader *reader = mem_zero(1, sizeof(*reader));

    reader->source = source;
    reader->name = mem_strdup(name);
    reader->line = 1;
    reader->end = UINT64_MAX;
    if (read_header(reader, err))
        return NULL;
    return TAKE(reader);
}

void csv_reader_free(struct csv_reader *reader)
{
    if (!reader)
        return;
    csv_block_release(&reader->serial);
    free(reader->header.names);
    free(reader->header_text);
    free(reader->pending);
    free(reader->name);
    free(reader);
}

void csv_reader_cleanup(struct csv_reader **reader)
{
    csv_reader_free(*reader);
}
