#include "store/gs_object.h"

#include "base/fields.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/uri.h"
#include "store/store_driver.h"

struct resource {
    const char *name, *size, *generation, *crc32c, *encoding;
    int64_t created_ms;
    json_t *metadata;
};
static const struct field resource_items[] = {
    FIELD(struct resource, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY,
          .maximum = LIMIT_OBJECT_NAME),
    FIELD(struct resource, size, "size", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 20),
    FIELD(struct resource, generation, "generation", FIELD_STRING,
          .flags = FIELD_REQUIRED | FIELD_NONEMPTY, .maximum = 20),
    FIELD(struct resource, created_ms, "timeCreated", FIELD_TIME),
    FIELD(struct resource, crc32c, "crc32c", FIELD_STRING, .maximum = CHECKSUM_TEXT - 1),
    FIELD(struct resource, encoding, "contentEncoding", FIELD_STRING),
    FIELD(struct resource, metadata, "metadata", FIELD_JSON),
};
static const struct fields resource_fields = FIELDS(struct resource, resource_items, .open = true);

struct page {
    json_t *items;
    json_t *prefixes;
    const char *next;
};
static const struct field page_items[] = {
    FIELD(struct page, items, "items", FIELD_JSON),
    FIELD(struct page, prefixes, "prefixes", FIELD_JSON),
    FIELD(struct page, next, "nextPageToken", FIELD_STRING, .maximum = 4096),
};
static const struct fields page_fields = FIELDS(struct page, page_items, .open = true);

/* Answers that make no sense are as good as none. */
static int strange(const struct err *why, struct err *err)
{
    return err_set(err, ERR_RETRY, "the answer is none of Google Cloud Storage: %s", why->message);
}

static json_t *parse(struct span text, const char *what, struct err *err)
{
    return jx_check_values(text, LIMIT_GS_VALUES, what, err)
               ? NULL
               : jx_parse_with_nul(text, LIMIT_JSON_DOCUMENT, what, err);
}

static int take_object(const json_t *json, struct arena *arena, struct gs_object *ret_object,
                       struct err *err)
{
    struct resource resource;
    struct gs_object object = { 0 };
    int64_t generation;

    if (fields_decode(json, &resource_fields, "", arena, &resource, err) ||
        num_int64(span_of(resource.size), 0, INT64_MAX, &object.info.bytes, err) ||
        num_int64(span_of(resource.generation), 1, INT64_MAX, &generation, err))
        return -1;
    object.name = resource.name;
    object.info.updated_ns = store_nanoseconds_of_ms(resource.created_ms);
    snprintf(object.info.generation, sizeof(object.info.generation), "%" PRId64, generation);
    snprintf(object.crc32c, sizeof(object.crc32c), "%s", resource.crc32c ? resource.crc32c : "");
    object.is_packed = resource.encoding && strcmp(resource.encoding, "gzip") == 0;
    if (jx_string(resource.metadata, GS_WRITER_KEY, NULL))
        object.writer = arena_strdup(arena, jx_string(resource.metadata, GS_WRITER_KEY, NULL));
    *ret_object = object;
    return 0;
}

int gs_object_parse(struct span text, struct arena *arena, struct gs_object *ret_object,
                    struct err *err)
{
    struct err why;
    auto_json json_t *json = parse(text, "object", &why);

    return json && take_object(json, arena, ret_object, &why) == 0 ? 0 : strange(&why, err);
}

/* No URI can name what has a NUL in its name. */
static bool has_nul(const json_t *name)
{
    return json_is_string(name) && !jx_text(name);
}

static int take_page(const json_t *json, struct arena *arena, struct gs_page *ret_page,
                     struct err *err)
{
    struct gs_page result = { 0 };
    struct page page;

    if (fields_decode(json, &page_fields, "", arena, &page, err))
        return -1;
    result.objects = arena_zero(arena, json_array_size(page.items), sizeof(*result.objects));
    result.prefixes = arena_zero(arena, json_array_size(page.prefixes), sizeof(*result.prefixes));
    for (size_t i = 0; i < json_array_size(page.items); i++) {
        const json_t *item = json_array_get(page.items, i);

        if (!has_nul(jx_get(item, "name", NULL)) &&
            take_object(item, arena, &result.objects[result.object_count++], err))
            return -1;
    }
    for (size_t i = 0; i < json_array_size(page.prefixes); i++) {
        const json_t *item = json_array_get(page.prefixes, i);
        const char *prefix = jx_text(item);

        if (has_nul(item))
            continue;
        if (!prefix)
            return err_set(err, ERR_INVALID, "prefixes[%zu]: must be a string", i);
        result.prefixes[result.prefix_count++] = arena_strdup(arena, prefix);
    }
    if (page.next && *page.next)
        result.next = page.next;
    *ret_page = result;
    return 0;
}

int gs_page_parse(struct span text, struct arena *arena, struct gs_page *ret_page, struct err *err)
{
    struct err why;
    auto_json json_t *json = parse(text, "list", &why);

    return json && take_page(json, arena, ret_page, &why) == 0 ? 0 : strange(&why, err);
}

int gs_stored_parse(const char *range, uint64_t *ret_stored, struct err *err)
{
    const char unit[] = "bytes=0-";
    struct err ignored;
    int64_t last = -1;

    if (range && (strncmp(range, unit, strlen(unit)) != 0 ||
                  num_int64(span_of(range + strlen(unit)), 0, INT64_MAX - 1, &last, &ignored)))
        return err_set(err, ERR_RETRY, "Range \"%.64s\" is not \"bytes=0-LAST\"", range);
    *ret_stored = last > 0 ? (uint64_t)(last + 1) : 0;
    return 0;
}

char *gs_endpoint_parse(const char *text, struct err *err)
{
    auto_free char *full = strstr(text, "://") ? mem_strdup(text) : mem_format("http://%s", text);
    size_t length = strlen(full);
    struct url url;

    while (length > 0 && full[length - 1] == '/')
        full[--length] = '\0';
    if (url_parse(full, &url, err))
        return NULL;
    if (url.path.length > 0) {
        err_set(err, ERR_INVALID, "must be a URL without a path, or HOST:PORT");
        return NULL;
    }
    return TAKE(full);
}
