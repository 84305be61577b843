/* csv_names.c - finding columns by name, with help for those who mistyped one. */
#include "ml/csv.h"

#include <ctype.h>

#include "base/mem.h"

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
