/* file.h - small local files, read whole: credentials, configuration, documents. */
#pragma once

#include "base/buf.h"

/* Appends the content of a file; the buffer's maximum is the limit. Errors name the path:
 * what opening it says (NOT_FOUND, DENIED, ...), IO, or TOO_BIG. */
int file_read(const char *path, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));
