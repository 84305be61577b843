/* What parses also prints, as jansson does, and reads back as the same tree; patches lead where
 * they should. What is read as ordinary text is what jansson reads. */
#include <stdint.h>

#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"

static void compare_with_jansson(struct span text)
{
    auto_json json_t *read = jx_read(text);
    auto_json json_t *wanted =
        read ? json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL)
             : NULL;

    if (read && (!wanted || !json_equal(read, wanted)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare_with_jansson((struct span){ (const char *)data, size });
    struct err err = { 0 };
    auto_json json_t *value =
        jx_parse((struct span){ (const char *)data, size }, LIMIT_JSON_DOCUMENT, "input", &err);

    if (!value) {
        if (err.kind != ERR_INVALID && err.kind != ERR_TOO_BIG)
            abort();
        return 0;
    }
    auto_free char *text = jx_canonical(value);
    auto_free char *wanted = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    auto_json json_t *again = jx_parse(span_of(text), SIZE_MAX, "canonical text", NULL);
    auto_json json_t *empty = json_object();
    auto_json json_t *patch = jx_merge_diff(empty, value);
    auto_json json_t *reached = jx_merge_apply(empty, patch);
    auto_json json_t *rest = jx_merge_diff(reached, value);

    if (strcmp(text, wanted) != 0 || !again || !json_equal(value, again))
        abort();
    if (json_is_object(value) && json_object_size(rest) != 0)
        abort();
    return 0;
}
