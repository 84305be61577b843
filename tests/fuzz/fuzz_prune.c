/* What is cut out of JSON leaves JSON, in which nothing else is missing; what is picked out of it
 * is JSON with nothing else; and the text of a member is that member. */
#include <stdint.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/prune.h"

static json_t *parse(struct span text)
{
    return jx_parse(text, LIMIT_JSON_DOCUMENT, "input", NULL);
}

/* The tree without what the paths below name, however its names are written. */
static json_t *without(struct span text)
{
    json_t *tree = parse(text), *around = json_object_get(tree, "a");

    json_object_del(tree, "c");
    json_object_del(tree, "a.b");
    json_object_del(around, "b");
    for (size_t i = 0; i < json_array_size(around); i++)
        json_object_del(json_array_get(around, i), "b");
    return tree;
}

/* New reference: of an object only "b", of a list only that of each object, all of anything else.
 */
static json_t *only_inner(json_t *around)
{
    if (!json_is_object(around) && !json_is_array(around))
        return json_incref(around);
    json_t *left = json_is_object(around) ? json_object() : json_array();

    if (json_object_get(around, "b"))
        json_object_set(left, "b", json_object_get(around, "b"));
    for (size_t i = 0; i < json_array_size(around); i++) {
        json_t *item = json_array_get(around, i);

        json_array_append_new(left, json_is_object(item) ? only_inner(item) : json_incref(item));
    }
    return left;
}

/* Nothing but what the paths below name. */
static json_t *only(const json_t *tree)
{
    json_t *left = json_object();

    if (json_object_get(tree, "c"))
        json_object_set(left, "c", json_object_get(tree, "c"));
    if (json_object_get(tree, "a.b"))
        json_object_set(left, "a.b", json_object_get(tree, "a.b"));
    if (json_object_get(tree, "a"))
        json_object_set_new(left, "a", only_inner(json_object_get(tree, "a")));
    return left;
}

static void try_to_pick(struct span text, const char *const *paths)
{
    auto_buf struct buf storage = { .maximum = text.length };
    struct span picked = pick(text, paths, &storage), member = member_text(text, "a");
    auto_json json_t *whole = parse(text), *left = parse(picked);

    if (storage.overflow || picked.length > text.length)
        abort();
    if (member.length > 0 &&
        (member.data < text.data || member.data + member.length > text.data + text.length))
        abort();
    if (!json_is_object(whole) || memchr(text.data, '\\', text.length))
        return; /* names that are written with escapes are others */
    auto_json json_t *expected = only(whole), *of_member = NULL;

    if (!left || !json_equal(left, expected))
        abort();
    if (member.length > 0)
        of_member = parse(member);
    if ((member.length > 0) != (json_object_get(whole, "a") != NULL) ||
        (of_member && !json_equal(of_member, json_object_get(whole, "a"))))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "a.b", "c", NULL };
    auto_buf struct buf storage = { .maximum = size };
    struct span text = { (const char *)data, size };
    struct span pruned = prune(text, paths, &storage);
    auto_json json_t *before = without(text);
    auto_json json_t *after = without(pruned);

    if (storage.overflow || pruned.length > size)
        abort();
    if (before && (!after || !json_equal(before, after)))
        abort();
    try_to_pick(text, paths);
    return 0;
}
