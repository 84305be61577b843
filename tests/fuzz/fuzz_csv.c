/* fuzz_csv.c - any bytes as a CSV file. Properties: what is written from the records
 * of a file, read again, gives the same bytes; read in two ranges, cut at any byte, it
 * gives the same records. */
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

static bool copy(struct span file, struct buf *out)
{
    struct byte_source source = { read_span, &file };
    struct err err;
    auto_csv_reader struct csv_reader *reader = csv_reader_new("fuzz.csv", &source, &err);
    enum csv_outcome outcome = CSV_RECORD;
    struct csv_record record;
    struct row_fault fault;

    if (reader)
        append_row(out, csv_header(reader)->names, csv_header(reader)->count);
    while (reader && outcome != CSV_END && !csv_read(reader, &outcome, &record, &fault, &err))
        if (outcome == CSV_RECORD)
            append_row(out, record.cells, csv_header(reader)->count);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = { (const char *)data, size };
    auto_buf struct buf first, second, ranges;

    buf_init(&first, 16 * MIB);
    buf_init(&second, 16 * MIB);
    buf_init(&ranges, 16 * MIB);
    if (copy(file, &first)) {
        size_t cut = size * data[size / 2] / 255;

        copy_range(file, 0, cut, &ranges);
        copy_range(file, cut, UINT64_MAX, &ranges);
        if (strcmp(buf_text(&first), buf_text(&ranges)) != 0)
            abort();
    }
    (void)copy((struct span){ first.data, first.length }, &second);
    if (!(first.length == second.length))
        abort();
    if (!(strcmp(buf_text(&first), buf_text(&second)) == 0))
        abort();
    return 0;
}
