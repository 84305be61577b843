/* Goal: image references mean what container runtimes take them to mean; what
 * they refuse is refused with what was expected.
 * Method: a table of texts; a reference is written as host|domain|repository|tag|digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "oci/reference.h"

#define HEX     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG(x) x x x x x x x x x x x x x x x x
#define HUB     "registry-1.docker.io|docker.io|"

static void test_valid(void **state)
{
    static const char *const cases[][2] = {
        { "nginx", HUB "library/nginx|latest|" },
        { "nginx:1.25-alpine", HUB "library/nginx|1.25-alpine|" },
        { "acme/app", HUB "acme/app|latest|" },
        { "docker.io/nginx", HUB "library/nginx|latest|" },
        { "index.docker.io/acme/app:a", HUB "acme/app|a|" },
        { "registry-1.docker.io/nginx", HUB "library/nginx|latest|" },
        { "ghcr.io/acme/churn-trainer:stable", "ghcr.io|ghcr.io|acme/churn-trainer|stable|" },
        { "localhost/a", "localhost|localhost|a|latest|" },
        { "localhost:5000/a", "localhost:5000|localhost:5000|a|latest|" },
        { "127.0.0.1:5000/a/b/c:t", "127.0.0.1:5000|127.0.0.1:5000|a/b/c|t|" },
        { "[::1]:5000/a", "[::1]:5000|[::1]:5000|a|latest|" },
        { "[fe80::1]/a:b", "[fe80::1]|[fe80::1]|a|b|" },
        { "Registry/a", "Registry|Registry|a|latest|" },
        { "a@sha256:" HEX, HUB "library/a||sha256:" HEX },
        { "h.io/a:t@sha256:" HEX, "h.io|h.io|a|t|sha256:" HEX },
        { "h.io/a.b_c__d--e/f", "h.io|h.io|a.b_c__d--e/f|latest|" },
        { "a:_T.-", HUB "library/a|_T.-|" },
        { "a:" LONG("12345678"), HUB "library/a|" LONG("12345678") "|" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct reference reference;
        struct err err;

        if (reference_parse(cases[i][0], &arena, &reference, &err) < 0)
            fail_msg("%s: %s", cases[i][0], err.message);
        auto_free char *got = mem_format("%s|%s|%s|%s|%s", reference.host, reference.domain,
                                         reference.repository, reference.tag ? reference.tag : "",
                                         reference.digest ? reference.digest : "");
        assert_string_equal(got, cases[i][1]);
    }
}

static void test_invalid(void **state)
{
    static const char *const cases[][2] = {
        { "", "expected [registry/]repository" },
        { ":tag", "expected [registry/]repository" },
        { "Nginx", "lower case" },
        { "h.io/Acme/app", "lower case" },
        { "a/", "lower-case words" },
        { "/a", "lower-case words" },
        { "h.io//a", "lower-case words" },
        { "h.io/-a", "lower-case words" },
        { "h.io/a..b", "lower-case words" },
        { "h.io/a___b", "lower-case words" },
        { "a b", "lower-case words" },
        { "https://h.io/a", "must not begin with a scheme" },
        { "a:", "a tag must be" },
        { "a:-x", "a tag must be" },
        { "a:.x", "a tag must be" },
        { "a:" LONG("12345678") "9", "a tag must be" },
        { "a:b:c", "a tag must be" },
        { "a@sha256:" HEX "0", "64 lower-case" },
        { "a@sha256:abc", "64 lower-case" },
        { "a@sha512:" HEX HEX, "64 lower-case" },
        { "a@", "64 lower-case" },
        { "a@b@c", "64 lower-case" },
        { "h.io:0/a", "host name or address" },
        { "h.io:65536/a", "host name or address" },
        { "h.io:x/a", "host name or address" },
        { "-h.io/a", "host name or address" },
        { "h..io/a", "host name or address" },
        { "user@h.io/a", "64 lower-case" },
        { "[::1/a", "host name or address" },
        { "[]/a", "host name or address" },
        { "a/" LONG(LONG("1")), "255 characters" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct reference reference;
        struct err err = { 0 };

        assert_int_equal(reference_parse(cases[i][0], &arena, &reference, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.reason, "InvalidImageName");
        if (!strstr(err.message, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
