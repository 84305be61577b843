/* store.c - what all drivers share. */
#include "store/store.h"

#include "base/mem.h"
#include "base/uri.h"
#include "base/utf8.h"
#include "store/remote.h"
#include "store/store_driver.h"
#include "store/store_file.h"
#include "store/store_gs.h"
#include "store/store_s3.h"

#define NS_PER_SECOND INT64_C(1000000000)

/* --- stores --------------------------------------------------------------- */

struct stores *stores_new(const struct stores_options *options)
{
    struct stores *stores = mem_zero(1, sizeof(*stores));

    stores->remote = remote_new(options);
    pthread_mutex_init(&stores->mutex, NULL);
    return stores;
}

void stores_free(struct stores *stores)
{
    if (!stores)
        return;
    gs_account_free(stores->gs);
    s3_client_free(stores->s3);
    remote_free(stores->remote);
    pthread_mutex_destroy(&stores->mutex);
    free(stores);
}

void stores_cleanup(struct stores **stores)
{
    stores_free(*stores);
}

static struct store *open_file(struct stores *stores, const struct uri *uri, struct err *err)
{
    (void)stores, (void)uri, (void)err;
    return store_file_new(NULL);
}

/* A driver's way to open the store of a bucket; `stores` is not NULL. */
static const struct {
    const char *scheme;
    struct store *(*open)(struct stores *stores, const struct uri *uri, struct err *err);
} drivers[] = {
    { "file", open_file },
    { "gs", store_gs_open },
    { "s3", store_s3_open },
};

struct store *store_open(struct stores *stores, const char *uri, struct err *err)
{
    const char *schemes[ARRAY_SIZE(drivers) + 1] = { NULL };
    size_t count = stores ? ARRAY_SIZE(drivers) : 1; /* the first is file */
    struct uri parsed;

    for (size_t i = 0; i < count; i++)
        schemes[i] = drivers[i].scheme;
    if (uri_parse(uri, schemes, &parsed, err))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (span_equals(parsed.scheme, drivers[i].scheme))
            return drivers[i].open(stores, &parsed, err);
    __builtin_unreachable(); /* uri_parse() accepts these schemes only */
}

void store_close(struct store *store)
{
    if (store)
        store->driver->close(store);
}

void store_cleanup(struct store **store)
{
    store_close(*store);
}

int store_stat(struct store *store, const char *uri, struct store_info *ret_info, struct err *err)
{
    return store->driver->stat(store, uri, ret_info, err);
}

int store_delete(struct store *store, const char *uri, struct err *err)
{
    return store->driver->remove(store, uri, err);
}

/* --- reading ------------------------------------------------------------ */

struct store_reader *store_get(struct store *store, const char *uri, const char *generation,
                               const struct store_range *range, struct store_info *ret_info,
                               struct err *err)
{
    return store->driver->get(store, uri, generation, range, ret_info, err);
}

const struct byte_source *store_reader_source(struct store_reader *reader)
{
    return &reader->source;
}

void store_reader_free(struct store_reader *reader)
{
    if (reader)
        reader->free(reader);
}

void store_reader_cleanup(struct store_reader **reader)
{
    store_reader_free(*reader);
}

int store_get_text(struct store *store, const char *uri, size_t maximum, char **ret_text,
                   size_t *ret_length, struct err *err)
{
    auto_store_reader struct store_reader *reader = store_get(store, uri, NULL, NULL, NULL, err);
    auto_buf struct buf text = { 0 };
    char piece[8192];
    size_t length = 0;

    if (!reader)
        return -1;
    buf_init(&text, maximum);
    do {
        if (byte_source_read(&reader->source, piece, sizeof(piece), &length, err))
            return -1;
        buf_append(&text, piece, length);
    } while (length > 0 && !text.overflow);
    if (buf_check(&text, uri, err))
        return -1;
    *ret_length = text.length;
    *ret_text = buf_take(&text);
    return 0;
}

int64_t store_nanoseconds(int64_t seconds, int64_t nanoseconds)
{
    if (seconds < 0)
        return 0;
    if (seconds >= INT64_MAX / NS_PER_SECOND)
        return INT64_MAX;
    return seconds * NS_PER_SECOND + nanoseconds;
}

int64_t store_nanoseconds_of_ms(int64_t unix_ms)
{
    return store_nanoseconds(unix_ms < 0 ? -1 : unix_ms / 1000, unix_ms % 1000 * 1000000);
}

int store_fail_changed(const char *uri, struct err *err)
{
    return err_reason(err, ERR_GONE, "InputChanged", "%s is no longer the file that was chosen",
                      uri);
}

/* --- writing ------------------------------------------------------------ */

struct store_writer *store_put(struct store *store, const char *uri, enum store_condition condition,
                               const char *generation, struct err *err)
{
    return store->driver->put(store, uri, condition, generation, err);
}

int store_writer_append(struct store_writer *writer, const void *bytes, size_t length,
                        struct err *err)
{
    return writer->append(writer, bytes, length, err);
}

int store_writer_append_object(struct store_writer *writer, const char *uri, const char *generation,
                               struct err *err)
{
    return writer->append_object(writer, uri, generation, err);
}

int store_writer_commit(struct store_writer *writer, struct store_info *ret_info, struct err *err)
{
    return writer->commit(writer, ret_info, err);
}

void store_writer_free(struct store_writer *writer)
{
    if (writer)
        writer->free(writer);
}

void store_writer_cleanup(struct store_writer **writer)
{
    store_writer_free(*writer);
}

int store_put_text(struct store *store, const char *uri, struct span text,
                   enum store_condition condition, const char *generation, struct err *err)
{
    auto_store_writer struct store_writer *writer =
        store_put(store, uri, condition, generation, err);

    if (!writer || store_writer_append(writer, text.data, text.length, err))
        return -1;
    return store_writer_commit(writer, NULL, err);
}

/* --- folders ------------------------------------------------------------ */

void store_listing_release(struct store_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    *listing = (struct store_listing){ 0 };
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct store_entry *)a)->name, ((const struct store_entry *)b)->name);
}

int store_walk(struct store *store, const char *folder_uri, store_visit visit, void *context,
               struct err *err)
{
    return store->driver->walk(store, folder_uri, visit, context, err);
}

struct collection {
    struct store_listing listing;
    const char *folder_uri;
};

static int collect(void *context, const struct store_entry *entry, struct err *err)
{
    struct collection *collection = context;
    struct store_listing *listing = &collection->listing;
    size_t count = listing->count;

    if (count == LIMIT_STORE_LIST)
        return err_set(err, ERR_TOO_BIG, "%s holds more than %d files", collection->folder_uri,
                       LIMIT_STORE_LIST);
    if ((count & (count - 1)) == 0) /* at every power of two the room doubles */
        listing->entries =
            mem_resize(listing->entries, count ? 2 * count : 1, sizeof(*listing->entries));
    listing->entries[listing->count] = *entry;
    listing->entries[listing->count++].name = mem_strdup(entry->name);
    return 0;
}

int store_list(struct store *store, const char *folder_uri, struct store_listing *ret_listing,
               struct err *err)
{
    struct collection collection = { .folder_uri = folder_uri };
    struct store_listing *listing = &collection.listing;

    if (store_walk(store, folder_uri, collect, &collection, err)) {
        store_listing_release(listing);
        return -1;
    }
    if (listing->count > 1)
        qsort(listing->entries, listing->count, sizeof(*listing->entries), compare_names);
    *ret_listing = *listing;
    return 0;
}

int store_delete_folder(struct store *store, const char *folder_uri, struct err *err)
{
    return store->driver->remove_folder(store, folder_uri, err);
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

/* Whether a URI can name it (uri_parse()). */
static bool has_usable_name(const struct store_entry *entry)
{
    size_t length = strlen(entry->name);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)entry->name[i] < 0x20 || entry->name[i] == 0x7f)
            return false;
    return utf8_valid_prefix(entry->name, length) == length;
}

bool store_is_data_file(const struct store_entry *entry)
{
    return has_usable_name(entry) && !entry->is_folder && entry->info.bytes > 0 &&
           entry->name[0] != '.' && entry->name[0] != '_' &&
           (ends_in(entry->name, ".csv") || ends_in(entry->name, ".csv.gz") ||
            ends_in(entry->name, ".csv.zst"));
}

struct newest {
    char *name; /* NULL: none yet */
    struct store_info info;
};

static int prefer_newer(void *context, const struct store_entry *entry, struct err *err)
{
    struct newest *newest = context;
    int64_t updated_ns = entry->info.updated_ns;

    (void)err;
    if (!store_is_data_file(entry))
        return 0;
    if (newest->name &&
        (updated_ns < newest->info.updated_ns ||
         (updated_ns == newest->info.updated_ns && strcmp(entry->name, newest->name) <= 0)))
        return 0;
    free(newest->name);
    newest->name = mem_strdup(entry->name);
    newest->info = entry->info;
    return 0;
}

int store_newest(struct store *store, const char *folder_uri, char **ret_uri,
                 struct store_info *ret_info, struct err *err)
{
    struct newest newest = { 0 };
    int outcome = store_walk(store, folder_uri, prefer_newer, &newest, err);

    if (outcome == 0) {
        *ret_uri = newest.name ? mem_format("%s%s", folder_uri, newest.name) : NULL;
        if (ret_info && newest.name)
            *ret_info = newest.info;
    }
    free(newest.name);
    return outcome;
}

char *store_resolve(struct store *store, const char *uri, struct err *err)
{
    char *newest_uri;

    if (!uri_is_folder(uri))
        return mem_strdup(uri);
    if (store_newest(store, uri, &newest_uri, NULL, err))
        return NULL;
    if (!newest_uri)
        err_reason(err, ERR_NOT_FOUND, "InputNotFound",
                   "%s holds no data file (*.csv, *.csv.gz or *.csv.zst, not empty)", uri);
    return newest_uri;
}

const char *store_name(const char *uri)
{
    const char *slash = strrchr(uri, '/');

    return slash ? slash + 1 : uri;
}
