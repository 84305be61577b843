/* Property: what decodes is an event around the text of an object, as jansson reads the line. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "kube/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK" };
    struct span line = { (const char *)data, size };
    struct span object = { 0 };
    enum watch_event event;
    struct err err = { 0 };

    if (watch_decode(line, &event, &object, &err) < 0) {
        if (err.kind == ERR_NONE || object.data)
            abort();
        return 0;
    }
    if (object.data < line.data || object.data + object.length > line.data + line.length)
        abort();
    auto_json json_t *tree = jx_parse(line, LIMIT_JSON_DOCUMENT, "line", NULL);
    const char *type = jx_string(tree, "type", NULL);

    if (!tree)
        return 0; /* something else in the line is wrong, or the object is, which is parsed later */
    auto_json json_t *decoded = jx_parse(object, LIMIT_JSON_DOCUMENT, "object", NULL);

    if (!type || strcmp(type, names[event]) != 0 ||
        !json_equal(decoded, json_object_get(tree, "object")))
        abort();
    return 0;
}
