/* fuzz_features.c - any JSON as the features of a model.json. Property: what is
 * decoded and encoded again decodes to the same. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "ml/features.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    auto_features struct features features = { 0 }, again = { 0 };
    auto_json json_t *json =
        jx_parse((struct span){ (const char *)data, size }, LIMIT_JSON_DOCUMENT, "fuzz", &err);

    if (!json || features_from_json(json, &features, &err))
        return 0;
    auto_json json_t *encoded = features_to_json(&features);
    int outcome = features_from_json(encoded, &again, &err);
    if (!(outcome == 0))
        abort();
    auto_json json_t *encoded_again = features_to_json(&again);
    if (!(json_equal(encoded, encoded_again)))
        abort();
    return 0;
}
