/* Properties: a page's entries have what they must have, in bounds; decoding never makes a key
 * longer than the answer; tags can stand in a header. */
#include <stdint.h>

#include "store/s3_answers.h"

static void check_page(const struct s3_page *page, size_t size)
{
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_object *object = &page->objects[i];

        if (!object->key || strlen(object->key) > size || object->bytes < 0)
            abort();
        if (strlen(object->etag) >= S3_ETAG || strpbrk(object->etag, " \"\r\n"))
            abort();
    }
    for (size_t i = 0; i < page->prefix_count; i++)
        if (!page->prefixes[i])
            abort();
    if (page->next && !*page->next)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct span body = { size > 0 ? (const char *)data : "", size };
    struct s3_problem problem;
    struct s3_page page;
    struct err err;

    if (s3_read_page(body, "answer", &arena, &page, &err) == 0)
        check_page(&page, 3 * size); /* ISO-8859-1 grows in UTF-8 */
    if (s3_read_problem(body, &arena, &problem) && !problem.code)
        abort();
    return 0;
}
