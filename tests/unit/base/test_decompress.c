/* Goal: archives are unpacked whole or refused, never cut short. Method: a text
 * packed by zlib and libzstd, read in pieces of every size, truncated everywhere. */
#include "ml/check.h"
#include "ml/text_source.h"

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/decompress.h"

#define TEXT_MAXIMUM ((size_t)400000)

static char text[TEXT_MAXIMUM];
static size_t text_length;

static int make_text(void **state)
{
    (void)state;
    uint32_t number = 7;
    while (text_length + 20 < TEXT_MAXIMUM) {
        number = number * 1664525u + 1013904223u;
        text_length += (size_t)snprintf(text + text_length, 20, "%u\n", number >> 20);
    }
    return 0;
}

/* Appends an archive of text[0, length). */
static void pack_gzip(struct buf *out, size_t length)
{
    z_stream stream = { 0 };
    auto_free unsigned char *packed = mem_alloc(2 * TEXT_MAXIMUM);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)text;
    stream.avail_in = (uInt)length;
    stream.next_out = packed;
    stream.avail_out = (uInt)(2 * TEXT_MAXIMUM);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buf_append(out, packed, stream.total_out);
    deflateEnd(&stream);
}

static void pack_zstd(struct buf *out, size_t length)
{
    auto_free char *packed = mem_alloc(2 * TEXT_MAXIMUM);
    size_t size = ZSTD_compress(packed, 2 * TEXT_MAXIMUM, text, length, 3);
    assert_false(ZSTD_isError(size));
    buf_append(out, packed, size);
}

static const struct {
    const char *name;
    void (*pack)(struct buf *out, size_t length);
} kinds[] = { { "a.csv.gz", pack_gzip }, { "a.csv.zst", pack_zstd } };

/* Unpacks everything; the error's text, or "". */
static void unpack(const char *name, struct span archive, size_t piece, struct buf *out,
                   struct err *ret_err)
{
    struct text_source packed = { archive, piece };
    struct byte_source source = text_source(&packed);
    auto_decompressor struct decompressor *decompressor = decompressor_new(name, &source, ret_err);
    char bytes[1000];

    while (decompressor) {
        size_t length;
        if (byte_source_read(decompressor_source(decompressor), bytes, sizeof(bytes), &length,
                             ret_err) ||
            length == 0)
            return;
        buf_append(out, bytes, length);
    }
}

static void archives_in_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = { 0, 1, 2, 3, 1000, 70000 };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
            auto_buf struct buf archive, out;
            struct err err = { 0 };
            buf_init(&archive, 4 * TEXT_MAXIMUM);
            buf_init(&out, 4 * TEXT_MAXIMUM);
            kinds[i].pack(&archive, text_length);
            kinds[i].pack(&archive, 10); /* a second member or frame */
            unpack(kinds[i].name, (struct span){ archive.data, archive.length }, pieces[j], &out,
                   &err);
            check_text(err.message, "", kinds[i].name);
            assert_int_equal(out.length, text_length + 10);
            assert_memory_equal(out.data, text, text_length);
        }
}

static void truncated_archives_are_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        auto_buf struct buf archive;
        buf_init(&archive, 4 * TEXT_MAXIMUM);
        kinds[i].pack(&archive, 2000);
        for (size_t length = 4; length < archive.length; length++) {
            auto_buf struct buf out;
            struct err err = { 0 };
            buf_init(&out, 4 * TEXT_MAXIMUM);
            unpack(kinds[i].name, (struct span){ archive.data, length }, 0, &out, &err);
            if (!strstr(err.message, "truncated"))
                fail_msg("%s cut at %zu: %s", kinds[i].name, length, err.message);
        }
    }
}

static void damaged_archives_are_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        auto_buf struct buf archive, out;
        struct err err = { 0 };
        buf_init(&archive, 4 * TEXT_MAXIMUM);
        buf_init(&out, 4 * TEXT_MAXIMUM);
        kinds[i].pack(&archive, 2000);
        buf_string(&archive, "garbage");
        unpack(kinds[i].name, (struct span){ archive.data, archive.length }, 0, &out, &err);
        if (!strstr(err.message, "damaged"))
            fail_msg("%s with garbage behind it: %s", kinds[i].name, err.message);
    }
}

static void names_and_bytes_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes, *message;
    } cases[] = {
        { "a.csv", "x,y\n", "" },
        { "a.csv", "", "" },
        { "a.csv.gz", "x,y\n", "a.csv.gz is something else, expected a gzip archive" },
        { "a.csv.zst", "", "a.csv.zst is empty, expected a zstd archive" },
        { "a.csv", "\x1f\x8b\x08", "a.csv is a gzip archive, so its name must end in .gz" },
        { "a.csv.gz", "\x28\xb5\x2f\xfd", "a.csv.gz is something else, expected a gzip archive" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf out;
        struct err err = { 0 };
        buf_init(&out, 64);
        unpack(cases[i].name, span_of(cases[i].bytes), 1, &out, &err);
        check_text(err.message, cases[i].message, cases[i].name);
        if (!err.message[0])
            check_text(buf_text(&out), cases[i].bytes, cases[i].name);
    }
}

static void huge_windows_are_refused(void **state)
{
    (void)state;
    static char packed[2 * TEXT_MAXIMUM];
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    auto_buf struct buf out;
    struct err err = { 0 };
    ZSTD_inBuffer input = { text, text_length, 0 };
    ZSTD_outBuffer output = { packed, sizeof(packed), 0 };

    buf_init(&out, 2 * TEXT_MAXIMUM);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 27);
    while (ZSTD_compressStream2(zstd, &output, &input,
                                input.pos < input.size ? ZSTD_e_continue : ZSTD_e_end) > 0 ||
           input.pos < input.size)
        ;
    ZSTD_compressStream2(zstd, &output, &input, ZSTD_e_end);
    ZSTD_freeCCtx(zstd);
    unpack("a.csv.zst", (struct span){ packed, output.pos }, 0, &out, &err);
    assert_int_equal(err.kind, ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_in_pieces),
        cmocka_unit_test(truncated_archives_are_errors),
        cmocka_unit_test(damaged_archives_are_errors),
        cmocka_unit_test(names_and_bytes_must_agree),
        cmocka_unit_test(huge_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, make_text, NULL);
}
