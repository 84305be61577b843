/* What is accepted is an object of a known kind that can be written as JSON and read again. */
#include <stdint.h>

#include "base/limits.h"
#include "kubesim/front/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = { (const char *)data, size };
    auto_json json_t *object = protobuf_decode(body, NULL);

    if (!object)
        return 0;
    if (!jx_string(object, "kind", NULL))
        abort();
    auto_free char *text = json_dumps(object, JSON_COMPACT);
    auto_json json_t *again = json_loads(text, 0, NULL);
    if (!json_equal(object, again))
        abort();
    return 0;
}
