/* store_gs.c - opening buckets, reading, listing and removing their objects. */
#include "store/store_gs.h"

#include <pthread.h>

#include "base/limits.h"
#include "net/proxy.h"
#include "store/download.h"
#include "store/gs_credentials.h"
#include "store/gs_parts.h"

#define OVERRIDE     "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"
#define ENDPOINT     "https://storage.googleapis.com"
#define PAGE_OBJECTS "1000"

/* --- opening --------------------------------------------------------------------- */

struct gs_account {
    char *endpoint;
    struct buf authorities; /* PEM */
    struct tls_options tls;
    struct gs_credentials *credentials;
};

void gs_account_free(struct gs_account *account)
{
    if (!account)
        return;
    gs_credentials_free(account->credentials);
    buf_release(&account->authorities);
    free(account->endpoint);
    free(account);
}

static int choose_endpoint(struct gs_account *account, const struct remote *remote,
                           const char *emulator, struct err *err)
{
    const char *variable = emulator ? "STORAGE_EMULATOR_HOST" : OVERRIDE;
    const char *text = emulator ? emulator : remote_variable(remote, variable);

    account->endpoint = text ? gs_endpoint_parse(text, err) : mem_strdup(ENDPOINT);
    return account->endpoint ? 0 : err_wrap(err, "%s", variable);
}

/* Whoever sees a token on its way can use it. */
static int check_endpoint(const struct gs_account *account, struct err *err)
{
    struct url url;

    if (!gs_credentials_signer(account->credentials))
        return 0;
    if (url_parse(account->endpoint, &url, err))
        return -1;
    if (url.https || proxy_is_loopback(url.host))
        return 0;
    return err_set(err, ERR_INVALID, OVERRIDE ": must be https:// where credentials are sent");
}

static int read_authorities(struct gs_account *account, const struct remote *remote,
                            struct err *err)
{
    const char *path = remote_variable(remote, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    struct err why = { 0 };

    buf_init(&account->authorities, LIMIT_CREDENTIAL);
    if (!path)
        return 0;
    if (remote_read_file(remote, path, &account->authorities, &why)) {
        if (why.kind == ERR_NOT_FOUND) /* a mounted Secret need not have one */
            return 0;
        *err = why;
        return -1;
    }
    account->tls.ca_pem = buf_text(&account->authorities);
    return 0;
}

static struct gs_account *new_account(struct remote *remote, struct err *err)
{
    struct gs_account *account = mem_zero(1, sizeof(*account));
    const char *emulator = remote_variable(remote, "STORAGE_EMULATOR_HOST");

    if (choose_endpoint(account, remote, emulator, err) == 0 &&
        read_authorities(account, remote, err) == 0)
        account->credentials = gs_credentials_new(remote, emulator != NULL, &account->tls, err);
    if (account->credentials && (emulator || check_endpoint(account, err) == 0))
        return account;
    gs_account_free(account);
    return NULL;
}

/* The one of all buckets. */
static struct gs_account *get_account(struct stores *stores, struct err *err)
{
    struct gs_account *account;

    pthread_mutex_lock(&stores->mutex);
    if (!stores->gs)
        stores->gs = new_account(stores->remote, err);
    account = stores->gs;
    pthread_mutex_unlock(&stores->mutex);
    return account;
}

/* --- questions ------------------------------------------------------------------- */

const char *gs_name(const struct gs_store *self, const char *uri, bool folder, struct err *err)
{
    static const char *const schemes[] = { "gs", NULL };
    struct uri parsed;

    if (uri_parse(uri, schemes, &parsed, err))
        return NULL;
    if (!span_equals(parsed.authority, self->bucket))
        err_set(err, ERR_INVALID, "%s is not in the bucket gs://%s", uri, self->bucket);
    else if (parsed.is_folder != folder)
        err_set(err, ERR_INVALID, "%s: expected the URI of %s", uri,
                folder ? "a folder, which ends in '/'" : "an object");
    else if (parsed.path.length > LIMIT_OBJECT_NAME)
        err_set(err, ERR_TOO_BIG, "%s: the name of an object has at most %d bytes", uri,
                LIMIT_OBJECT_NAME);
    else
        return parsed.path.data;
    return NULL;
}

char *gs_object_url(const struct gs_store *self, const char *name, const char *query)
{
    auto_buf struct buf url = { .maximum = LIMIT_URL };

    buf_format(&url, "%s/storage/v1/b/%s/o/", self->endpoint, self->bucket);
    uri_encode(&url, span_of(name), false);
    buf_string(&url, query);
    return buf_take(&url);
}

struct remote_question gs_question(const struct gs_store *self, const char *what, const char *right,
                                   const char *method, const char *url)
{
    return (struct remote_question){ .what = what,
                                     .right = right,
                                     .method = method,
                                     .url = url,
                                     .signer = self->signer,
                                     .tls = self->tls };
}

int gs_look(struct gs_store *self, const char *what, const char *name, struct arena *arena,
            struct gs_object *ret_object, struct err *err)
{
    auto_free char *url = gs_object_url(self, name, "?prettyPrint=false&fields=" GS_OBJECT_FIELDS);
    struct remote_question question = gs_question(self, what, "storage.objects.get", "GET", url);
    auto_answer struct remote_answer answer = { 0 };

    if (remote_ask(self->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    if (gs_object_parse(answer.reply.body, arena, ret_object, err))
        return err_wrap(err, "%s", what);
    return 0;
}

static int gs_stat(struct store *store, const char *uri, struct store_info *ret_info,
                   struct err *err)
{
    struct gs_store *self = (struct gs_store *)store;
    const char *name = gs_name(self, uri, false, err);
    auto_arena struct arena arena = { 0 };
    struct gs_object object;

    if (!name || gs_look(self, uri, name, &arena, &object, err))
        return -1;
    *ret_info = object.info;
    return 0;
}

/* --- reading --------------------------------------------------------------------- */

static int choose_range(const char *uri, const struct store_range *range,
                        const struct gs_object *object, struct download *download, struct err *err)
{
    uint64_t bytes = (uint64_t)object->info.bytes;

    download->end = bytes;
    download->whole = !range;
    if (!range)
        return 0;
    if (object->is_packed)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s is kept as gzip (contentEncoding): parts of it cannot be read", uri);
    download->begin = range->offset < bytes ? range->offset : bytes;
    if (range->length > 0 && range->length < bytes - download->begin)
        download->end = download->begin + range->length;
    return 0;
}

static struct store_reader *open_object(struct gs_store *self, const char *uri, const char *name,
                                        const struct gs_object *object,
                                        const struct store_range *range, struct err *err)
{
    static const struct http_header headers[] = { { "Accept-Encoding", "gzip" } };
    auto_free char *query = mem_format("?alt=media&generation=%s", object->info.generation);
    auto_free char *url = gs_object_url(self, name, query);
    struct download download = {
        .question = gs_question(self, uri, "storage.objects.get", "GET", url),
        .checksum_kind = object->crc32c[0] ? CHECKSUM_CRC32C : CHECKSUM_NONE,
        .generation = { "X-Goog-Generation", object->info.generation },
        .packed = object->is_packed,
    };

    if (choose_range(uri, range, object, &download, err))
        return NULL;
    memcpy(download.checksum, object->crc32c, sizeof(download.checksum));
    if (object->is_packed) { /* else it is unpacked on its way, and parts of it cannot be had */
        download.question.headers = headers;
        download.question.header_count = ARRAY_SIZE(headers);
    }
    return download_new(self->remote, &download);
}

static struct store_reader *gs_get(struct store *store, const char *uri, const char *generation,
                                   const struct store_range *range, struct store_info *ret_info,
                                   struct err *err)
{
    struct gs_store *self = (struct gs_store *)store;
    const char *name = gs_name(self, uri, false, err);
    auto_store_reader struct store_reader *reader = NULL;
    auto_arena struct arena arena = { 0 };
    struct gs_object object;

    if (!name || gs_look(self, uri, name, &arena, &object, err))
        return NULL;
    if (generation && strcmp(generation, object.info.generation) != 0) {
        store_fail_changed(uri, err);
        return NULL;
    }
    reader = open_object(self, uri, name, &object, range, err);
    if (reader && ret_info)
        *ret_info = object.info;
    return TAKE(reader);
}

/* --- listing --------------------------------------------------------------------- */

bool gs_is_part(const char *name)
{
    return strncmp(store_name(name), GS_PART_PREFIX, strlen(GS_PART_PREFIX)) == 0;
}

/* The caller frees. NULL: the server's token makes it longer than a URL may be. */
static char *list_url(const struct gs_store *self, const char *prefix, bool delimited,
                      const char *token, struct err *err)
{
    auto_buf struct buf url = { .maximum = LIMIT_URL };

    buf_format(&url,
               "%s/storage/v1/b/%s/o?prettyPrint=false&maxResults=" PAGE_OBJECTS
               "&fields=nextPageToken,prefixes,items(" GS_LISTED_FIELDS ")",
               self->endpoint, self->bucket);
    buf_string(&url, "&prefix=");
    uri_encode(&url, span_of(prefix), false);
    if (delimited)
        buf_string(&url, "&delimiter=%2F");
    if (token) {
        buf_string(&url, "&pageToken=");
        uri_encode(&url, span_of(token), false);
    }
    return buf_check(&url, "the URL of the next page", err) ? NULL : buf_take(&url);
}

/* *token: of the page; then of the next one, NULL after the last. */
static int list_page(struct gs_store *self, const char *what, const char *prefix, bool delimited,
                     char **token, gs_visit_page visit, void *context, struct err *err)
{
    auto_free char *url = list_url(self, prefix, delimited, *token, err);
    struct remote_question question = gs_question(self, what, "storage.objects.list", "GET", url);
    auto_answer struct remote_answer answer = { 0 };
    auto_arena struct arena arena = { 0 };
    struct gs_page page;

    if (!url)
        return err_wrap(err, "%s", what);
    if (remote_ask(self->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status != 200)
        return remote_fail(&question, &answer.reply, err);
    if (gs_page_parse(answer.reply.body, &arena, &page, err))
        return err_wrap(err, "%s", what);
    if (page.next && *token && strcmp(page.next, *token) == 0)
        return err_set(err, ERR_RETRY, "%s: the listing does not get on", what);
    free(*token);
    *token = page.next ? mem_strdup(page.next) : NULL;
    return visit(context, &page, err);
}

int gs_list(struct gs_store *self, const char *what, const char *prefix, bool delimited,
            gs_visit_page visit, void *context, struct err *err)
{
    int64_t deadline_ms = remote_walk_deadline_ms(self->remote);
    auto_free char *token = NULL;
    unsigned pages = 0;

    do {
        if (pages++ == LIMIT_STORE_PAGES)
            return err_set(err, ERR_TOO_BIG, "%s: the listing has more than %d pages", what,
                           LIMIT_STORE_PAGES);
        if (remote_check_walk(self->remote, what, deadline_ms, err) ||
            list_page(self, what, prefix, delimited, &token, visit, context, err))
            return -1;
    } while (token);
    return 0;
}

struct gs_walk {
    const char *prefix;
    store_visit visit;
    void *context;
};

/* What is between the prefix and `end`. NULL: it is not directly in the folder, or the folder
 * itself: an object with its name stands for an empty folder. */
static char *name_below(const char *prefix, const char *name, const char *end)
{
    size_t length = strlen(prefix), rest;

    if (strncmp(name, prefix, length) != 0)
        return NULL;
    rest = strcspn(name + length, "/");
    return rest > 0 && strcmp(name + length + rest, end) == 0 ? mem_strndup(name + length, rest)
                                                              : NULL;
}

static int show_page(void *context, const struct gs_page *page, struct err *err)
{
    const struct gs_walk *walk = context;

    for (size_t i = 0; i < page->object_count; i++) {
        const struct gs_object *object = &page->objects[i];
        auto_free char *name = name_below(walk->prefix, object->name, "");
        struct store_entry entry = { .name = name, .info = object->info };

        if (name && !gs_is_part(name) && walk->visit(walk->context, &entry, err))
            return -1;
    }
    for (size_t i = 0; i < page->prefix_count; i++) {
        auto_free char *name = name_below(walk->prefix, page->prefixes[i], "/");
        struct store_entry entry = { .name = name, .is_folder = true };

        if (name && walk->visit(walk->context, &entry, err))
            return -1;
    }
    return 0;
}

static int gs_walk(struct store *store, const char *folder_uri, store_visit visit, void *context,
                   struct err *err)
{
    struct gs_store *self = (struct gs_store *)store;
    const char *prefix = gs_name(self, folder_uri, true, err);
    struct gs_walk walk = { prefix, visit, context };

    return prefix ? gs_list(self, folder_uri, prefix, true, show_page, &walk, err) : -1;
}

/* --- removing ---------------------------------------------------------------------- */

int gs_remove(struct gs_store *self, const char *what, const char *name, const char *generation,
              struct err *err)
{
    auto_free char *query =
        generation ? mem_format("?ifGenerationMatch=%s", generation) : mem_strdup("");
    auto_free char *url = gs_object_url(self, name, query);
    struct remote_question question =
        gs_question(self, what, "storage.objects.delete", "DELETE", url);
    auto_answer struct remote_answer answer = { 0 };

    if (remote_ask(self->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status / 100 == 2 || (answer.reply.status == 404 && answer.attempts > 1))
        return 0;
    return remote_fail(&question, &answer.reply, err);
}

static int gs_remove_object(struct store *store, const char *uri, struct err *err)
{
    struct gs_store *self = (struct gs_store *)store;
    const char *name = gs_name(self, uri, false, err);

    return name ? gs_remove(self, uri, name, NULL, err) : -1;
}

struct removal {
    struct gs_store *self;
    const char *folder_uri, *prefix;
};

static int remove_page(void *context, const struct gs_page *page, struct err *err)
{
    const struct removal *removal = context;

    for (size_t i = 0; i < page->object_count; i++) {
        const char *name = page->objects[i].name;
        struct err why;

        if (strncmp(name, removal->prefix, strlen(removal->prefix)) != 0 ||
            gs_remove(removal->self, removal->folder_uri, name, NULL, &why) == 0 ||
            why.kind == ERR_NOT_FOUND)
            continue;
        return err_set(err, why.kind, "%s: cannot remove %s: %s", removal->folder_uri, name,
                       why.message);
    }
    return 0;
}

static int gs_remove_folder(struct store *store, const char *folder_uri, struct err *err)
{
    struct gs_store *self = (struct gs_store *)store;
    const char *prefix = gs_name(self, folder_uri, true, err);
    struct removal removal = { self, folder_uri, prefix };

    if (!prefix)
        return -1;
    if (!*prefix)
        return err_set(err, ERR_INVALID, "%s is a whole bucket, which is not removed", folder_uri);
    return gs_list(self, folder_uri, prefix, false, remove_page, &removal, err);
}

static void gs_close(struct store *store)
{
    struct gs_store *self = (struct gs_store *)store;

    free(self->bucket);
    free(self);
}

static const struct store_driver driver = {
    .stat = gs_stat,
    .get = gs_get,
    .put = gs_put,
    .remove = gs_remove_object,
    .walk = gs_walk,
    .remove_folder = gs_remove_folder,
    .close = gs_close,
};

struct store *store_gs_open(struct stores *stores, const struct uri *uri, struct err *err)
{
    struct gs_account *account = get_account(stores, err);
    struct gs_store *self;

    if (!account)
        return NULL;
    self = mem_zero(1, sizeof(*self));
    self->base.driver = &driver;
    self->remote = stores->remote;
    self->signer = gs_credentials_signer(account->credentials);
    self->tls = &account->tls;
    self->endpoint = account->endpoint;
    self->bucket = mem_strndup(uri->authority.data, uri->authority.length);
    return &self->base;
}
