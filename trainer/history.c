#include "trainer/history.h"

int history_locate(struct history *history, struct stores *stores, const char *data_uri,
                   struct arena *arena, struct err *err)
{
    if (history->uri == NULL) {
        auto_store struct store *store = store_open(stores, data_uri, err);
        if (store == NULL)
            return -1;
        auto_free char *resolved = store_resolve(store, data_uri, err);
        if (resolved == NULL)
            return -1;
        history->uri = arena_strdup(arena, resolved);
    }
    history->name = store_name(history->uri);
    return 0;
}

static int read_hashing(void *context, void *buffer, size_t capacity, size_t *ret_length,
                        struct err *err)
{
    struct history_reader *self = context;
    if (byte_source_read(store_reader_source(self->stored), buffer, capacity, ret_length, err) < 0)
        return -1;
    sha256_add(&self->hash, buffer, *ret_length);
    atomic_fetch_add_explicit(&self->read, *ret_length, memory_order_relaxed);
    return 0;
}

int history_reader_init(struct history_reader *reader, struct history *history,
                        struct stores *stores, const char *generation, struct err *err)
{
    const char *uri = history->copy_uri == NULL ? history->uri : history->copy_uri;
    struct store_info info;
    *reader = (struct history_reader){ .hashing = { read_hashing, reader } };
    reader->store = store_open(stores, uri, err);
    if (reader->store == NULL)
        return -1;
    reader->stored = store_get(reader->store, uri, generation, NULL, &info, err);
    if (reader->stored == NULL)
        return -1;
    snprintf(history->generation, sizeof(history->generation), "%s", info.generation);
    reader->size = (uint64_t)info.bytes;
    sha256_init(&reader->hash);
    reader->decompressor = decompressor_new(history->name, &reader->hashing, err);
    if (reader->decompressor == NULL)
        return -1;
    reader->ahead = read_ahead_new(uri, decompressor_source(reader->decompressor));
    return 0;
}

void history_reader_release(struct history_reader *reader)
{
    read_ahead_free(reader->ahead);
    decompressor_free(reader->decompressor);
    sha256_release(&reader->hash);
    store_reader_free(reader->stored);
    store_close(reader->store);
    *reader = (struct history_reader){ 0 };
}

const struct byte_source *history_reader_source(struct history_reader *reader)
{
    return read_ahead_source(reader->ahead);
}

int history_reader_finish(struct history_reader *reader, char ret_sha256[SHA256_HEX],
                          struct err *err)
{
    char rest[4096];
    size_t length;
    read_ahead_free(reader->ahead);
    reader->ahead = NULL;
    do {
        if (byte_source_read(&reader->hashing, rest, sizeof(rest), &length, err) < 0)
            return -1;
    } while (length > 0);
    sha256_hex(&reader->hash, ret_sha256);
    return 0;
}
