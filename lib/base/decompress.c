/* decompress.c - gzip by zlib, zstd by libzstd, behind one source. */
#include "base/decompress.h"

#include <stdbool.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/span.h"

#define INPUT_BYTES (64 * KIB)
#define MAGIC_BYTES 4

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

static const struct {
    const char *suffix, *title;
    unsigned char magic[MAGIC_BYTES];
    size_t magic_length;
} packings[] = {
    [PACKING_NONE] = { "", "", "", 0 },
    [PACKING_GZIP] = { ".gz", "gzip", { 0x1f, 0x8b }, 2 },
    [PACKING_ZSTD] = { ".zst", "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
};

struct decompressor {
    struct byte_source output;
    const struct byte_source *source;
    char *name;
    enum packing packing;
    char *input;
    size_t input_length, input_position;
    bool input_ended;
    bool within; /* a member or frame has begun and not ended */
    z_stream gzip;
    bool gzip_ready;
    ZSTD_DCtx *zstd;
};

static enum packing packing_of_name(const char *name)
{
    size_t length = strlen(name);

    for (enum packing packing = PACKING_GZIP; packing <= PACKING_ZSTD; packing++) {
        size_t suffix = strlen(packings[packing].suffix);

        if (length > suffix && strcmp(name + length - suffix, packings[packing].suffix) == 0)
            return packing;
    }
    return PACKING_NONE;
}

bool decompressor_is_needed(const char *name)
{
    return packing_of_name(name) != PACKING_NONE;
}

static enum packing packing_of_bytes(const char *bytes, size_t length)
{
    for (enum packing packing = PACKING_GZIP; packing <= PACKING_ZSTD; packing++)
        if (length >= packings[packing].magic_length &&
            memcmp(bytes, packings[packing].magic, packings[packing].magic_length) == 0)
            return packing;
    return PACKING_NONE;
}

/* Moves what is left of the input to the front and fills up behind it. */
static int fill_input(struct decompressor *self, size_t wanted, struct err *err)
{
    self->input_length -= self->input_position;
    memmove(self->input, self->input + self->input_position, self->input_length);
    self->input_position = 0;
    while (self->input_length < wanted && !self->input_ended) {
        size_t length;

        if (byte_source_read(self->source, self->input + self->input_length,
                             INPUT_BYTES - self->input_length, &length, err))
            return -1;
        self->input_ended = length == 0;
        self->input_length += length;
    }
    return 0;
}

static int fail_damaged(const struct decompressor *self, const char *why, struct err *err)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", "%s: the %s archive is %s", self->name,
                      packings[self->packing].title, why);
}

static int read_plain(struct decompressor *self, char *buffer, size_t capacity, size_t *ret_length)
{
    size_t length = self->input_length - self->input_position;

    if (length > capacity)
        length = capacity;
    memcpy(buffer, self->input + self->input_position, length);
    self->input_position += length;
    *ret_length = length;
    return 0;
}

static int read_gzip(struct decompressor *self, char *buffer, size_t capacity, size_t *ret_length,
                     struct err *err)
{
    z_stream *stream = &self->gzip;
    size_t available = self->input_length - self->input_position;
    int outcome;

    if (!self->within && inflateReset(stream) != Z_OK)
        return err_set(err, ERR_INTERNAL, "zlib cannot be reset");
    stream->next_in = (const Bytef *)self->input + self->input_position;
    stream->avail_in = (uInt)available;
    stream->next_out = (Bytef *)buffer;
    stream->avail_out = (uInt)capacity;
    outcome = inflate(stream, Z_NO_FLUSH);
    self->input_position += available - stream->avail_in;
    if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR)
        return fail_damaged(self, "damaged", err);
    self->within = outcome != Z_STREAM_END;
    *ret_length = capacity - stream->avail_out;
    return 0;
}

static int read_zstd(struct decompressor *self, char *buffer, size_t capacity, size_t *ret_length,
                     struct err *err)
{
    ZSTD_inBuffer input = { self->input, self->input_length, self->input_position };
    ZSTD_outBuffer output = { buffer, capacity, 0 };
    size_t outcome = ZSTD_decompressStream(self->zstd, &output, &input);

    self->input_position = input.pos;
    if (ZSTD_getErrorCode(outcome) == ZSTD_error_frameParameter_windowTooLarge)
        return err_reason(err, ERR_TOO_BIG, "DataInvalid",
                          "%s: zstd window larger than %zu bytes (compress without --long and "
                          "--ultra)",
                          self->name, LIMIT_ZSTD_WINDOW);
    if (ZSTD_isError(outcome))
        return fail_damaged(self, "damaged", err);
    self->within = outcome != 0;
    *ret_length = output.pos;
    return 0;
}

static int unpack(struct decompressor *self, char *buffer, size_t capacity, size_t *ret_length,
                  struct err *err)
{
    switch (self->packing) {
    case PACKING_GZIP:
        return read_gzip(self, buffer, capacity, ret_length, err);
    case PACKING_ZSTD:
        return read_zstd(self, buffer, capacity, ret_length, err);
    default:
        return read_plain(self, buffer, capacity, ret_length);
    }
}

/* An unpacker may take input without giving output, and hold output back when
 * there is no more input: it is asked until it does neither. */
static int decompressor_read(void *context, void *buffer, size_t capacity, size_t *ret_length,
                             struct err *err)
{
    struct decompressor *self = context;

    for (;;) {
        size_t length = 0, before;

        if (self->input_position == self->input_length && !self->input_ended &&
            fill_input(self, 1, err))
            return -1;
        before = self->input_position;
        if ((self->within || self->input_position < self->input_length) &&
            unpack(self, buffer, capacity, &length, err))
            return -1;
        if (length > 0 || (self->input_ended && self->input_position == before)) {
            *ret_length = length;
            break;
        }
    }
    if (*ret_length == 0 && self->within)
        return fail_damaged(self, "truncated", err);
    return 0;
}

static int prepare(struct decompressor *self, struct err *err)
{
    if (self->packing == PACKING_GZIP) {
        self->gzip_ready = inflateInit2(&self->gzip, 15 + 16) == Z_OK; /* gzip, 32 KiB window */
        if (!self->gzip_ready)
            return err_set(err, ERR_INTERNAL, "zlib cannot be started");
    } else if (self->packing == PACKING_ZSTD) {
        self->zstd = ZSTD_createDCtx();
        if (!self->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(self->zstd, ZSTD_d_windowLogMax,
                                                               __builtin_ctzl(LIMIT_ZSTD_WINDOW))))
            return err_set(err, ERR_INTERNAL, "zstd cannot be started");
    }
    return 0;
}

static int check_packing(struct decompressor *self, struct err *err)
{
    enum packing found;

    self->packing = packing_of_name(self->name);
    if (fill_input(self, MAGIC_BYTES, err))
        return -1;
    found = packing_of_bytes(self->input, self->input_length);
    if (found == PACKING_NONE && self->input_length >= MAGIC_BYTES &&
        memcmp(self->input, "PK\003\004", MAGIC_BYTES) == 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s is a zip archive or a spreadsheet (.xlsx), expected CSV text",
                          self->name);
    if (found == self->packing)
        return 0;
    if (self->packing == PACKING_NONE)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s is a %s archive, so its name must end in %s", self->name,
                          packings[found].title, packings[found].suffix);
    return err_reason(err, ERR_INVALID, "DataInvalid", "%s is %s, expected a %s archive",
                      self->name, self->input_length ? "something else" : "empty",
                      packings[self->packing].title);
}

struct decompressor *decompressor_new(const char *name, const struct byte_source *source,
                                      struct err *err)
{
    auto_decompressor struct decompressor *self = mem_zero(1, sizeof(*self));

    self->output = (struct byte_source){ decompressor_read, self };
    self->source = source;
    self->name = mem_strdup(name);
    self->input = mem_alloc(INPUT_BYTES);
    if (check_packing(self, err) || prepare(self, err))
        return NULL;
    return TAKE(self);
}

void decompressor_free(struct decompressor *decompressor)
{
    if (!decompressor)
        return;
    if (decompressor->gzip_ready)
        inflateEnd(&decompressor->gzip);
    ZSTD_freeDCtx(decompressor->zstd);
    free(decompressor->input);
    free(decompressor->name);
    free(decompressor);
}

void decompressor_cleanup(struct decompressor **decompressor)
{
    decompressor_free(*decompressor);
}

const struct byte_source *decompressor_source(struct decompressor *decompressor)
{
    return &decompressor->output;
}
