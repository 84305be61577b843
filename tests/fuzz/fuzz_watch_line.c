/* Property: what decodes is an event around an object, as jansson reads the line. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "kube/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK" };
    struct span line = { (const char *)data, size };
    auto_json json_t *object = NULL;
    enum watch_event event;
    struct err err = { 0 };

    if (watch_decode(line, &event, &object, &err) < 0) {
        if (err.kind == ERR_NONE || object)
            abort();
        return 0;
    }
    auto_json json_t *tree = jx_parse(line, LIMIT_JSON_DOCUMENT, "line", &err);
    const char *type = jx_string(tree, "type", NULL);

    if (!type || strcmp(type, names[event]) != 0 ||
        !json_equal(object, json_object_get(tree, "object")))
        abort();
    return 0;
}
