/* fuzz_csv.c - any bytes as a CSV file. Properties: what is written from the records
 * of a file, read again, gives the same bytes, also when every cell is quoted, which is
 * read without the index of fields; read in two ranges, cut at any byte, it gives the
 * same records; both twins of the index agree. */
#include <stdint.h>

#include "base/mem.h"
#include "ml/csv.h"

static int read_span(void *context, void *buffer, size_t capacity, size_t *ret_length,
                     struct err *err)
{
    struct span *rest = context;

    (void)err;
    *ret_length = rest->length < capacity ? rest->length : capacity;
    if (*ret_length == 0)
        return 0;
    memcpy(buffer, rest->data, *ret_length);
    rest->data += *ret_length;
    rest->length -= *ret_length;
    return 0;
}

static void append_quoted(struct buf *out, const struct span *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_string(out, i ? ",\"" : "\"");
        for (size_t j = 0; j < cells[i].length; j++) {
            buf_char(out, cells[i].data[j]);
            if (cells[i].data[j] == '"')
                buf_char(out, '"');
        }
        buf_char(out, '"');
    }
    buf_char(out, '\n');
}

static void append_row(struct buf *out, const struct span *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_string(out, i ? "," : "");
        if (cells[i].length == 0) /* a row of one empty cell must not be an empty line */
            buf_string(out, "\"\"");
        csv_append_cell(out, cells[i]);
    }
    buf_char(out, '\n');
}

typedef void (*row_writer)(struct buf *out, const struct span *cells, size_t count);

static bool copy(struct span file, row_writer write, struct buf *out)
{
    struct byte_source source = { read_span, &file };
    struct err err;
    auto_csv_reader struct csv_reader *reader = csv_reader_new("fuzz.csv", &source, &err);
    enum csv_outcome outcome = CSV_RECORD;
    struct csv_record record;
    struct row_fault fault;

    if (reader)
        write(out, csv_header(reader)->names, csv_header(reader)->count);
    while (reader && outcome != CSV_END && !csv_read(reader, &outcome, &record, &fault, &err))
        if (outcome == CSV_RECORD)
            write(out, record.cells, csv_header(reader)->count);
    return reader && outcome == CSV_END;
}

/* The records of a file that begin in bytes [begin, end). */
static void copy_range(struct span file, uint64_t begin, uint64_t end, struct buf *out)
{
    struct byte_source source = { read_span, &file };
    struct err err;
    auto_csv_reader struct csv_reader *reader = csv_reader_new("fuzz.csv", &source, &err);
    auto_csv_block struct csv_block block = { 0 };
    enum csv_outcome outcome;
    struct csv_record record;
    struct row_fault fault;
    bool any = true;

    csv_set_end(reader, begin);
    while (any)
        if (csv_read_block(reader, SIZE_MAX, &block, &any, &err))
            abort();
    csv_set_end(reader, end);
    if (end != UINT64_MAX) /* the first range, though the cut may be at 0 */
        append_row(out, csv_header(reader)->names, csv_header(reader)->count);
    for (;;) {
        if (csv_read(reader, &outcome, &record, &fault, &err))
            abort();
        if (outcome == CSV_END)
            return;
        if (outcome == CSV_RECORD)
            append_row(out, record.cells, csv_header(reader)->count);
    }
}

static void check_same(const struct buf *a, const struct buf *b)
{
    if (a->length != b->length || memcmp(buf_text(a), buf_text(b), a->length) != 0)
        abort();
}

static void check_ranges(struct span file, size_t cut, const struct buf *whole)
{
    auto_buf struct buf ranges;

    buf_init(&ranges, 16 * MIB);
    copy_range(file, 0, cut, &ranges);
    copy_range(file, cut, UINT64_MAX, &ranges);
    check_same(whole, &ranges);
}

static void check_twins(struct span file)
{
    struct csv_index quick = { 0 }, portable = { 0 };

    csv_index_fill(&quick, file.data, file.length);
    csv_index_fill_portable(&portable, file.data, file.length);
    if (quick.count != portable.count || quick.has_quotes != portable.has_quotes ||
        quick.is_plain != portable.is_plain ||
        (quick.count > 0 &&
         memcmp(quick.ends, portable.ends, quick.count * sizeof(*quick.ends)) != 0))
        abort();
    csv_index_release(&quick);
    csv_index_release(&portable);

    struct csv_lines lines = csv_index_lines(file.data, file.length, SIZE_MAX, SIZE_MAX);
    struct csv_lines slow = csv_index_lines_portable(file.data, file.length, SIZE_MAX, SIZE_MAX);
    if (lines.count != slow.count || lines.length != slow.length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = { (const char *)data, size };
    auto_buf struct buf first, second, quoted, third;

    buf_init(&first, 16 * MIB);
    buf_init(&second, 16 * MIB);
    buf_init(&quoted, 16 * MIB);
    buf_init(&third, 16 * MIB);
    check_twins(file);
    if (!copy(file, append_row, &first))
        return 0;
    check_ranges(file, size * data[size / 2] / 255, &first);
    (void)copy((struct span){ first.data, first.length }, append_row, &second);
    check_same(&first, &second);
    (void)copy(file, append_quoted, &quoted);
    (void)copy((struct span){ quoted.data, quoted.length }, append_row, &third);
    check_same(&first, &third);
    return 0;
}
