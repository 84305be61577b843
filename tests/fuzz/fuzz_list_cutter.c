/* First byte: piece size. Rest: the stream. Properties: the cut does not matter; and a text that
 * jansson takes for an object with a list of objects in "items" gives as many items. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "kube/list_cutter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_item(void *context, struct span item, struct err *err)
{
    *(size_t *)context += item.length + 1;
    (void)err;
    return 0;
}

static int cut(struct span text, size_t piece, size_t *ret_seen)
{
    struct list_cutter cutter;
    const char *version, *token;
    struct err err;
    int result = 0;

    list_cutter_init(&cutter, count_item, ret_seen);
    for (size_t at = 0; at < text.length && result == 0; at += piece) {
        size_t length = text.length - at < piece ? text.length - at : piece;

        result = list_cutter_push(&cutter, (struct span){ text.data + at, length }, &err);
    }
    if (result == 0)
        result = list_cutter_finish(&cutter, &version, &token, &err);
    list_cutter_release(&cutter);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t once = 0, pieces = 0;
    struct span text = { (const char *)data + 1, size - 1 };
    struct err err;

    if (size < 2)
        return 0;
    int result = cut(text, text.length, &once);
    if (cut(text, (size_t)data[0] + 1, &pieces) != result || (result == 0 && once != pieces))
        abort();
    auto_json json_t *tree = jx_parse(text, LIMIT_JSON_DOCUMENT, "list", &err);
    json_t *items = json_object_get(tree, "items"), *item;
    size_t i;
    bool objects = json_is_array(items) && !memchr(data, '\\', size); /* "\u0069tems" */

    json_array_foreach(items, i, item) objects = objects && json_is_object(item);
    if (objects && (result < 0 || (once == 0) != (json_array_size(items) == 0)))
        abort();
    return 0;
}
