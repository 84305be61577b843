/* What YAML gives is JSON within our limits, and that JSON is YAML of the same value. */
#include <stdint.h>

#include "base/limits.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json json_t *documents =
        yaml_parse_all((struct span){ (const char *)data, size }, "input", NULL);

    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);
        auto_free char *text = jx_canonical(document);
        auto_json json_t *again = jx_parse(span_of(text), SIZE_MAX, "canonical text", NULL);

        if (!again || !json_equal(document, again))
            abort();
    }
    return 0;
}
