/* Goal: pull secrets give the credentials that the kubelet would find, in its
 * order; broken ones are refused without quoting a value.
 * Method: tables; the entries that match an image are written as user:password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "oci/docker_config.h"

/* echo -n user:pa:ss | base64 */
#define ENTRY(key, user) "\"" key "\":{\"username\":\"" user "\",\"password\":\"p\"}"

static const struct {
    const char *name, *config, *domain, *repository, *expected;
} cases[] = {
    { "auth", "{\"auths\":{\"h.io\":{\"auth\":\"dXNlcjpwYTpzcw==\"}}}", "h.io", "a",
      "user:pa:ss " },
    { "auth wins", "{\"auths\":{\"h.io\":{\"auth\":\"dXNlcjpwYTpzcw==\",\"username\":\"x\"}}}",
      "h.io", "a", "user:pa:ss " },
    { "other host", "{\"auths\":{" ENTRY("h.io", "u") "}}", "i.io", "a", "" },
    { "beginning of a host", "{\"auths\":{" ENTRY("h", "u") "}}", "h.io", "a", "" },
    { "host begins alike", "{\"auths\":{" ENTRY("h.io.example", "u") "}}", "h.io", "a", "" },
    { "port counts", "{\"auths\":{" ENTRY("h.io:5000", "u") "}}", "h.io", "a", "" },
    { "case of the host", "{\"auths\":{" ENTRY("H.io", "u") "}}", "h.IO", "a", "u:p " },
    { "Docker Hub", "{\"auths\":{" ENTRY("https://index.docker.io/v1/", "u") "}}", "docker.io",
      "library/a", "u:p " },
    { "scheme and v2", "{\"auths\":{" ENTRY("http://h.io:5000/v2/", "u") "}}", "h.io:5000", "a",
      "u:p " },
    { "longest path first",
      "{\"auths\":{" ENTRY("h.io", "all") "," ENTRY("h.io/acme/team",
                                                    "team") "," ENTRY("h.io/acme", "acme") "}}",
      "h.io", "acme/team/app", "team:p acme:p all:p " },
    { "path is no prefix", "{\"auths\":{" ENTRY("h.io/acme", "u") "}}", "h.io", "acmelike/app",
      "" },
    { "whole path", "{\"auths\":{" ENTRY("h.io/acme/app/", "u") "}}", "h.io", "acme/app", "u:p " },
    { "wildcard", "{\"auths\":{" ENTRY("*.azure.io", "u") "}}", "acme.azure.io", "a", "u:p " },
    { "wildcard is one label", "{\"auths\":{" ENTRY("*.io", "u") "}}", "a.azure.io", "a", "" },
    { "identity token", "{\"auths\":{\"h.io\":{\"identitytoken\":\"t\"}}}", "h.io", "a", "-:- " },
    { "empty identity token",
      "{\"auths\":{\"h.io\":{\"auth\":\"dXNlcjpwYTpzcw==\",\"identitytoken\":\"\"}}}", "h.io", "a",
      "user:pa:ss " },
    { "helpers", "{\"auths\":{},\"credHelpers\":{\"h.io\":\"x\"},\"credsStore\":\"y\"}", "h.io",
      "a", "" },
};

static void test_matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct docker_config config;
        char got[256] = "";
        struct err err;

        if (docker_config_parse(span_of(cases[i].config), &arena, &config, &err) < 0)
            fail_msg("%s: %s", cases[i].name, err.message);
        for (size_t j = 0; j < config.count; j++) {
            const struct docker_auth *auth = &config.auths[j];
            size_t used = strlen(got);

            if (docker_auth_matches(auth, cases[i].domain, cases[i].repository))
                snprintf(got + used, sizeof(got) - used, "%s:%s ",
                         auth->username ? auth->username : "-",
                         auth->password ? auth->password : "-");
        }
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].name, got);
    }
}

static void test_refused(void **state)
{
    static const char *const refused[][2] = {
        { "", "pull secret" },
        { "[]", "auths must be an object" },
        { "{\"auths\":[]}", "auths must be an object" },
        { "{\"auths\":{\"h\":\"secret\"}}", "auths[\"h\"]: must be an object" },
        { "{\"auths\":{\"h\":{}}}", "auths[\"h\"]: must have auth, or username and password" },
        { "{\"auths\":{\"h\":{\"username\":\"secret\"}}}", "auths[\"h\"]: must have" },
        { "{\"auths\":{\"h\":{\"auth\":\"secret!\"}}}", "auths[\"h\"].auth" },
        { "{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0\"}}}", "auths[\"h\"].auth: must be base64 of" },
        { "{\"auths\":{\"h\":{\"auth\":\"c2VjOnIAZXQ=\"}}}",
          "auths[\"h\"].auth: must be base64 of" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        auto_arena struct arena arena = { 0 };
        struct docker_config config;
        struct err err = { 0 };

        assert_int_equal(docker_config_parse(span_of(refused[i][0]), &arena, &config, &err), -1);
        if (err.kind != ERR_INVALID || !strstr(err.message, refused[i][1]) ||
            strstr(err.message, "secret!") || strstr(err.message, "c2V"))
            fail_msg("%s: %s", refused[i][0], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
