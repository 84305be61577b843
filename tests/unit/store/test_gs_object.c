/* Goal: answers of Google Cloud Storage are understood or refused. Method: answers that real
 * servers gave, and tables of broken ones. */
#include "unit.h"

#include <string.h>

#include "base/limits.h"
#include "store/gs_object.h"

static void objects(void **state)
{
    static const char text[] =
        "{\"kind\":\"storage#object\",\"name\":\"in/\xC3\xBC.csv\",\"size\":\"16\",\"generation\":"
        "\"1795341551141033\",\"timeCreated\":\"2026-11-22T10:16:08.123Z\",\"crc32c\":\"QtMRng==\","
        "\"contentEncoding\":\"gzip\",\"metadata\":{\"churn-writer\":\"ab\",\"x\":\"y\"}}";
    auto_arena struct arena arena = { 0 };
    struct gs_object object;
    struct err err;

    (void)state;
    assert_int_equal(gs_object_parse(span_of(text), &arena, &object, &err), 0);
    assert_string_equal(object.name, "in/\xC3\xBC.csv");
    assert_int_equal(object.info.bytes, 16);
    assert_string_equal(object.info.generation, "1795341551141033");
    assert_int_equal(object.info.updated_ns, INT64_C(1795342568123000000));
    assert_string_equal(object.crc32c, "QtMRng==");
    assert_true(object.is_packed);
    assert_string_equal(object.writer, "ab");
}

/* Tools copy the times of other systems. */
static void times_beyond_64_bits(void **state)
{
    static const struct {
        const char *created;
        int64_t updated_ns;
    } cases[] = {
        { "1013-11-22T10:16:08.123Z", 0 },
        { "1969-12-31T23:59:59.999Z", 0 },
        { "1970-01-01T00:00:00.001Z", 1000000 },
        { "2262-01-01T00:00:00Z", INT64_C(9214646400000000000) },
        { "9999-12-31T23:59:59Z", INT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *text = mem_format(
            "{\"name\":\"a\",\"size\":\"1\",\"generation\":\"2\",\"timeCreated\":\"%s\"}",
            cases[i].created);
        auto_arena struct arena arena = { 0 };
        struct gs_object object;
        struct err err;

        assert_int_equal(gs_object_parse(span_of(text), &arena, &object, &err), 0);
        CASE(cases[i].created, object.info.updated_ns == cases[i].updated_ns);
    }
}

static void strange_objects(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"name\":\"a\",\"size\":16,\"generation\":\"1\"}",
        "{\"name\":\"a\",\"size\":\"-1\",\"generation\":\"1\"}",
        "{\"name\":\"a\",\"size\":\"1\",\"generation\":\"0\"}",
        "{\"name\":\"a\",\"size\":\"1\",\"generation\":\"x\"}",
        "{\"name\":\"\",\"size\":\"1\",\"generation\":\"1\"}",
        "{\"name\":\"a\",\"size\":\"99999999999999999999\",\"generation\":\"1\"}",
        "{\"name\":\"a\",\"size\":\"1\",\"generation\":\"1\",\"crc32c\":7}",
        "<html>",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        auto_arena struct arena arena = { 0 };
        struct gs_object object;
        struct err err = { 0 };

        CASE(texts[i], gs_object_parse(span_of(texts[i]), &arena, &object, &err) == -1);
        CASE(texts[i], err.kind == ERR_RETRY);
    }
}

static void pages(void **state)
{
    static const struct {
        const char *text;
        int outcome;
        size_t objects, prefixes;
        const char *next;
    } cases[] = {
        { "{\"kind\":\"storage#objects\"}", 0, 0, 0, NULL }, /* an empty list has no items */
        { "{\"items\":[{\"name\":\"a\",\"size\":\"1\",\"generation\":\"2\"}],\"prefixes\":[\"b/\"],"
          "\"nextPageToken\":\"t=\"}",
          0, 1, 1, "t=" },
        { "{\"nextPageToken\":\"\"}", 0, 0, 0, NULL },
        /* what no URI can name is left out, not all that is with it */
        { "{\"items\":[{\"name\":\"a\\u0000.csv\",\"size\":\"1\",\"generation\":\"2\"},"
          "{\"name\":\"b\",\"size\":\"1\",\"generation\":\"2\"}],"
          "\"prefixes\":[\"c\\u0000/\",\"d/\"]}",
          0, 1, 1, NULL },
        { "{\"items\":[{\"name\":\"a\",\"size\":\"1\",\"generation\":\"2\\u0000\"}]}", -1, 0, 0,
          NULL },
        { "{\"nextPageToken\":\"t\\u0000\"}", -1, 0, 0, NULL },
        { "{\"items\":[{}]}", -1, 0, 0, NULL },
        { "{\"prefixes\":[1]}", -1, 0, 0, NULL },
        { "{\"nextPageToken\":7}", -1, 0, 0, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct gs_page page = { 0 };
        struct err err;

        CASE(cases[i].text,
             gs_page_parse(span_of(cases[i].text), &arena, &page, &err) == cases[i].outcome);
        CASE(cases[i].text, page.object_count == cases[i].objects);
        CASE(cases[i].text, page.prefix_count == cases[i].prefixes);
        CASE(cases[i].text, page.object_count == 0 || page.objects[0].name[1] == '\0');
        CASE(cases[i].text, !page.next == !cases[i].next);
        CASE(cases[i].text, !page.next || strcmp(page.next, cases[i].next) == 0);
    }
}

/* In memory a value takes a hundred times its two bytes. */
static void pages_of_nothing_but_brackets(void **state)
{
    auto_buf struct buf text = { 0 };
    auto_arena struct arena arena = { 0 };
    struct gs_page page;
    struct err err = { 0 };

    (void)state;
    buf_init(&text, MIB);
    buf_string(&text, "{\"nextPageToken\":\"[[[,,,\",\"x\":[[]");
    for (size_t i = 0; i < LIMIT_GS_VALUES - 4; i++)
        buf_string(&text, ",[]");
    buf_string(&text, "]}");
    assert_int_equal(gs_page_parse(span_of(buf_text(&text)), &arena, &page, &err), 0);
    text.length -= 2;
    buf_string(&text, ",[]]}");
    assert_int_equal(gs_page_parse(span_of(buf_text(&text)), &arena, &page, &err), -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_non_null(strstr(err.message, "list has more than 65536 values"));
}

static void stored_bytes(void **state)
{
    static const struct {
        const char *text;
        int outcome;
        uint64_t stored;
    } cases[] = { { "bytes=0-262143", 0, 262144 }, { "bytes=0-0", 0, 0 }, { "bytes=1-5", -1, 0 },
                  { "bytes 0-5", -1, 0 },          { "bytes=0-", -1, 0 }, { "", -1, 0 } };
    struct err err;
    uint64_t stored = 1;

    (void)state;
    assert_int_equal(gs_stored_parse(NULL, &stored, &err), 0);
    assert_int_equal(stored, 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        stored = 0;
        CASE(cases[i].text, gs_stored_parse(cases[i].text, &stored, &err) == cases[i].outcome);
        CASE(cases[i].text, stored == cases[i].stored);
    }
}

static void endpoints(void **state)
{
    static const struct {
        const char *text, *endpoint;
    } cases[] = { { "127.0.0.1:4443", "http://127.0.0.1:4443" },
                  { "https://gcs.example/", "https://gcs.example" },
                  { "http://[::1]:1", "http://[::1]:1" },
                  { "https://gcs.example/path", NULL },
                  { "ftp://x", NULL },
                  { "http://user@x", NULL },
                  { "", NULL } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err;
        auto_free char *endpoint = gs_endpoint_parse(cases[i].text, &err);

        CASE(cases[i].text, !endpoint == !cases[i].endpoint);
        CASE(cases[i].text, !endpoint || strcmp(endpoint, cases[i].endpoint) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects),
        cmocka_unit_test(times_beyond_64_bits),
        cmocka_unit_test(strange_objects),
        cmocka_unit_test(pages),
        cmocka_unit_test(pages_of_nothing_but_brackets),
        cmocka_unit_test(stored_bytes),
        cmocka_unit_test(endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
