/* Whatever a server answers: what is taken has a size, a generation of digits and texts that end.
 */
#include "base/mem.h"
#include "store/download.h"
#include "store/gs_key.h"
#include "store/gs_object.h"

static void check_object(const struct gs_object *object)
{
    const char *generation = object->info.generation;

    if (!object->name || !*object->name || object->info.bytes < 0 || !*generation ||
        generation[strspn(generation, "0123456789")])
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct span text = { (const char *)data, size };
    auto_free char *copy = mem_strndup(text.data, size);
    auto_arena struct arena arena = { 0 };
    struct gs_object object;
    struct gs_page page;
    struct gs_key key;
    uint64_t number;
    struct err err;

    if (gs_object_parse(text, &arena, &object, &err) == 0)
        check_object(&object);
    if (gs_page_parse(text, &arena, &page, &err) == 0)
        for (size_t i = 0; i < page.object_count; i++)
            check_object(&page.objects[i]);
    if (gs_key_parse(text, "key", &arena, &key, &err) == 0 && (!key.email || !key.private_key))
        __builtin_trap();
    auto_free char *endpoint = gs_endpoint_parse(copy, &err);
    if (endpoint && (strncmp(endpoint, "http", 4) != 0 || endpoint[strlen(endpoint) - 1] == '/'))
        __builtin_trap();
    if (gs_stored_parse(copy, &number, &err) == 0 && number == 1)
        __builtin_trap();
    if (download_parse_content_range(copy, &number, &err) == 0 && number > INT64_MAX)
        __builtin_trap();
    return 0;
}
