/* A selector that is accepted has keys, and asking for "x" and for "not x" never agree. */
#include <stdint.h>

#include "kubesim/core/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_strndup(size > 0 ? (const char *)data : "", size);
    auto_free char *absent = mem_format("!%s", text);
    auto_json json_t *object = json_pack("{s{s{ss ss}}}", "metadata", "labels", "a", "1", "b", "2");
    struct selector selector, opposite;

    if (selector_parse(text, NULL, &selector, NULL) != 0)
        return 0;
    const json_t *first = json_array_get(selector.labels, 0);
    bool single = json_array_size(selector.labels) == 1 && !jx_string(first, "value", NULL) &&
                  !jx_bool(first, "negative", false);
    if (first && !*jx_string(first, "key", NULL))
        abort();
    if (single && selector_parse(absent, NULL, &opposite, NULL) == 0) {
        if (selector_matches(&selector, object) == selector_matches(&opposite, object))
            abort();
        selector_release(&opposite);
    }
    selector_release(&selector);
    return 0;
}
