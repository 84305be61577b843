/* Accepted URIs stay inside their text and folder; encoding leaves only safe characters. */
#include <stdint.h>

#include "base/mem.h"
#include "base/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const schemes[] = { "file", "gs", "s3", NULL };
    auto_free char *text = mem_strndup(size > 0 ? (const char *)data : "", size);
    auto_buf struct buf encoded = { 0 };
    struct uri uri;
    struct url url;

    buf_init(&encoded, 3 * size);
    uri_encode(&encoded, (struct span){ (const char *)data, size }, true);
    if (encoded.overflow || strpbrk(buf_text(&encoded), " \n\"<>?#&=") != NULL)
        abort();
    if (uri_parse(text, schemes, &uri, NULL) == 0) {
        if (uri.path.data + uri.path.length != text + strlen(text))
            abort();
        if (strstr(text, "/../") || (text[strlen(text) - 1] == '/') != uri.is_folder)
            abort();
    }
    if (url_parse(text, &url, NULL) == 0) {
        if (url.host.length == 0 || url.port > 65535 || memchr(url.host.data, '@', url.host.length))
            abort();
    }
    return 0;
}
