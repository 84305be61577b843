/* csv_write.c - cells and fault lines as CSV. */
#include "ml/csv.h"

static bool needs_quotes(struct span cell)
{
    static const bool is_special[UINT8_MAX + 1] = {
        [','] = true, ['"'] = true, ['\n'] = true, ['\r'] = true
    };
    bool found = false;

    for (size_t i = 0; i < cell.length; i++)
        found |= is_special[(unsigned char)cell.data[i]];
    if (found)
        return true;
    if (cell.length >= 3 && memcmp(cell.data, "\xef\xbb\xbf", 3) == 0)
        return true; /* at the start of a file it would be a byte order mark */
    return cell.length > 0 && (cell.data[0] == ' ' || cell.data[cell.length - 1] == ' ');
}

void csv_append_cell(struct buf *out, struct span cell)
{
    if (!needs_quotes(cell)) {
        buf_append(out, cell.data, cell.length);
        return;
    }
    buf_char(out, '"');
    while (cell.length > 0) {
        const char *quote = memchr(cell.data, '"', cell.length);
        size_t length = quote ? (size_t)(quote - cell.data) + 1 : cell.length;

        buf_append(out, cell.data, length);
        if (quote)
            buf_char(out, '"');
        cell.data += length;
        cell.length -= length;
    }
    buf_char(out, '"');
}

void csv_append_fault(struct buf *out, const struct row_fault *fault)
{
    buf_format(out, "%" PRIu64 ",", fault->line);
    csv_append_cell(out, span_of(fault->column));
    buf_char(out, ',');
    csv_append_cell(out, span_of(fault->why));
    buf_char(out, '\n');
}
