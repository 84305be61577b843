/* file.h - small local files, read and written whole: credentials, configuration, documents. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/span.h"

/* Appends the content of a file; the buffer's maximum is the limit. Errors name the path:
 * what opening it says (NOT_FOUND, DENIED, ...), IO, or TOO_BIG. */
int file_read(const char *path, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

/* Makes the file, or replaces its content in place: for files that nobody else reads yet. A signal
 * that comes meanwhile is no failure. Errors name the path. */
int file_write(const char *path, mode_t mode, struct span bytes, struct err *err)
    __attribute__((warn_unused_result));

/* Writes all of `bytes`, as often as write(2) takes only a part. -1: errno says why. */
int file_append(int fd, struct span bytes) __attribute__((warn_unused_result));
