#include "scorer/input.h"

#include "base/mem.h"
#include "contract/reasons.h"

static int read_counted(void *context, void *buffer, size_t capacity, size_t *ret_length,
                        struct err *err)
{
    struct input *input = context;

    if (byte_source_read(store_reader_source(input->object), buffer, capacity, ret_length, err))
        return -1;
    if (input->is_hashed)
        sha256_add(&input->hash, buffer, *ret_length);
    atomic_fetch_add_explicit(&input->bytes, *ret_length, memory_order_relaxed);
    return 0;
}

int input_open(struct store *store, const char *uri, const char *generation, bool is_hashed,
               struct input *ret_input, struct err *err)
{
    const char *name = store_name(uri);

    ret_input->object = store_get(store, uri, generation, NULL, &ret_input->info, err);
    if (!ret_input->object)
        return -1;
    ret_input->is_hashed = is_hashed;
    if (is_hashed)
        sha256_init(&ret_input->hash);
    ret_input->source = (struct byte_source){ read_counted, ret_input };
    ret_input->unpacked = decompressor_new(name, &ret_input->source, err);
    if (!ret_input->unpacked)
        return -1;
    ret_input->ahead = read_ahead_new(uri, decompressor_source(ret_input->unpacked));
    ret_input->reader = csv_reader_new(name, read_ahead_source(ret_input->ahead), err);
    return ret_input->reader ? 0 : -1;
}

void input_release(struct input *input)
{
    csv_reader_free(input->reader);
    read_ahead_free(input->ahead);
    decompressor_free(input->unpacked);
    store_reader_free(input->object);
    sha256_release(&input->hash);
}

struct input_range input_range(const struct input *input, const char *uri, int64_t index,
                               int64_t count)
{
    uint64_t bytes = (uint64_t)input->info.bytes, quotient = bytes / (uint64_t)count;
    uint64_t rest = bytes % (uint64_t)count, number = (uint64_t)index;
    bool is_last = index == count - 1;

    if (decompressor_is_needed(uri))
        return (struct input_range){ 0, is_last ? UINT64_MAX : 0 };
    /* bytes * index / count, which may be beyond 64 bits */
    return (struct input_range){
        .begin = quotient * number + rest * number / (uint64_t)count,
        .end =
            is_last ? UINT64_MAX : quotient * (number + 1) + rest * (number + 1) / (uint64_t)count,
    };
}

int input_check_unchanged(struct store *store, const char *uri, const struct input *input,
                          struct err *err)
{
    auto_store_reader struct store_reader *again =
        store_get(store, uri, input->info.generation, NULL, NULL, err);

    return again ? 0 : -1;
}

int input_seek(struct input *input, struct input_range range, const volatile sig_atomic_t *stop,
               struct err *err)
{
    auto_csv_block struct csv_block skipped = { 0 };
    bool any = true;

    csv_set_end(input->reader, range.begin);
    while (any) {
        if (*stop)
            return err_reason(err, ERR_CANCELED, REASON_Terminated, "stopped by a signal");
        if (csv_read_block(input->reader, SIZE_MAX, &skipped, &any, err))
            return -1;
    }
    csv_set_end(input->reader, range.end);
    return 0;
}
