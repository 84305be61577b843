#include "store/s3_answers.h"

#include "base/num.h"
#include "base/uri.h"
#include "store/xml.h"

/* S3 gives 1000 at most, whatever is asked for; others may give what was asked for. */
#define PAGE_MAXIMUM 10000

static char *copy(struct arena *arena, struct span text)
{
    return arena_strndup(arena, text.data, text.length);
}

int s3_read_etag(struct span text, char ret_etag[S3_ETAG], struct err *err)
{
    if (text.length > 2 && text.data[0] == 'W' && text.data[1] == '/')
        text.data += 2, text.length -= 2;
    if (text.length >= 2 && text.data[0] == '"' && text.data[text.length - 1] == '"')
        text.data++, text.length -= 2;
    if (text.length == 0 || text.length >= S3_ETAG)
        return err_set(err, ERR_INVALID, "an entity tag must have 1 to %d characters", S3_ETAG - 1);
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '"')
            return err_set(err, ERR_INVALID, "an entity tag must be printable ASCII");
    memcpy(ret_etag, text.data, text.length);
    ret_etag[text.length] = '\0';
    return 0;
}

/* --- a page --------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    const char *what;
    struct s3_page page;
    struct s3_object object; /* the one that is being read */
    const char *prefix;
    bool is_page, is_truncated, is_encoded;
};

/* Makes room for one more at every power of two. */
static void *grow(struct arena *arena, void *items, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return items;
    void *more = arena_zero(arena, count > 0 ? 2 * count : 1, size);
    if (count > 0)
        memcpy(more, items, count * size);
    return more;
}

static int bad_entry(const struct reading *reading, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: the listing has an entry %s", reading->what, why);
}

static int end_object(struct reading *reading, struct err *err)
{
    struct s3_page *page = &reading->page;

    if (!reading->object.key || reading->object.bytes < 0)
        return bad_entry(reading, "without Key or Size", err);
    if (page->object_count == PAGE_MAXIMUM)
        return bad_entry(reading, "too many", err);
    page->objects = grow(reading->arena, page->objects, page->object_count, sizeof(*page->objects));
    page->objects[page->object_count++] = reading->object;
    return 0;
}

static int end_prefix(struct reading *reading, struct err *err)
{
    struct s3_page *page = &reading->page;

    if (!reading->prefix)
        return bad_entry(reading, "without Prefix", err);
    if (page->prefix_count == PAGE_MAXIMUM)
        return bad_entry(reading, "too many", err);
    page->prefixes =
        grow(reading->arena, page->prefixes, page->prefix_count, sizeof(*page->prefixes));
    page->prefixes[page->prefix_count++] = reading->prefix;
    reading->prefix = NULL;
    return 0;
}

static int read_object(struct reading *reading, const char *name, struct span text, struct err *err)
{
    struct s3_object *object = &reading->object;

    if (strcmp(name, "Key") == 0)
        object->key = copy(reading->arena, text);
    else if (strcmp(name, "ETag") == 0 && text.length > 0 && !span_equals(text, "\"\""))
        return s3_read_etag(text, object->etag, err) < 0 ? err_wrap(err, "%s", reading->what) : 0;
    else if (strcmp(name, "Size") == 0 && num_int64(text, 0, INT64_MAX, &object->bytes, err) < 0)
        return err_wrap(err, "%s: Size", reading->what);
    else if (strcmp(name, "LastModified") == 0 && num_time_ms(text, &object->updated_ms, err) < 0)
        return err_wrap(err, "%s: LastModified", reading->what);
    return 0;
}

static int on_page_element(void *context, const char *path, struct span text, struct err *err)
{
    static const char root[] = "ListBucketResult/", object[] = "Contents/";
    struct reading *reading = context;

    reading->is_page = strcmp(path, "ListBucketResult") == 0; /* the last one to end */
    if (strncmp(path, root, strlen(root)) != 0)
        return 0;
    path += strlen(root);
    if (strncmp(path, object, strlen(object)) == 0)
        return read_object(reading, path + strlen(object), text, err);
    if (strcmp(path, "Contents") == 0) {
        int result = end_object(reading, err);

        reading->object = (struct s3_object){ .bytes = -1 };
        return result;
    }
    if (strcmp(path, "CommonPrefixes/Prefix") == 0)
        reading->prefix = copy(reading->arena, text);
    else if (strcmp(path, "CommonPrefixes") == 0)
        return end_prefix(reading, err);
    else if (strcmp(path, "IsTruncated") == 0)
        reading->is_truncated = span_equals(text, "true");
    else if (strcmp(path, "NextContinuationToken") == 0)
        reading->page.next = copy(reading->arena, text);
    else if (strcmp(path, "EncodingType") == 0)
        reading->is_encoded = span_equals(text, "url");
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* As forms are encoded; what is no escape stays. */
static const char *decode(struct arena *arena, const char *text)
{
    char *plain = arena_strdup(arena, text), *end = plain;

    for (const char *at = text; *at; at++) {
        int high = *at == '%' ? digit_of(at[1]) : -1;
        int low = high >= 0 ? digit_of(at[2]) : -1;
        bool is_escape = low >= 0 && (high | low) != 0; /* a NUL stays an escape */

        *end++ = (char)(is_escape ? high << 4 | low : *at == '+' ? ' ' : *at);
        at += is_escape ? 2 : 0;
    }
    *end = '\0';
    return plain;
}

int s3_read_page(struct span body, const char *what, struct arena *arena, struct s3_page *ret_page,
                 struct err *err)
{
    struct reading reading = { .arena = arena, .what = what, .object.bytes = -1 };
    struct s3_page *page = &reading.page;

    if (xml_walk(body, what, on_page_element, &reading, err) < 0)
        return -1;
    if (!reading.is_page)
        return err_set(err, ERR_INVALID, "%s: the answer is no ListBucketResult", what);
    if (!reading.is_truncated)
        page->next = NULL;
    else if (!page->next || !*page->next)
        return err_set(err, ERR_INVALID, "%s: the listing goes on, but does not say where", what);
    for (size_t i = 0; reading.is_encoded && i < page->object_count; i++)
        page->objects[i].key = decode(arena, page->objects[i].key);
    for (size_t i = 0; reading.is_encoded && i < page->prefix_count; i++)
        page->prefixes[i] = decode(arena, page->prefixes[i]);
    *ret_page = *page;
    return 0;
}

/* --- single texts --------------------------------------------------------- */

struct search {
    struct arena *arena;
    const char *path, *text;
};

static int on_element(void *context, const char *path, struct span text, struct err *err)
{
    struct search *search = context;

    (void)err;
    if (!search->text && strcmp(path, search->path) == 0)
        search->text = copy(search->arena, text);
    return 0;
}

const char *s3_read_text(struct span body, const char *path, struct arena *arena)
{
    struct search search = { .arena = arena, .path = path };
    struct err ignored;

    return xml_walk(body, "answer", on_element, &search, &ignored) < 0 ? NULL : search.text;
}

bool s3_read_problem(struct span body, struct arena *arena, struct s3_problem *ret_problem)
{
    *ret_problem = (struct s3_problem){ 0 };
    if (body.length == 0 || !memmem(body.data, body.length, "<Error", 6))
        return false; /* as nearly always */
    *ret_problem = (struct s3_problem){
        .code = s3_read_text(body, "Error/Code", arena),
        .message = s3_read_text(body, "Error/Message", arena),
        .region = s3_read_text(body, "Error/Region", arena),
    };
    if (!ret_problem->code) /* of the token service */
        *ret_problem = (struct s3_problem){
            .code = s3_read_text(body, "ErrorResponse/Error/Code", arena),
            .message = s3_read_text(body, "ErrorResponse/Error/Message", arena),
        };
    return ret_problem->code != NULL;
}
