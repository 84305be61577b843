/* Properties: what decodes encodes back to the same text, blanks aside. */
#include <stdint.h>

#include "base/base64.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf plain, again;
    struct err err;
    size_t at = 0;

    buf_init(&plain, size);
    buf_init(&again, 2 * size + 4);
    if (base64_decode(&plain, (struct span){ (const char *)data, size }, &err) < 0)
        return 0;
    base64_encode(&again, (struct span){ plain.data, plain.length });
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n", data[i]))
            continue;
        if (at >= again.length || again.data[at++] != (char)data[i])
            abort();
    }
    if (at != again.length)
        abort();
    return 0;
}
