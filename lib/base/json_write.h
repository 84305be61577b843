/* json_write.h - a tree as canonical text, in less than half of what jansson takes.
 *
 * Compact, with sorted names: byte by byte what jansson writes with JSON_COMPACT, JSON_SORT_KEYS
 * and JSON_ENCODE_ANY. jx_canonical() of base/json.h is what to call. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* Appends the text. A tree that contains itself ends the process. */
void jx_write(const json_t *value, struct buf *out);
