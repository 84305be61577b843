/* Whatever the path, it finds a part of the object or nothing. */
#include <stdint.h>

#include "base/limits.h"
#include "kubesim/front/jsonpath.h"

static bool is_part(const json_t *whole, const json_t *part)
{
    const json_t *member;
    const char *name;
    size_t i;

    if (whole == part)
        return true;
    json_array_foreach(whole, i, member) if (is_part(member, part)) return true;
    json_object_foreach((json_t *)whole, name, member) if (is_part(member, part)) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "{\"a\":{\"b c\":[1,\"x\",null]},\"l\":[{\"t\":\"R\",\"s\":true}]}";
    auto_free char *path = mem_strndup(size > 0 ? (const char *)data : "", size);
    auto_json json_t *object = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "object", NULL);
    const json_t *found = jsonpath_find(object, path);

    if (found && !is_part(object, found))
        abort();
    return 0;
}
