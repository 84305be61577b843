/* Properties: a zone that is accepted has an offset at any time, and segments that go on. */
#include <stdint.h>

#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct zone zone;
    int64_t at_s = INT64_C(-5000000000);

    if (zone_parse((struct span){ (const char *)data, size }, &arena, &zone, NULL) < 0)
        return 0;
    for (int i = 0; i < 1000 && at_s < INT64_C(10000000000); i++) {
        int64_t until_s;
        int32_t offset = zone_offset(&zone, at_s, &until_s);

        if (until_s <= at_s || offset < -100000 || offset > 100000)
            abort();
        at_s = until_s;
    }
    return 0;
}
