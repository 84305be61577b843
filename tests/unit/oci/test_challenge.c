/* Goal: every form of WWW-Authenticate that registries send is understood.
 * Method: a table of header sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "oci/challenge.h"

static const struct {
    const char *name, *headers[2], *expected; /* NULL: refused */
} cases[] = {
    { "Docker Hub",
      { "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
        "scope=\"repository:a/b:pull,push\"" },
      "bearer https://auth.docker.io/token registry.docker.io repository:a/b:pull,push" },
    { "basic", { "Basic realm=\"r\"" }, "basic - - -" },
    { "no quotes", { "bearer realm=https service=s" }, "bearer https s -" },
    { "blanks", { " Bearer  realm = \"r\" , service\t=\t\"s\" " }, "bearer r s -" },
    { "both in one",
      { "Basic realm=\"x\", Bearer realm=\"r\",scope=\"c\"" },
      "basic bearer r - c" },
    { "both, reversed", { "Bearer realm=\"r\", Basic realm=\"x\"" }, "basic bearer r - -" },
    { "two headers", { "Basic realm=\"x\"", "Bearer realm=\"r\"" }, "basic bearer r - -" },
    { "escapes", { "Bearer realm=\"a\\\"b\\\\c\"" }, "bearer a\"b\\c - -" },
    { "unknown scheme", { "Negotiate, Bearer realm=\"r\"" }, "bearer r - -" },
    { "unknown parameter", { "Bearer realm=\"r\",error=\"invalid_token\"" }, "bearer r - -" },
    { "scheme alone", { "Basic" }, "basic - - -" },
    { "empty", { "" }, "- - -" },
    { "no scheme", { "realm=\"r\"" }, NULL },
    { "no end", { "Bearer realm=\"r" }, NULL },
    { "no value", { "Bearer realm=,service=s" }, NULL },
    { "nonsense", { "Bearer \"r\"" }, NULL },
};

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct challenge challenge = { 0 };
        struct err err = { 0 };
        int rc = 0;

        for (size_t j = 0; j < 2 && cases[i].headers[j] && rc == 0; j++)
            rc = challenge_add(cases[i].headers[j], &arena, &challenge, &err);
        if (!cases[i].expected) {
            if (rc == 0 || err.kind != ERR_UNSUPPORTED)
                fail_msg("%s: accepted", cases[i].name);
            continue;
        }
        auto_free char *got = mem_format(
            "%s%s%s %s %s", challenge.basic ? "basic " : "", challenge.bearer ? "bearer " : "",
            or_dash(challenge.realm), or_dash(challenge.service), or_dash(challenge.scope));
        if (rc < 0 || strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].name, rc < 0 ? err.message : got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_headers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
