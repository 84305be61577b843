/* Properties: what is found is a part of the text, without line breaks; a message never quotes it.
 */
#include <stdint.h>

#include "store/aws_profile.h"

static void check(const char *value, const char *text)
{
    if (value && (!*value || strpbrk(value, "\r\n") || !strstr(text, value)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct aws_profile profile = { 0 };
    const char *text = arena_strndup(&arena, size > 0 ? (const char *)data : "", size);
    struct err err;

    if (aws_profile_read(span_of(text), "file", "default", false, &arena, &profile, &err) < 0) {
        if (strncmp(err.message, "file line ", 10) != 0)
            abort();
        return 0;
    }
    check(profile.access_key_id, text);
    check(profile.secret_access_key, text);
    check(profile.session_token, text);
    check(profile.addressing_style, text);
    if (!profile.found && (profile.access_key_id || profile.region))
        abort();
    return 0;
}
