/* Property: an accepted reference, written out in full, is accepted again and means the same. */
#include <stdint.h>

#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct reference first, second;
    struct err err;
    const char *text = arena_strndup(&arena, size > 0 ? (const char *)data : "", size);

    if (reference_parse(text, &arena, &first, &err) < 0)
        return 0;
    const char *full = arena_format(&arena, "%s/%s%s%s%s%s", first.domain, first.repository,
                                    first.tag ? ":" : "", first.tag ? first.tag : "",
                                    first.digest ? "@" : "", first.digest ? first.digest : "");
    if (reference_parse(full, &arena, &second, &err) < 0 || strcmp(first.host, second.host) != 0 ||
        strcmp(first.repository, second.repository) != 0 || !first.tag != !second.tag ||
        (first.digest && !reference_is_digest(first.digest)))
        abort();
    return 0;
}
