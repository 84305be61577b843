/* What is cut out of JSON leaves JSON, in which nothing else is missing. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/prune.h"

/* The tree without what the paths below name, however its names are written. */
static json_t *without(struct span text)
{
    json_t *tree = jx_parse(text, LIMIT_JSON_DOCUMENT, "input", NULL);

    json_object_del(tree, "c");
    json_object_del(tree, "a.b");
    json_object_del(json_object_get(tree, "a"), "b");
    return tree;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "a.b", "c", NULL };
    auto_buf struct buf storage = { .maximum = size };
    struct span text = { (const char *)data, size };
    struct span pruned = prune(text, NULL, paths, &storage);
    auto_json json_t *before = without(text);
    auto_json json_t *after = without(pruned);

    if (storage.overflow || pruned.length > size)
        abort();
    if (before && (!after || !json_equal(before, after)))
        abort();
    return 0;
}
