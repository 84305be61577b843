#include "scorer/checked.h"

#include "base/limits.h"
#include "contract/reasons.h"
#include "scorer/places.h"

#define PIECE_BYTES (64 * KIB)

/* --- reading ------------------------------------------------------------ */

int checked_open(struct store *store, const char *uri, struct checked *ret_checked, struct err *err)
{
    *ret_checked = (struct checked){ 0 };
    ret_checked->reader = store_get(store, uri, NULL, NULL, &ret_checked->info, err);
    if (!ret_checked->reader)
        return -1;
    sha256_init(&ret_checked->hash);
    return 0;
}

void checked_release(struct checked *checked)
{
    store_reader_free(checked->reader);
    sha256_release(&checked->hash);
    *checked = (struct checked){ 0 };
}

int checked_read(struct checked *checked, void *buffer, size_t capacity, size_t *ret_length,
                 struct err *err)
{
    const struct byte_source *source = store_reader_source(checked->reader);
    size_t length = 0, piece = 1;

    while (length < capacity && piece > 0) {
        if (byte_source_read(source, (char *)buffer + length, capacity - length, &piece, err))
            return -1;
        length += piece;
    }
    sha256_add(&checked->hash, buffer, length);
    checked->bytes += (int64_t)length;
    *ret_length = length;
    return 0;
}

bool checked_matches(struct checked *checked, int64_t bytes, const char *sha256)
{
    char hex[SHA256_HEX];

    sha256_hex(&checked->hash, hex);
    return checked->bytes == bytes && sha256 && strcmp(hex, sha256) == 0;
}

int checked_verify(struct store *store, const char *uri, int64_t bytes, const char *sha256,
                   bool *ret_matches, struct err *err)
{
    auto_checked struct checked checked = { 0 };
    char piece[16 * KIB];
    size_t length = 0;

    if (checked_open(store, uri, &checked, err))
        return -1;
    *ret_matches = false;
    if (checked.info.bytes != bytes)
        return 0;
    do {
        if (checked_read(&checked, piece, sizeof(piece), &length, err))
            return -1;
    } while (length > 0);
    *ret_matches = checked_matches(&checked, bytes, sha256);
    return 0;
}

/* --- writing ------------------------------------------------------------ */

int sink_begin(struct sink *sink, struct store_writer *take_writer)
{
    if (!take_writer)
        return -1;
    sink->writer = take_writer;
    sha256_init(&sink->hash);
    return 0;
}

void sink_release(struct sink *sink)
{
    store_writer_free(sink->writer);
    sha256_release(&sink->hash);
    *sink = (struct sink){ 0 };
}

int sink_append(struct sink *sink, const void *bytes, size_t length, struct err *err)
{
    sha256_add(&sink->hash, bytes, length);
    sink->bytes += length;
    return store_writer_append(sink->writer, bytes, length, err) ? places_output_failed(err) : 0;
}

int sink_append_object(struct sink *sink, struct store *store, const char *uri, int64_t bytes,
                       const char *sha256, struct err *err)
{
    auto_checked struct checked checked = { 0 };
    char piece[PIECE_BYTES];
    size_t length = 0;

    if (checked_open(store, uri, &checked, err))
        return -1;
    do {
        if (checked_read(&checked, piece, sizeof(piece), &length, err))
            return -1;
        sha256_add(&sink->hash, piece, length);
    } while (length > 0);
    if (!checked_matches(&checked, bytes, sha256))
        return err_reason(err, ERR_INVALID, REASON_DataInvalid, "%s was damaged", uri);
    sink->bytes += (uint64_t)bytes;
    return store_writer_append_object(sink->writer, uri, checked.info.generation, err)
               ? places_output_failed(err)
               : 0;
}

int sink_commit(struct sink *sink, struct err *err)
{
    return store_writer_commit(sink->writer, NULL, err) ? places_output_failed(err) : 0;
}

void sink_hash(struct sink *sink, char ret_sha256[SHA256_HEX])
{
    sha256_hex(&sink->hash, ret_sha256);
}
