/* Goal: base64 is what RFC 4648 says, and a damaged value is refused rather than guessed at.
 * Method: the RFC's vectors both ways; bad texts; every byte through a round trip. */
#include "unit.h"

#include "base/base64.h"

static void test_vectors(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf encoded, plain;
        struct err err = { 0 };

        buf_init(&encoded, 100);
        buf_init(&plain, 100);
        base64_encode(&encoded, span_of(cases[i].plain));
        CASE(cases[i].plain, strcmp(buf_text(&encoded), cases[i].encoded) == 0);
        CASE(cases[i].plain, base64_decode(&plain, span_of(cases[i].encoded), &err) == 0);
        CASE(cases[i].plain, strcmp(buf_text(&plain), cases[i].plain) == 0);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[] = { "Z",    "Zg",       "Zg=",   "Zg===", "=Zg=",
                                         "Z===", "Zg==Zg==", "Zm9v!", "Zm-_",  "Zh==",
                                         "Zm9=", "Zg=A",     "====" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf plain;
        struct err err = { 0 };

        buf_init(&plain, 100);
        CASE(cases[i], base64_decode(&plain, span_of(cases[i]), &err) == -1);
        CASE(cases[i], err.kind == ERR_INVALID);
    }
}

static void test_of_urls(void **state)
{
    static const struct {
        const char *encoded, *plain; /* NULL: refused */
    } cases[] = {
        { "", "" },        { "Zg", "f" },          { "Zm8", "fo" },
        { "Zm9v", "foo" }, { "Zm9vYmE", "fooba" }, { "-_8", "\xfb\xff" },
        { "+/8", NULL },   { "Zg==", NULL },       { "Z", NULL },
        { "Zm9vY", NULL }, { "Zh", NULL },         { "Zm9", NULL },
        { "Zm 9v", NULL }, { "Zm9v\n", NULL },     { "Zm9v.", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf plain;
        struct err err = { 0 };
        int outcome;

        buf_init(&plain, 100);
        outcome = base64url_decode(&plain, span_of(cases[i].encoded), &err);
        CASE(cases[i].encoded, outcome == (cases[i].plain ? 0 : -1));
        CASE(cases[i].encoded, !cases[i].plain || strcmp(buf_text(&plain), cases[i].plain) == 0);
        CASE(cases[i].encoded, cases[i].plain || err.kind == ERR_INVALID);
    }
    auto_buf struct buf plain;
    buf_init(&plain, 100);
    assert_int_equal(base64url_decode(&plain, (struct span){ "Zm\0v", 4 }, NULL), -1);
}

static void test_every_byte(void **state)
{
    char bytes[256];
    auto_buf struct buf encoded, folded, plain;
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    buf_init(&encoded, 1000);
    buf_init(&folded, 1000);
    buf_init(&plain, 256);
    base64_encode(&encoded, (struct span){ bytes, 256 });
    for (size_t i = 0; i < encoded.length; i++) { /* as YAML block scalars fold it */
        buf_char(&folded, encoded.data[i]);
        if (i % 7 == 6)
            buf_string(&folded, "\n ");
    }
    assert_int_equal(base64_decode(&plain, span_of(buf_text(&folded)), &err), 0);
    assert_int_equal(plain.length, 256);
    assert_memory_equal(plain.data, bytes, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_of_urls),
        cmocka_unit_test(test_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
