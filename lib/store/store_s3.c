/* store_s3.c - looking at objects, reading, listing and removing them. */
#include "store/store_s3.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/num.h"
#include "store/download.h"
#include "store/s3_parts.h"

int s3_key(const struct s3_store *store, const char *uri, bool folder, const char **ret_key,
           struct err *err)
{
    static const char *const schemes[] = { "s3", NULL };
    struct uri parsed;

    if (uri_parse(uri, schemes, &parsed, err))
        return -1;
    if (!span_equals(parsed.authority, s3_bucket_name(store->bucket)))
        return err_set(err, ERR_INVALID, "%s is not in the bucket %s", uri,
                       s3_bucket_name(store->bucket));
    if (folder ? parsed.path.length > 0 && !parsed.is_folder : parsed.is_folder)
        return err_set(err, ERR_INVALID, "%s: expected the URI of a %s", uri,
                       folder ? "folder, which ends in '/'" : "file");
    *ret_key = parsed.path.data;
    return 0;
}

/* --- generations ---------------------------------------------------------- */

void s3_generation(const char *etag, int64_t updated_ms, char ret_generation[STORE_GENERATION])
{
    snprintf(ret_generation, STORE_GENERATION, "%s-%" PRId64, etag, updated_ms / 1000);
}

void s3_etag_of(const char *generation, char ret_etag[S3_ETAG])
{
    const char *minus = strrchr(generation, '-');
    size_t length = minus ? (size_t)(minus - generation) : 0;

    snprintf(ret_etag, S3_ETAG, "%.*s", (int)length, generation);
}

const char *s3_quoted(const char *etag, struct arena *arena)
{
    return arena_format(arena, "\"%s\"", etag);
}

/* --- looking -------------------------------------------------------------- */

static bool is_hex(const char *text)
{
    return text[strspn(text, "0123456789abcdef")] == '\0';
}

/* Of objects that are encrypted with keys of the user's the tag is no MD5. */
static bool tag_is_md5(const struct http_reply *reply, const char *etag)
{
    const char *encryption = http_reply_header(reply, "x-amz-server-side-encryption");

    return strlen(etag) == 32 && is_hex(etag) &&
           !(encryption && strncmp(encryption, "aws:kms", 7) == 0) &&
           !http_reply_header(reply, "x-amz-server-side-encryption-customer-algorithm");
}

static int read_head(const char *uri, const struct http_reply *reply, struct arena *arena,
                     struct s3_head *ret_head, struct err *err)
{
    const char *length = http_reply_header(reply, "Content-Length");
    const char *date = http_reply_header(reply, "Last-Modified");
    const char *tag = http_reply_header(reply, "ETag");
    const char *crc32c = http_reply_header(reply, "x-amz-checksum-crc32c");
    const char *mark = http_reply_header(reply, S3_MARK_HEADER);
    struct s3_head head = { 0 };
    int64_t updated_ms;

    if (!length || !date || !tag)
        return err_set(err, ERR_INVALID,
                       "%s: the server says no Content-Length, Last-Modified or ETag", uri);
    if (num_int64(span_of(length), 0, INT64_MAX, &head.info.bytes, err) < 0 ||
        http_date(date, &updated_ms, err) < 0 || s3_read_etag(span_of(tag), head.etag, err) < 0)
        return err_wrap(err, "%s", uri);
    head.info.updated_ns = store_nanoseconds_of_ms(updated_ms);
    s3_generation(head.etag, updated_ms, head.info.generation);
    head.etag_is_md5 = tag_is_md5(reply, head.etag);
    if (crc32c && strlen(crc32c) == 8) /* longer with "-COUNT": of the parts' checksums */
        head.crc32c = arena_strdup(arena, crc32c);
    if (mark)
        head.mark = arena_strdup(arena, mark);
    *ret_head = head;
    return 0;
}

/* An answer to HEAD has no body: why it is a 400, GET says, and so does what has keys renewed that
 * have expired. */
static int ask_why(struct s3_store *store, const struct s3_question *head, struct err *err)
{
    static const struct http_header one_byte = { "Range", "bytes=0-0" };
    struct s3_question question = *head;
    auto_answer struct remote_answer answer = { 0 };

    question.method = "GET";
    question.headers = &one_byte;
    question.header_count = 1;
    if (s3_ask(store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status / 100 == 2 || answer.reply.status == 416) /* of an empty object */
        return 0;
    return s3_fail(&question, &answer, err);
}

int s3_look(struct s3_store *store, const char *uri, const char *key, struct arena *arena,
            struct s3_head *ret_head, struct err *err)
{
    static const struct http_header headers[] = { { "x-amz-checksum-mode", "ENABLED" } };
    const struct s3_question question = { .what = uri,
                                          .right =
                                              "s3:GetObject, and s3:ListBucket to be told that "
                                              "there is no object",
                                          .method = "HEAD",
                                          .key = key,
                                          .headers = headers,
                                          .header_count = ARRAY_SIZE(headers) };
    auto_answer struct remote_answer answer = { 0 };

    if (s3_ask(store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status == 400) {
        remote_answer_release(&answer);
        if (ask_why(store, &question, err) < 0 ||
            s3_ask(store->bucket, &question, &answer, err) < 0)
            return -1;
    }
    if (answer.reply.status != 200)
        return s3_fail(&question, &answer, err);
    return read_head(uri, &answer.reply, arena, ret_head, err);
}

static int s3_stat(struct store *store, const char *uri, struct store_info *ret_info,
                   struct err *err)
{
    struct s3_store *self = (struct s3_store *)store;
    auto_arena struct arena arena = { 0 };
    struct s3_head head;
    const char *key;

    if (s3_key(self, uri, false, &key, err) < 0 || s3_look(self, uri, key, &arena, &head, err) < 0)
        return -1;
    *ret_info = head.info;
    return 0;
}

/* --- reading -------------------------------------------------------------- */

static void set_checksum(const struct s3_head *head, struct download *download)
{
    auto_buf struct buf text = { .maximum = CHECKSUM_TEXT };
    unsigned char md5[16];

    if (head->crc32c) {
        download->checksum_kind = CHECKSUM_CRC32C;
        buf_string(&text, head->crc32c);
    } else if (head->etag_is_md5) {
        for (size_t i = 0; i < sizeof(md5); i++) {
            const char *digits = "0123456789abcdef", *at = head->etag + 2 * i;

            md5[i] = (unsigned char)((strchr(digits, at[0]) - digits) << 4 |
                                     (strchr(digits, at[1]) - digits));
        }
        download->checksum_kind = CHECKSUM_MD5;
        base64_encode(&text, (struct span){ (const char *)md5, sizeof(md5) });
    }
    snprintf(download->checksum, sizeof(download->checksum), "%s", buf_text(&text));
}

static void set_range(const struct store_range *range, uint64_t size, struct download *download)
{
    download->begin = range && range->offset < size ? range->offset : range ? size : 0;
    download->end = size;
    if (range && range->length > 0 && range->length < size - download->begin)
        download->end = download->begin + range->length;
    download->whole = download->begin == 0 && download->end == size;
}

static struct store_reader *s3_get(struct store *store, const char *uri, const char *generation,
                                   const struct store_range *range, struct store_info *ret_info,
                                   struct err *err)
{
    struct s3_store *self = (struct s3_store *)store;
    auto_arena struct arena arena = { 0 };
    struct download download = { 0 };
    struct s3_head head;
    const char *key;

    if (s3_key(self, uri, false, &key, err) < 0 || s3_look(self, uri, key, &arena, &head, err) < 0)
        return NULL;
    if (generation && strcmp(generation, head.info.generation) != 0) {
        store_fail_changed(uri, err);
        return NULL;
    }
    const struct http_header header = { "If-Match", s3_quoted(head.etag, &arena) };
    const struct s3_question question = { .what = uri,
                                          .right = "s3:GetObject",
                                          .method = "GET",
                                          .key = key,
                                          .headers = &header,
                                          .header_count = 1 };

    if (s3_remote_question(self->bucket, &question, &arena, &download.question, err) < 0)
        return NULL;
    set_range(range, (uint64_t)head.info.bytes, &download);
    set_checksum(&head, &download);
    if (ret_info)
        *ret_info = head.info;
    return download_new(s3_bucket_remote(self->bucket), &download);
}

/* --- listing -------------------------------------------------------------- */

struct listing {
    struct s3_store *store;
    const char *uri, *prefix;
    bool deep; /* also what is in folders below */
    int (*on_page)(const struct listing *listing, const struct s3_page *page, struct err *err);
    store_visit visit;
    void *context;
};

static int ask_page(const struct listing *listing, const char *token, struct arena *arena,
                    struct s3_page *ret_page, struct err *err)
{
    struct http_header parameters[6] = { { "list-type", "2" },
                                         { "prefix", listing->prefix },
                                         { "encoding-type", "url" } };
    struct s3_question question = { .what = listing->uri,
                                    .right = "s3:ListBucket",
                                    .method = "GET",
                                    .key = "",
                                    .parameters = parameters,
                                    .parameter_count = 3 };
    auto_answer struct remote_answer answer = { 0 };

    if (!listing->deep)
        parameters[question.parameter_count++] = (struct http_header){ "delimiter", "/" };
    if (token)
        parameters[question.parameter_count++] =
            (struct http_header){ "continuation-token", token };
    if (s3_ask(listing->store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status != 200)
        return s3_fail(&question, &answer, err);
    return s3_read_page(answer.reply.body, listing->uri, arena, ret_page, err);
}

static int walk_pages(const struct listing *listing, struct err *err)
{
    const struct remote *remote = s3_bucket_remote(listing->store->bucket);
    int64_t deadline_ms = remote_walk_deadline_ms(remote);
    auto_free char *token = NULL;

    for (unsigned pages = 0; pages < LIMIT_STORE_PAGES; pages++) {
        auto_arena struct arena arena = { 0 };
        struct s3_page page;

        if (remote_check_walk(remote, listing->uri, deadline_ms, err) < 0 ||
            ask_page(listing, token, &arena, &page, err) < 0 ||
            listing->on_page(listing, &page, err) < 0)
            return -1;
        if (!page.next)
            return 0;
        if (token && strcmp(token, page.next) == 0)
            return err_set(err, ERR_INVALID, "%s: the server's listing does not get on",
                           listing->uri);
        free(token);
        token = mem_strdup(page.next);
    }
    return err_set(err, ERR_TOO_BIG, "%s: the listing has more than %d pages", listing->uri,
                   LIMIT_STORE_PAGES);
}

/* NULL: it is not directly in the folder, or the folder itself. */
static char *name_below(const char *prefix, const char *key)
{
    size_t length = strlen(prefix), rest;

    if (strncmp(key, prefix, length) != 0 || !key[length])
        return NULL;
    rest = strcspn(key + length, "/");
    return rest > 0 ? mem_strndup(key + length, rest) : NULL;
}

static int show_page(const struct listing *listing, const struct s3_page *page, struct err *err)
{
    for (size_t i = 0; i < page->prefix_count; i++) {
        auto_free char *name = name_below(listing->prefix, page->prefixes[i]);
        const struct store_entry entry = { .name = name, .is_folder = true };

        if (name && listing->visit(listing->context, &entry, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_object *object = &page->objects[i];
        auto_free char *name = name_below(listing->prefix, object->key);
        struct store_entry entry = {
            .name = name,
            .info = { .bytes = object->bytes,
                      .updated_ns = store_nanoseconds_of_ms(object->updated_ms) },
        };

        s3_generation(object->etag, object->updated_ms, entry.info.generation);
        if (name && listing->visit(listing->context, &entry, err) < 0)
            return -1;
    }
    return 0;
}

static int s3_walk(struct store *store, const char *folder_uri, store_visit visit, void *context,
                   struct err *err)
{
    struct listing listing = { .store = (struct s3_store *)store,
                               .uri = folder_uri,
                               .on_page = show_page,
                               .visit = visit,
                               .context = context };

    if (s3_key(listing.store, folder_uri, true, &listing.prefix, err) < 0)
        return -1;
    return walk_pages(&listing, err);
}

/* --- removing ------------------------------------------------------------- */

/* S3 does not say whether there was an object. */
static int delete_key(struct s3_store *store, const char *what, const char *key, struct err *err)
{
    const struct s3_question question = {
        .what = what, .right = "s3:DeleteObject", .method = "DELETE", .key = key
    };
    auto_answer struct remote_answer answer = { 0 };

    if (s3_ask(store->bucket, &question, &answer, err) < 0)
        return -1;
    if (answer.reply.status == 404 || (answer.reply.status >= 200 && answer.reply.status < 300))
        return 0;
    return s3_fail(&question, &answer, err);
}

static int s3_remove(struct store *store, const char *uri, struct err *err)
{
    struct s3_store *self = (struct s3_store *)store;
    auto_arena struct arena arena = { 0 };
    struct s3_head head;
    const char *key;

    if (s3_key(self, uri, false, &key, err) < 0 || s3_look(self, uri, key, &arena, &head, err) < 0)
        return -1;
    return delete_key(self, uri, key, err);
}

static int delete_page(const struct listing *listing, const struct s3_page *page, struct err *err)
{
    for (size_t i = 0; i < page->object_count; i++)
        if (strncmp(page->objects[i].key, listing->prefix, strlen(listing->prefix)) == 0 &&
            delete_key(listing->store, listing->uri, page->objects[i].key, err) < 0)
            return -1;
    return 0;
}

static int s3_remove_folder(struct store *store, const char *folder_uri, struct err *err)
{
    struct listing listing = {
        .store = (struct s3_store *)store, .uri = folder_uri, .deep = true, .on_page = delete_page
    };

    if (s3_key(listing.store, folder_uri, true, &listing.prefix, err) < 0)
        return -1;
    if (!*listing.prefix)
        return err_set(err, ERR_INVALID, "%s is a whole bucket, which is not removed", folder_uri);
    return walk_pages(&listing, err);
}

/* --- life ----------------------------------------------------------------- */

static void s3_close(struct store *store)
{
    struct s3_store *self = (struct s3_store *)store;

    s3_bucket_free(self->bucket);
    free(self);
}

static struct s3_client *client_of(struct stores *stores, struct err *err)
{
    pthread_mutex_lock(&stores->mutex);
    if (!stores->s3)
        stores->s3 = s3_client_new(stores->remote, err);
    struct s3_client *client = stores->s3;
    pthread_mutex_unlock(&stores->mutex);
    return client;
}

struct store *store_s3_open(struct stores *stores, const struct uri *uri, struct err *err)
{
    static const struct store_driver driver = {
        .stat = s3_stat,
        .get = s3_get,
        .put = s3_put,
        .remove = s3_remove,
        .walk = s3_walk,
        .remove_folder = s3_remove_folder,
        .close = s3_close,
    };
    struct s3_client *client = client_of(stores, err);

    if (!client)
        return NULL;
    struct s3_store *self = mem_zero(1, sizeof(*self));
    self->base.driver = &driver;
    self->bucket = s3_bucket_new(client, uri->authority);
    return &self->base;
}
