/* Goal: URIs are split as written; what could leave a folder or hide is refused.
 * Method: tables of text and parts, and of refusals with their message. */
#include "unit.h"

#include "base/limits.h"
#include "base/uri.h"

static const char *const all_schemes[] = { "file", "gs", "s3", NULL };

static void uris_are_split(void **state)
{
    static const struct {
        const char *text, *authority, *path;
        bool is_folder;
    } cases[] = {
        { "file:///data/w7.csv", "", "/data/w7.csv", false },
        { "file:///data/in/", "", "/data/in/", true },
        { "file:///", "", "/", true },
        { "file:///x", "", "/x", false },
        { "gs://bank-data/a/b.csv.gz", "bank-data", "a/b.csv.gz", false },
        { "gs://bank-data/", "bank-data", "", true },
        { "s3://bank.data/x", "bank.data", "x", false },
        { "s3://bank/a b%20?#c", "bank", "a b%20?#c", false },
        { "file:///gr\xc3\xbc\xc3\x9f.csv", "", "/gr\xc3\xbc\xc3\x9f.csv", false },
        { "file:///a/...b/.c", "", "/a/...b/.c", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct uri uri;
        struct err err = { 0 };

        if (uri_parse(cases[i].text, all_schemes, &uri, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        CASE(cases[i].text, span_equals(uri.authority, cases[i].authority));
        CASE(cases[i].text, span_equals(uri.path, cases[i].path));
        CASE(cases[i].text, uri.is_folder == cases[i].is_folder);
    }
}

static void bad_uris_are_refused(void **state)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        { "", "must begin with file:// or gs:// or s3://" },
        { "/data/x.csv", "must begin with file:// or gs:// or s3://" },
        { "http://host/x", "must begin with file://" },
        { "FILE:///x", "must begin with file://" },
        { "file://data/x.csv", "must have three slashes" },
        { "file://", "must have three slashes" },
        { "file:///a/../b", "contains \".\" or \"..\"" },
        { "file:///a/./b", "contains \".\" or \"..\"" },
        { "file:///..", "contains \".\" or \"..\"" },
        { "file:///a//b", "contains an empty path segment" },
        { "file:////a", "contains an empty path segment" },
        { "file:///a//", "contains an empty path segment" },
        { "file:///a\nb", "contains a control character" },
        { "file:///a\xff", "is not UTF-8" },
        { "gs:///x", "must name a bucket" },
        { "gs://Bank/x", "must name a bucket" },
        { "gs://../x", "must name a bucket" },
        { "gs://user@bank/x", "must name a bucket" },
        { "gs://bank", "must have a path after the bucket" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct uri uri;
        struct err err = { 0 };

        CASE(cases[i].text, uri_parse(cases[i].text, all_schemes, &uri, &err) == -1);
        CASE(cases[i].text, err.kind == ERR_INVALID);
        if (!strstr(err.message, cases[i].problem))
            fail_msg("%s: got \"%s\"", cases[i].text, err.message);
    }
}

static void only_listed_schemes_are_accepted(void **state)
{
    static const char *const only_file[] = { "file", NULL };
    struct uri uri;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(uri_parse("gs://bank/x", only_file, &uri, &err), -1);
    assert_string_equal(err.message, "URI \"gs://bank/x\" must begin with file://");
}

static void length_is_limited(void **state)
{
    auto_free char *text = mem_format("file:///%0*d", LIMIT_URI, 0);
    struct uri uri;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(uri_parse(text, all_schemes, &uri, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_BIG);
    text[LIMIT_URI] = '\0';
    assert_int_equal(uri_parse(text, all_schemes, &uri, &err), 0);
}

static void encoding_leaves_unreserved_characters(void **state)
{
    auto_buf struct buf text = { 0 };

    (void)state;
    buf_init(&text, 100);
    uri_encode(&text, span_of("aZ09-._~/ %\xc3\xa4?"), true);
    buf_char(&text, '|');
    uri_encode(&text, span_of("a/b"), false);
    assert_string_equal(buf_text(&text), "aZ09-._~/%20%25%C3%A4%3F|a%2Fb");
}

static void urls_are_split(void **state)
{
    static const struct {
        const char *text, *host, *path;
        unsigned port;
        bool https;
    } cases[] = {
        { "http://localhost", "localhost", "", 0, false },
        { "https://localhost:6443/", "localhost", "/", 6443, true },
        { "https://10.0.0.1:443/api?x=1&y=/", "10.0.0.1", "/api?x=1&y=/", 443, true },
        { "http://[::1]:8080/v2/", "::1", "/v2/", 8080, false },
        { "https://[2001:db8::1]", "2001:db8::1", "", 0, true },
        { "https://registry_1.example.com/a:b@c", "registry_1.example.com", "/a:b@c", 0, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct url url;
        struct err err = { 0 };

        if (url_parse(cases[i].text, &url, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        CASE(cases[i].text, span_equals(url.host, cases[i].host));
        CASE(cases[i].text, span_equals(url.path, cases[i].path));
        CASE(cases[i].text, url.port == cases[i].port && url.https == cases[i].https);
    }
}

static void bad_urls_are_refused_without_quoting_them(void **state)
{
    static const char *const cases[] = {
        "",
        "localhost:80",
        "ftp://host/",
        "HTTP://host/",
        "http://",
        "http:///x",
        "http://user:hunter2@host/",
        "http://host:0/",
        "http://host:65536/",
        "http://host:/",
        "http://host:8x/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[]/",
        "http://ho st/",
        "http://host/a b",
        "http://host/a\nb",
        "http://host/#hunter2",
        "http://host?x",
        "http://host#x",
        "http://h\xc3\xb6st/",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct url url;
        struct err err = { 0 };

        CASE(cases[i], url_parse(cases[i], &url, &err) == -1);
        CASE(cases[i], err.kind == ERR_INVALID);
        CASE(cases[i], !strstr(err.message, "hunter2"));
    }
}

static void forms_are_decoded(void **state)
{
    static const struct {
        const char *encoded, *plain; /* NULL: refused */
    } cases[] = {
        { "", "" },
        { "weekly/2026-11-22.csv", "weekly/2026-11-22.csv" },
        { "a+b%2Bc%20d", "a b+c d" },
        { "%c3%A4", "\xc3\xa4" },
        { "%", NULL },
        { "a%4", NULL },
        { "%4g", NULL },
        { "%00", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf plain;

        buf_init(&plain, 100);
        CASE(cases[i].encoded,
             uri_form_decode(&plain, span_of(cases[i].encoded)) == (cases[i].plain != NULL));
        CASE(cases[i].encoded, !cases[i].plain || strcmp(buf_text(&plain), cases[i].plain) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_split),
        cmocka_unit_test(bad_uris_are_refused),
        cmocka_unit_test(only_listed_schemes_are_accepted),
        cmocka_unit_test(length_is_limited),
        cmocka_unit_test(encoding_leaves_unreserved_characters),
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(urls_are_split),
        cmocka_unit_test(bad_urls_are_refused_without_quoting_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
