#include "kubesim/front/jsonpath.h"

#include <string.h>

#include "base/span.h"

/* What stands between two marks at *path, which moves behind both; false when it does not. */
static bool take(const char **path, const char *before, const char *behind, struct span *ret_text)
{
    size_t length = strlen(before);
    const char *end = strncmp(*path, before, length) == 0 ? strstr(*path + length, behind) : NULL;
    if (!end)
        return false;
    *ret_text = (struct span){ *path + length, (size_t)(end - *path) - length };
    *path = end + strlen(behind);
    return true;
}

static const json_t *filter(const json_t *list, struct span name, struct span text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const json_t *member = json_object_getn(item, name.data, name.length);
        if (json_is_string(member) && span_equals(text, json_string_value(member)))
            return item;
    }
    return NULL;
}

const json_t *jsonpath_find(const json_t *value, const char *path)
{
    struct span name, text;
    while (value && *path) {
        if (*path == '.') {
            size_t length = strcspn(++path, ".[");
            value = json_object_getn(value, path, length);
            path += length;
        } else if (take(&path, "[?(@.", "==\"", &name)) {
            value = take(&path, "", "\")]", &text) ? filter(value, name, text) : NULL;
        } else if (take(&path, "[", "]", &text) && text.length == 1) {
            value = json_array_get(value, (size_t)(text.data[0] - '0'));
        } else {
            return NULL;
        }
    }
    return value;
}
