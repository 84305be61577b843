/* json.h - jansson with limits, and the few helpers everyone needs.
 *
 * Trees are jansson's json_t with its ownership words: new, borrowed, stolen; our own
 * names begin with jx_, because json_ is jansson's.
 * Parsing refuses documents above a size, deeper than LIMIT_JSON_DEPTH, with
 * duplicate keys, with NUL in strings, or with anything after the value. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

static inline void jx_cleanup(json_t **value)
{
    json_decref(*value);
}
#define auto_json __attribute__((cleanup(jx_cleanup)))

/* Parses a whole document of at most `maximum` bytes; any JSON value. The
 * error names `what` with line and column. New reference, NULL on failure. */
json_t *jx_parse(struct span text, size_t maximum, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* The same, but strings may hold U+0000, for lists of which one such item shall not cost all
 * others. To jx_text(), jx_string() and fields.h such a string is none. */
json_t *jx_parse_with_nul(struct span text, size_t maximum, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* ERR_TOO_BIG when a text has more values than `maximum`: for what may be large and comes from
 * somebody, because a tree takes a hundred times the bytes of "[[],[],". */
int jx_check_values(struct span text, size_t maximum, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* Reads and parses a file ("what" in errors is its path). */
json_t *jx_parse_file(const char *path, size_t maximum, struct err *err)
    __attribute__((warn_unused_result));

/* Compact text with sorted keys: the same tree always gives the same bytes, so
 * hashes and comparisons may use it. The caller frees. */
char *jx_canonical(const json_t *value) __attribute__((returns_nonnull, warn_unused_result));

/* Walks object members by name: jx_get(o, "metadata", "name", NULL). Borrowed;
 * NULL when a step is missing or no object. JSON null counts as missing. */
json_t *jx_get(const json_t *object, ...) __attribute__((sentinel));

/* A string's text; NULL when it is no string or holds U+0000. Borrowed. */
const char *jx_text(const json_t *value);

/* The same of a member: NULL when missing, too. Borrowed. */
const char *jx_string(const json_t *object, ...) __attribute__((sentinel));

/* Object member as an integer; `fallback` when missing or no integer. */
int64_t jx_int(const json_t *object, const char *name, int64_t fallback);
bool jx_bool(const json_t *object, const char *name, bool fallback);

/* RFC 7386: the patch that turns `from` into `to` (objects by member; removed
 * members become null). Never NULL; an empty object when they are equal. New. */
json_t *jx_merge_diff(const json_t *from, const json_t *to) __attribute__((warn_unused_result));
/* RFC 7386: applies a patch, returning a new tree; inputs are not changed. */
json_t *jx_merge_apply(const json_t *target, const json_t *patch)
    __attribute__((warn_unused_result));
