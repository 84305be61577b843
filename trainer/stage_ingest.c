/* Ingest: find, read, hash and check the history file. */
#include "trainer/training.h"

#include "ml/decompress.h"
#include "store/store.h"
#include "trainer/guards.h"

/* Hashes the bytes as they are stored, on their way to the decompressor. */
struct hashing_source {
    const struct byte_source *inner;
    struct sha256 hash;
};

static int read_hashing(void *context, void *buffer, size_t capacity, size_t *ret_length,
                        struct err *err)
{
    struct hashing_source *self = context;
    if (byte_source_read(self->inner, buffer, capacity, ret_length, err) < 0)
        return -1;
    sha256_add(&self->hash, buffer, *ret_length);
    return 0;
}

static int locate(struct training *training, struct err *err)
{
    struct history *history = &training->history;
    if (history->uri == NULL) {
        const char *uri = training->job.training.data->uri;
        auto_store struct store *store = store_open(uri, err);
        if (store == NULL)
            return -1;
        auto_free char *resolved = store_resolve(store, uri, err);
        if (resolved == NULL)
            return -1;
        history->uri = arena_strdup(&training->arena, resolved);
    }
    history->name = store_name(history->uri);
    return 0;
}

static int read_table(struct training *training, const struct byte_source *source, struct err *err)
{
    const struct data_spec *data = training->job.training.data;
    const struct column_override *columns = data->columns.items;
    auto_free struct type_override *overrides = mem_zero(data->columns.count, sizeof(*overrides));
    for (size_t i = 0; i < data->columns.count; i++) /* both enums have one order */
        overrides[i] = (struct type_override){ columns[i].name, (enum value_type)columns[i].type };
    struct table_options options = { .target = data->target,
                                     .positive_label = data->positive_label,
                                     .id = data->id,
                                     .drop = data->drop,
                                     .overrides = overrides,
                                     .override_count = data->columns.count };
    return table_read(training->history.name, source, &options, &training->table, err);
}

/* Reads to the very end, so that the hash covers all bytes. */
static int drain(const struct byte_source *source, struct err *err)
{
    char rest[4096];
    size_t length;
    do {
        if (byte_source_read(source, rest, sizeof(rest), &length, err) < 0)
            return -1;
    } while (length > 0);
    return 0;
}

static int read_history(struct training *training, struct err *err)
{
    struct history *history = &training->history;
    const char *uri = history->copy_uri == NULL ? history->uri : history->copy_uri;
    auto_store struct store *store = store_open(uri, err);
    if (store == NULL)
        return -1;
    auto_store_reader struct store_reader *reader = store_get(store, uri, NULL, NULL, NULL, err);
    if (reader == NULL)
        return -1;
    struct hashing_source hashing = { .inner = store_reader_source(reader) };
    struct byte_source source = { read_hashing, &hashing };
    sha256_init(&hashing.hash);
    auto_decompressor struct decompressor *decompressor =
        decompressor_new(history->name, &source, err);
    int outcome =
        decompressor == NULL ? -1 : read_table(training, decompressor_source(decompressor), err);
    if (outcome == 0)
        outcome = drain(&source, err);
    if (outcome == 0)
        sha256_hex(&hashing.hash, history->sha256);
    sha256_release(&hashing.hash);
    return outcome;
}

int stage_ingest(struct training *training, struct err *err)
{
    if (locate(training, err) < 0 || read_history(training, err) < 0)
        return -1;
    for (size_t i = 0; i < training->table.warning_count; i++)
        training_warn(training, "%s", training->table.warnings[i]);
    if (guard_size(training, err) < 0)
        return -1;
    guard_leaks(training);
    return 0;
}
