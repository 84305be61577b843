/* Goal: hosts that users name never lead to this machine, this link or a
 * metadata server, however the address is written.
 * Method: a table of addresses, as text and as sockaddr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "base/mem.h"
#include "net/guard.h"

static bool is_local_sockaddr(const char *text)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return guard_is_local((struct sockaddr *)&ipv4);
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return guard_is_local((struct sockaddr *)&ipv6);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *address;
        bool local;
    } cases[] = {
        { "127.0.0.1", true },
        { "127.255.255.255", true },
        { "128.0.0.1", false },
        { "126.255.255.255", false },
        { "0.0.0.0", true },
        { "0.1.2.3", true },
        { "1.0.0.0", false },
        { "169.254.169.254", true },
        { "169.253.255.255", false },
        { "169.255.0.0", false },
        { "100.100.100.200", true },
        { "100.100.100.201", false },
        { "10.0.0.1", false },
        { "192.168.1.1", false },
        { "::", true },
        { "::1", true },
        { "::2", true }, /* 0.0.0.2, IPv4-compatible */
        { "fe80::1", true },
        { "febf::1", true },
        { "fec0::1", false },
        { "fe7f::1", false },
        { "fd00:ec2::254", true },
        { "fd00:ec2::253", false },
        { "fd20:ce::254", true },
        { "::ffff:127.0.0.1", true },
        { "::ffff:169.254.169.254", true },
        { "::ffff:8.8.8.8", false },
        { "::127.0.0.1", true },
        { "64:ff9b::7f00:1", true },
        { "64:ff9b::808:808", false },
        { "2001:db8::1", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (guard_is_local_text(cases[i].address) != cases[i].local ||
            is_local_sockaddr(cases[i].address) != cases[i].local)
            fail_msg("%s", cases[i].address);
    assert_true(guard_is_local_text("localhost"));
    assert_true(guard_is_local_text(""));
    assert_true(guard_is_local(&(struct sockaddr){ .sa_family = AF_UNIX }));
}

/* What somebody else will resolve. */
static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        bool local;
    } cases[] = {
        { "127.0.0.1", true },
        { "127.1", true },
        { "2130706433", true },
        { "0x7f.1", true },
        { "0", true },
        { "169.254.169.254", true },
        { "::1", true },
        { "::ffff:127.0.0.1", true },
        { "8.8.8.8", false },
        { "2001:db8::1", false },
        { "localhost", true },
        { "LocalHost.", true },
        { "a.localhost", true },
        { "notlocalhost", false },
        { "localhost.example", false },
        { "metadata.google.internal", true },
        { "metadata.google.internal.", true },
        { "metadata", true },
        { "metadata.example", false },
        { "kubernetes.default.svc", true },
        { "kubernetes.default.svc.cluster.local", true },
        { "kubernetes.default.svcs", false },
        { "minio.default.svc", false },
        { "", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (guard_is_local_host(cases[i].host) != cases[i].local)
            fail_msg("%s", cases[i].host);
}

/* Peers reached on trust are known by address and port; old ones make room. */
static void test_peers(void **state)
{
    struct guard_peers peers = GUARD_PEERS_INIT;

    (void)state;
    assert_false(guard_remembers(&peers, "10.0.0.1", 443));
    guard_remember(&peers, "10.0.0.1", 443);
    assert_true(guard_remembers(&peers, "10.0.0.1", 443));
    assert_false(guard_remembers(&peers, "10.0.0.1", 5000));
    assert_false(guard_remembers(&peers, "10.0.0.2", 443));
    for (int port = 1; port < GUARD_PEERS; port++) {
        guard_remember(&peers, "2001:db8::1", port);
        guard_remember(&peers, "2001:db8::1", port);
    }
    assert_true(guard_remembers(&peers, "10.0.0.1", 443));
    guard_remember(&peers, "2001:db8::2", 443);
    assert_false(guard_remembers(&peers, "10.0.0.1", 443));
    guard_remember(&peers, "Api.Example", 443);
    assert_true(guard_remembers(&peers, "api.example", 443));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses),
                                        cmocka_unit_test(test_hosts),
                                        cmocka_unit_test(test_peers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
