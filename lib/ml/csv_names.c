/* csv_names.c - names of columns: checking them, and finding one, with help for those who
 * mistyped it. */
#include "ml/csv_names.h"

#include <ctype.h>

#include "base/mem.h"

/* --- the names of a header -------------------------------------------------- */

/* Line ends of old spreadsheets, which make the whole file one line. */
static bool has_bare_return(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == '\r' && (i + 1 == name.length || name.data[i + 1] != '\n'))
            return true;
    return false;
}

static int check_name(const char *file, uint64_t line, const struct span *names, size_t index,
                      struct err *err)
{
    if (names[index].length == 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s line %" PRIu64 ": field %zu of the header is empty", file, line,
                          index + 1);
    if (names[index].length > LIMIT_CSV_NAME)
        return err_reason(err, ERR_TOO_BIG, "DataInvalid",
                          "%s line %" PRIu64 ": field %zu of the header is longer than %d bytes",
                          file, line, index + 1, LIMIT_CSV_NAME);
    if (has_bare_return(names[index]))
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s line %" PRIu64 ": a carriage return in field %zu of the header: "
                          "lines end in LF or CRLF",
                          file, line, index + 1);
    for (size_t i = 0; i < index; i++)
        if (names[i].length == names[index].length &&
            memcmp(names[i].data, names[index].data, names[i].length) == 0)
            return err_reason(err, ERR_INVALID, "DataInvalid",
                              "%s line %" PRIu64 ": column %.*s is in the header twice (fields "
                              "%zu and %zu)",
                              file, line, (int)names[i].length, names[i].data, i + 1, index + 1);
    return 0;
}

int csv_check_names(const char *file, uint64_t line, struct csv_header *header, struct err *err)
{
    for (size_t i = 0; i < header->count; i++) {
        header->names[i] = span_trim(header->names[i]);
        if (check_name(file, line, header->names, i, err))
            return -1;
    }
    return 0;
}

/* --- finding one ------------------------------------------------------------- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edit distance with letters of either case equal (Wagner and Fischer, 1974). */
static size_t distance(struct span a, struct span b)
{
    size_t costs[LIMIT_CSV_NAME + 1];

    for (size_t j = 0; j <= b.length; j++)
        costs[j] = j;
    for (size_t i = 0; i < a.length; i++) {
        size_t diagonal = costs[0];

        costs[0] = i + 1;
        for (size_t j = 0; j < b.length; j++) {
            bool equal = tolower((unsigned char)a.data[i]) == tolower((unsigned char)b.data[j]);
            size_t cost = smallest(costs[j + 1] + 1, costs[j] + 1, diagonal + !equal);

            diagonal = costs[j + 1];
            costs[j + 1] = cost;
        }
    }
    return costs[b.length];
}

/* The name that a mistyped one most likely means; names that share less than half
 * of their letters are no help. */
static const struct span *closest(const struct csv_header *header, struct span column)
{
    const struct span *best = NULL;
    size_t least = column.length / 2 + 1;

    for (size_t i = 0; i < header->count; i++) {
        size_t edits = distance(column, header->names[i]);

        if (edits < least) {
            least = edits;
            best = &header->names[i];
        }
    }
    return best;
}

int csv_find(const struct csv_reader *reader, struct span column, size_t *ret_index,
             struct err *err)
{
    const struct csv_header *header = csv_header(reader);
    const struct span *near;
    auto_buf struct buf names = { 0 };

    for (size_t i = 0; i < header->count; i++)
        if (header->names[i].length == column.length &&
            memcmp(header->names[i].data, column.data, column.length) == 0) {
            *ret_index = i;
            return 0;
        }
    near = column.length <= LIMIT_CSV_NAME ? closest(header, column) : NULL;
    if (near)
        return err_reason(err, ERR_INVALID, "DataInvalid", "%s has no column %.*s (closest: %.*s)",
                          csv_name(reader), (int)column.length, column.data, (int)near->length,
                          near->data);
    buf_init(&names, 300); /* as much as a reader wants to see; more is dropped */
    for (size_t i = 0; i < header->count && !names.overflow; i++)
        buf_format(&names, "%s%.*s", i ? ", " : "", (int)header->names[i].length,
                   header->names[i].data);
    return err_reason(err, ERR_INVALID, "DataInvalid", "%s has no column %.*s (its header: %s%s%s)",
                      csv_name(reader), (int)column.length, column.data, buf_text(&names),
                      names.overflow ? ", ..." : "",
                      header->count == 1 ? ": one column; fields are separated by commas" : "");
}
