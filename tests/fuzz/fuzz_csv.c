/* fuzz_csv.c - any bytes as a CSV file. Property: what is written from the records
 * of a file, read again, gives the same bytes. */
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

static void copy(struct span file, struct buf *out)
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf first, second;

    buf_init(&first, 16 * MIB);
    buf_init(&second, 16 * MIB);
    copy((struct span){ (const char *)data, size }, &first);
    copy((struct span){ first.data, first.length }, &second);
    if (!(first.length == second.length))
        abort();
    if (!(strcmp(buf_text(&first), buf_text(&second)) == 0))
        abort();
    return 0;
}
