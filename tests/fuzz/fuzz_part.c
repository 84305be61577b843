/* fuzz_part.c - any bytes as the document of a part. Property: what is accepted is written
 * so that it is accepted again, with the same text. */
#include <stdint.h>

#include "base/limits.h"
#include "scorer/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct span text = { (const char *)data, size };
    struct part part;
    if (part_parse(text, "part", 3, &arena, &part, NULL) < 0)
        return 0;
    auto_free char *once = part_text(&part);
    if (part_parse(span_of(once), "part", 3, &arena, &part, NULL) < 0)
        abort();
    auto_free char *twice = part_text(&part);
    if (strcmp(once, twice) != 0)
        abort();
    return 0;
}
