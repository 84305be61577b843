/* Goal: the environment's proxies are used for what they are for, with the exceptions that
 * administrators write. */
#include "unit.h"

#include "net/proxy.h"

#define PROXY "http://proxy.bank:3128"

static void test_exceptions(void **state)
{
    static const struct {
        const char *no_proxy, *url;
        bool direct;
    } cases[] = {
        { NULL, "https://k8s.bank", false },
        { "", "https://k8s.bank", false },
        { "*", "https://k8s.bank", true },
        { "bank", "https://k8s.bank", true },
        { ".bank", "https://k8s.bank", true },
        { ".k8s.bank", "https://k8s.bank", true },
        { "k8s.bank", "https://K8S.Bank:6443/api", true },
        { "s.bank", "https://k8s.bank", false },
        { "other, k8s.bank ,third", "https://k8s.bank", true },
        { "k8s.bank.evil", "https://k8s.bank", false },
        { ".svc", "https://kubernetes.default.svc", true },
        { "k8s.bank:6443", "https://k8s.bank:6443", true },
        { "k8s.bank:443", "https://k8s.bank", true },
        { "k8s.bank:6443", "https://k8s.bank", false },
        { "k8s.bank:x", "https://k8s.bank", false },
        { "10.96.0.1", "https://10.96.0.1:443", true },
        { "10.96.0.1", "https://10.96.0.12", false },
        { "96.0.1", "https://10.96.0.1", false },
        { "10.0.0.0/8", "https://10.96.0.1", true },
        { "10.96.0.0/12", "https://10.111.255.255", true },
        { "10.96.0.0/12", "https://10.112.0.0", false },
        { "0.0.0.0/0", "https://198.51.100.1", true },
        { "10.0.0.0/33", "https://10.0.0.1", false },
        { "10.0.0.0/", "https://10.0.0.1", false },
        { "10.0.0.0/8", "https://k8s.bank", false },
        { "fd00::/8", "https://[fd12::1]:6443", true },
        { "fd00::/8", "https://[fe12::1]:6443", false },
        { "fd12::1", "https://[fd12:0::1]:6443", true },
        { "[fd12::1]:6443", "https://[fd12::1]:6443", true },
        { "[fd12::1]:6443", "https://[fd12::1]", false },
        { ",,", "https://k8s.bank", false },
        { ".", "https://k8s.bank", false },
        { NULL, "https://127.0.0.1:6443", true },
        { NULL, "https://localhost:6443", true },
        { NULL, "https://[::1]:6443", true },
        { NULL, "no URL", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct proxy_environment environment = { .https_proxy = PROXY,
                                                       .no_proxy = cases[i].no_proxy };
        const char *proxy = proxy_for(&environment, cases[i].url);

        CASE(cases[i].url, (proxy == NULL) == cases[i].direct);
    }
}

static void test_by_scheme(void **state)
{
    const struct proxy_environment environment = { .http_proxy = "http://a", .https_proxy = "" };

    (void)state;
    assert_string_equal(proxy_for(&environment, "http://h"), "http://a");
    assert_null(proxy_for(&environment, "https://h"));
    assert_null(proxy_for(&(struct proxy_environment){ 0 }, "https://h"));
}

static const char *fake_getenv(void *context, const char *name)
{
    static const char small[] = "small", capital[] = "CAPITAL", empty[] = "";

    assert_null(context);
    if (strcmp(name, "https_proxy") == 0 || strcmp(name, "no_proxy") == 0)
        return small;
    if (strcmp(name, "HTTPS_PROXY") == 0)
        return capital;
    return strcmp(name, "NO_PROXY") == 0 ? empty : NULL;
}

static void test_environment(void **state)
{
    struct proxy_environment environment = proxy_environment_read(fake_getenv, NULL);

    (void)state;
    assert_string_equal(environment.https_proxy, "CAPITAL");
    assert_string_equal(environment.no_proxy, "small");
    assert_null(environment.http_proxy);
}

static void test_check(void **state)
{
    static const struct {
        const char *proxy;
        bool good;
    } cases[] = {
        { PROXY, true },
        { "https://user:secret@proxy", true },
        { "socks5://proxy:1080/", true },
        { "socks5h://[::1]:1080", true },
        { "ftp://proxy", false },
        { "proxy:3128", false },
        { "http://", false },
        { "http://user:secret@", false },
        { "http://user:secret@/x", false },
        { "http://a b", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        int result = proxy_check(cases[i].proxy, &err);

        CASE(cases[i].proxy, (result == 0) == cases[i].good);
        CASE(cases[i].proxy, !strstr(err.message, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_by_scheme),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
