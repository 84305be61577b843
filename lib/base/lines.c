#include "base/lines.h"

void lines_init(struct lines *lines, size_t maximum, line_callback on_line, void *context)
{
    buf_init(&lines->pending, maximum);
    lines->on_line = on_line;
    lines->context = context;
}

void lines_release(struct lines *lines)
{
    buf_release(&lines->pending);
}

static int too_long(const struct lines *lines, struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "a line is longer than %zu bytes", lines->pending.maximum);
}

/* A line that lies whole in one piece is handed on without copying it. */
static int end_line(struct lines *lines, struct span tail, struct err *err)
{
    if (lines->pending.length == 0) {
        if (tail.length > lines->pending.maximum)
            return too_long(lines, err);
        return lines->on_line(lines->context, tail, err);
    }
    buf_append(&lines->pending, tail.data, tail.length);
    if (lines->pending.overflow)
        return too_long(lines, err);
    struct span line = { lines->pending.data, lines->pending.length };
    int result = lines->on_line(lines->context, line, err);

    buf_clear(&lines->pending);
    return result;
}

int lines_push(struct lines *lines, struct span piece, struct err *err)
{
    while (piece.length > 0) {
        const char *end = memchr(piece.data, '\n', piece.length);

        if (!end)
            break;
        struct span line = { piece.data, (size_t)(end - piece.data) };

        if (end_line(lines, line, err))
            return -1;
        piece.data = end + 1;
        piece.length -= line.length + 1;
    }
    buf_append(&lines->pending, piece.data, piece.length);
    return lines->pending.overflow ? too_long(lines, err) : 0;
}
