/* lines.h - cuts a byte stream into lines, with a hard limit on line length.
 *
 * A Kubernetes watch is one JSON object per line, and the network hands the
 * stream over in pieces of any size. Feed every piece to lines_push(); on_line
 * is called once for each complete line, without its '\n'. The line is only
 * borrowed: it is valid until on_line returns. */
#pragma once

#include "base/buf.h"
#include "base/span.h"

typedef int (*line_callback)(void *context, struct span line, struct err *err);

struct lines {
    struct buf pending; /* the line that has begun */
    line_callback on_line;
    void *context;
};

void lines_init(struct lines *lines, size_t maximum, line_callback on_line, void *context);
void lines_release(struct lines *lines); /* safe on a zeroed struct */

/* ERR_TOO_BIG when a line exceeds the maximum, or on_line's own error. */
int lines_push(struct lines *lines, struct span piece, struct err *err)
    __attribute__((warn_unused_result));
