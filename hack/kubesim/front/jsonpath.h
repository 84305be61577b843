/* jsonpath.h - what our printer columns use of JSONPath: .name, [0], and the first item that
 * passes [?(@.name=="text")]. */
#pragma once

#include "base/json.h"

/* The value at the end of the path, borrowed; NULL when there is none, and for any other path. */
const json_t *jsonpath_find(const json_t *value, const char *path);
