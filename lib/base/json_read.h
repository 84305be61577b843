/* json_read.h - ordinary JSON as a tree, in a fifth of the instructions that jansson takes.
 *
 * Most of what the controller does is reading JSON, and nearly all of it is ordinary: text without
 * "\u", integers of at most 18 digits, no name twice in an object, no deeper than
 * LIMIT_JSON_DEPTH. base/json.h, which is what to call, leaves the rest to jansson, and what is
 * wrong, so that it says so. */
#pragma once

#include <jansson.h>

#include "base/span.h"

/* New reference, the same tree that jansson reads; NULL: ask jansson. */
json_t *jx_read(struct span text) __attribute__((warn_unused_result));

/* How many bytes at the beginning stand for themselves in JSON, and are ASCII. */
size_t jx_plain_prefix(const char *bytes, size_t length);
