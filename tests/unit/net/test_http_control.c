/* Goal: exchanges can be canceled and started from any callback, user-named hosts
 * never lead to this machine, credentials never to another host, and what cannot
 * be sent is said from transport_run().
 * Method: as test_http.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>

#include "http_fixture.h"
#include "net/guard.h"

enum { CALLS = 8 };

/* --- cancellation --- */

static void test_cancel(void **state)
{
    struct outcome own, other;
    auto_free char *stream = url_of(fixture.server, "/stream");
    struct http_request request = { .method = "GET", .url = stream };

    (void)state;
    for (int who = 0; who < 5; who++) {
        outcome_init(&own);
        outcome_init(&other);
        unsigned requests = fixture.requests;
        start(&request, true, &own);
        get("/hold", &other);
        switch (who) {
        case 0: /* itself, from on_data */
            own.cancel_in_data = true;
            own.victim = &own.call;
            turn_until(&own.pieces_count, 1);
            transport_cancel(fixture.transport, other.call);
            break;
        case 1: /* another, from on_data */
            own.cancel_in_data = true;
            own.victim = &other.call;
            turn_until(&own.pieces_count, 1);
            transport_cancel(fixture.transport, own.call);
            break;
        case 2: /* before anything was sent */
            transport_cancel(fixture.transport, own.call);
            transport_cancel(fixture.transport, other.call);
            break;
        case 3: /* from on_done: itself */
        case 4: /* from on_done: another */
            own.fail_in_data = true;
            own.victim = who == 3 ? &own.call : &other.call;
            turn_until(&own.done, 1);
            if (who == 3)
                transport_cancel(fixture.transport, other.call);
            break;
        }
        for (int i = 0; i < 20; i++)
            turn();
        assert_int_equal(own.done, who >= 3);
        assert_int_equal(other.done, 0);
        assert_int_equal(fixture.requests - requests > 0, who != 2);
        outcome_release(&own);
        outcome_release(&other);
    }
    transport_cancel(fixture.transport, NULL);
}

static void test_start_in_done(void **state)
{
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.start_in_done = true;
    get("/first", &outcome);
    turn_until(&outcome.done, 2);
    assert_string_equal(buf_text(&outcome.body), "GET /first GET /again ");
    outcome_release(&outcome);
}

/* Whatever runs is canceled; nobody is called. */
static void test_free_while_running(void **state)
{
    struct outcome outcomes[CALLS];
    struct err err;

    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        outcome_init(&outcomes[i]);
        get("/hold", &outcomes[i]);
    }
    turn_until(&fixture.requests, CALLS);
    http_transport_free(fixture.transport);
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(outcomes[i].done, 0);
        outcome_release(&outcomes[i]);
    }
    fixture.transport = http_transport_new(&(struct http_options){ 0 }, &err);
    assert_non_null(fixture.transport);
}

/* --- guard and redirects --- */

static void test_guard(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]", "0.0.0.0",
                                         "[::ffff:127.0.0.1]" };
    struct outcome outcome;

    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
            auto_free char *url = mem_format("http://%s:%u/", hosts[i], httpd_port(fixture.server));
            unsigned requests = fixture.requests;

            outcome_init(&outcome);
            start(&(struct http_request){ .method = "GET", .url = url, .guard = HOST_PUBLIC },
                  false, &outcome);
            turn_until(&outcome.done, 1);
            if (outcome.failure.kind != ERR_DENIED || !strstr(outcome.failure.message, url) ||
                !strstr(outcome.failure.message, "not allowed"))
                fail_msg("%s: %s", hosts[i], outcome.failure.message);
            assert_int_equal(fixture.requests, requests);
            outcome_release(&outcome);
        }
        outcome_init(&outcome); /* leaves a connection that may not be reused */
        get("/", &outcome);
        turn_until(&outcome.done, 1);
        assert_int_equal(outcome.status, 200);
        outcome_release(&outcome);
    }
}

/* A proxy knows hosts that we do not; what a user names is no local address behind it either. */
static void test_proxy(void **state)
{
    auto_free char *proxy = url_of(fixture.server, "");
    struct http_request request = { .method = "GET", .proxy = proxy, .guard = HOST_PUBLIC };
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    request.url = "http://registry.invalid/v2/";
    start(&request, false, &outcome);
    turn_until(&outcome.done, 1);
    assert_int_equal(outcome.status, 200);
    outcome_release(&outcome);

    static const char *const hosts[] = { "http://127.0.0.1/", "http://[::1]:80/",
                                         "http://169.254.169.254/", "http://127.1/",
                                         "http://kubernetes.default.svc/" };
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        unsigned requests = fixture.requests;

        outcome_init(&outcome);
        request.url = hosts[i];
        start(&request, false, &outcome);
        turn_until(&outcome.done, 1);
        assert_int_equal(outcome.failure.kind, ERR_DENIED);
        assert_int_equal(fixture.requests, requests);
        outcome_release(&outcome);
    }
    outcome_init(&outcome);
    request.url = "http://registry.invalid/v2/";
    request.proxy = "ftp://proxy";
    start(&request, false, &outcome);
    turn_until(&outcome.done, 1);
    assert_int_equal(outcome.failure.kind, ERR_INVALID);
    outcome_release(&outcome);
}

/* Where one transport was on trust, no other that shares what it remembers is led, and behind a
 * proxy it is the name that counts. */
static void test_shared_peers(void **state)
{
    struct guard_peers peers = GUARD_PEERS_INIT;
    const struct http_options options = { .private_peers = &peers };
    auto_free char *proxy = url_of(fixture.server, "");
    static const struct {
        const char *url;
        enum host_guard guard;
        bool denied;
    } cases[] = {
        { "http://api.invalid:8080/", HOST_PUBLIC, false },
        { "http://api.invalid:8080/", HOST_PRIVATE, false },
        { "http://api.invalid:8080/", HOST_PUBLIC, true },
        { "http://API.invalid:8080/x", HOST_PUBLIC, true },
        { "http://api.invalid:8081/", HOST_PUBLIC, false },
        { "http://api.invalid:8080/", HOST_ANY, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_request request = {
            .method = "GET", .url = cases[i].url, .proxy = proxy, .guard = cases[i].guard
        };
        struct outcome outcome;
        struct err err;

        http_transport_free(fixture.transport); /* each its own */
        fixture.transport = http_transport_new(&options, &err);
        outcome_init(&outcome);
        start(&request, false, &outcome);
        turn_until(&outcome.done, 1);
        if ((outcome.failure.kind == ERR_DENIED) != cases[i].denied)
            fail_msg("%zu: %s", i, outcome.failure.message);
        outcome_release(&outcome);
    }
}

static void test_redirects(void **state)
{
    static const struct {
        const char *name, *method;
        bool other;
        int maximum, status;
        const char *seen;
    } cases[] = {
        { "same host", "GET", false, 3, 200, "authorization=secret cookie=secret x=1" },
        { "HEAD", "HEAD", false, 3, 200, "authorization=secret cookie=secret x=1" },
        { "other port", "GET", true, 3, 200, "authorization=(null) cookie=(null) x=1" },
        { "not wanted", "GET", true, 0, 302, "" },
        { "POST", "POST", true, 3, 302, "" },
    };
    const struct http_header headers[] = { { "Authorization", "secret" },
                                           { "Cookie", "secret" },
                                           { "X-Test", "1" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *to = url_of(cases[i].other ? fixture.other : fixture.server, "/end");
        auto_free char *path = mem_format("/redirect?to=%s", to);
        auto_free char *url = url_of(fixture.server, path);
        struct outcome outcome;

        fixture.seen[0] = '\0';
        outcome_init(&outcome);
        start(&(struct http_request){ .method = cases[i].method,
                                      .url = url,
                                      .headers = headers,
                                      .header_count = 3,
                                      .maximum_redirects = cases[i].maximum },
              true, &outcome);
        turn_until(&outcome.done, 1);
        if (outcome.status != cases[i].status ||
            strncmp(fixture.seen, cases[i].seen, strlen(cases[i].seen)) != 0)
            fail_msg("%s: %d, %s", cases[i].name, outcome.status, fixture.seen);
        assert_null(strstr(buf_text(&outcome.pieces), "elsewhere"));
        outcome_release(&outcome);
    }
}

static void test_redirect_refused(void **state)
{
    auto_free char *path = mem_format("/redirect?to=/redirect%%3Fto=/end");
    auto_free char *twice = url_of(fixture.server, path);
    auto_free char *file = url_of(fixture.server, "/redirect?to=file:///etc/passwd");
    const char *const urls[] = { twice, file };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct outcome outcome;

        outcome_init(&outcome);
        start(&(struct http_request){ .method = "GET", .url = urls[i], .maximum_redirects = 1 },
              false, &outcome);
        turn_until(&outcome.done, 1);
        assert_int_equal(outcome.failure.kind, ERR_INVALID);
        outcome_release(&outcome);
    }
}

/* --- requests that cannot be sent: told from transport_run(), not before --- */

static void test_invalid_requests(void **state)
{
    static const struct http_header injected = { "X-Test", "1\r\nX-Evil: 1" };
    static const struct http_header bad_name = { "X Test", "1" };
    static const struct tls_options bad_ca = { .ca_file = "/nonexistent.pem" };
    static const struct tls_options bad_name_in_tls = { .server_name = "a/b" };
    static const struct http_request requests[] = {
        { .method = "GET", .url = "ftp://host/" },
        { .method = "GET", .url = "http://user:password@host/" },
        { .method = "GET", .url = "nonsense" },
        { .method = "GET /", .url = "http://127.0.0.1:1/" },
        { .method = "GET", .url = "http://127.0.0.1:1/", .headers = &injected, .header_count = 1 },
        { .method = "GET", .url = "http://127.0.0.1:1/", .headers = &bad_name, .header_count = 1 },
        { .method = "GET", .url = "https://127.0.0.1:1/", .tls = &bad_name_in_tls },
    };
    auto_free char *https = mem_format("https://127.0.0.1:%u/", httpd_port(fixture.server));
    struct http_request missing_ca = { .method = "GET", .url = https, .tls = &bad_ca };

    (void)state;
    for (size_t i = 0; i <= ARRAY_SIZE(requests); i++) {
        struct outcome outcome;

        outcome_init(&outcome);
        start(i < ARRAY_SIZE(requests) ? &requests[i] : &missing_ca, false, &outcome);
        assert_int_equal(outcome.done, 0);
        turn_until(&outcome.done, 1);
        if (outcome.failure.kind != ERR_INVALID || strstr(outcome.failure.message, "password"))
            fail_msg("request %zu: %s", i, outcome.failure.message);
        outcome_release(&outcome);
    }
}

static void *wake(void *context)
{
    transport_wake(context);
    return NULL;
}

static void test_wake(void **state)
{
    pthread_t thread;

    (void)state;
    pthread_create(&thread, NULL, wake, fixture.transport);
    transport_run(fixture.transport, -1); /* would not come back */
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_cancel),
        HTTP_TEST(test_start_in_done),
        HTTP_TEST(test_free_while_running),
        HTTP_TEST(test_guard),
        HTTP_TEST(test_proxy),
        HTTP_TEST(test_shared_peers),
        HTTP_TEST(test_redirects),
        HTTP_TEST(test_redirect_refused),
        HTTP_TEST(test_invalid_requests),
        HTTP_TEST(test_wake),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
