/* jsonpath.h - the JSONPath of printer columns: .a.b, ['a'], \. in names, [0], [*], and filters
 * [?(@.type=="Ready")] with == and != against a string, number or boolean. */
#pragma once

#include "base/json.h"

/* The values that the path finds, as an array; empty also for a path that cannot be read. New. */
json_t *jsonpath_find(const json_t *value, const char *path) __attribute__((warn_unused_result));
