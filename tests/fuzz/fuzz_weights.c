/* fuzz_weights.c - any bytes as weights.json of a model with two features.
 * Property: what is accepted scores without a fault and is written as it was. */
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"
#include "ml/linear.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_linear struct linear first = { 0 }, second = { 0 };
    auto_json json_t *json =
        jx_parse((struct span){ (const char *)data, size }, size + 1, "fuzz", NULL);
    const float values[] = { 0.5f, -3.0f };
    double margin;

    if (json == NULL || linear_from_json(json, 2, &first, NULL) < 0)
        return 0;
    linear_margins(&first, (struct matrix){ values, 1, 2 }, &margin);
    auto_json json_t *written = linear_to_json(&first);
    if (linear_from_json(written, 2, &second, NULL) < 0)
        abort();
    auto_json json_t *again = linear_to_json(&second);
    if (!json_equal(written, again))
        abort();
    return 0;
}
