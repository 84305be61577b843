/* fuzz_model.c - any bytes as model.json. Property: what is accepted is sound, and
 * attaching weights that it does not name is refused. */
#include <stdint.h>

#include "base/mem.h"
#include "ml/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_model struct model model = { 0 };
    struct err err;

    if (model_parse("fuzz", (struct span){ (const char *)data, size }, &model, &err) < 0)
        return 0;
    if (!(model.calibration.slope > 0 && model.threshold >= 0 && model.threshold <= 1))
        abort();
    if (model.drift.count != model.features.source_count + 1)
        abort();
    if (model_attach(&model, span_of("other bytes"), &err) == 0)
        abort();
    return 0;
}
