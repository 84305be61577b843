/* Property: every URI that is taken from a push begins with its bucket and has a name behind it; a
 * subscription that is to be confirmed is Amazon's. */
#include <stdint.h>

#include "push.h"

static void check_uri(const char *uri)
{
    const char *bucket = uri + strlen("gs://"), *slash;

    if (strncmp(uri, "gs://", 5) != 0 && strncmp(uri, "s3://", 5) != 0)
        abort();
    slash = strchr(bucket, '/');
    if (!slash || slash == bucket || !slash[1])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct push push;
    struct err err;

    if (push_decode((struct span){ (const char *)data, size }, &arena, &push, &err) < 0)
        return 0;
    for (size_t i = 0; i < push.uris.count; i++)
        check_uri(push.uris.items[i]);
    if (push.subscribe_url && (strncmp(push.subscribe_url, "https://sns.", 12) != 0 ||
                               !strstr(push.subscribe_url, ".amazonaws.com")))
        abort();
    return 0;
}
