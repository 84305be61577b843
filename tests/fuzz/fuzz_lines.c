/* The first byte says where to cut; the lines must be those of the uncut stream. */
#include <stdint.h>

#include "base/lines.h"
#include "base/mem.h"

static int collect(void *context, struct span line, struct err *err)
{
    (void)err;
    buf_append(context, line.data, line.length);
    buf_char(context, '\n');
    return 0;
}

static int run(struct span stream, size_t step, struct buf *seen)
{
    struct lines lines;
    int result = 0;

    buf_init(seen, 2 * stream.length + 2);
    lines_init(&lines, 64, collect, seen);
    while (stream.length > 0 && result == 0) {
        size_t length = stream.length < step ? stream.length : step;

        result = lines_push(&lines, (struct span){ stream.data, length }, NULL);
        stream.data += length;
        stream.length -= length;
    }
    lines_release(&lines);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf whole = { 0 }, cut = { 0 };
    struct span stream = { (const char *)data + 1, size - 1 };

    if (size < 2)
        return 0;
    int result = run(stream, SIZE_MAX, &whole);

    if (run(stream, data[0] + (size_t)1, &cut) != result)
        abort();
    if (strcmp(buf_text(&whole), buf_text(&cut)) != 0)
        abort();
    return 0;
}
