/* First byte: piece size. Rest: the bytes of a connection. Property: however they are cut, the
 * request ends in the same state after the same number of bytes. */
#include <stdint.h>

#include "base/limits.h"
#include "net/request.h"

static size_t push(struct request *request, struct span bytes, size_t piece)
{
    size_t taken = 0;

    request_init(request, LIMIT_HTTP_REQUEST_BODY);
    for (size_t at = 0; at < bytes.length && taken == at; at += piece) {
        size_t length = bytes.length - at < piece ? bytes.length - at : piece;

        taken += request_push(request, (struct span){ bytes.data + at, length });
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request whole, cut;

    if (size < 2)
        return 0;
    struct span bytes = { (const char *)data + 1, size - 1 };
    size_t taken = push(&whole, bytes, bytes.length);
    if (push(&cut, bytes, (size_t)data[0] + 1) != taken || cut.state != whole.state ||
        cut.refused_status != whole.refused_status || cut.header_count != whole.header_count ||
        cut.body.length != whole.body.length)
        abort();
    if (whole.state == REQUEST_COMPLETE &&
        (whole.path[0] != '/' || whole.body.length != whole.content_length))
        abort();
    request_release(&whole);
    request_release(&cut);
    return 0;
}
