/* Goal: the real transport delivers every answer whole and once, turns every
 * failure into the right kind, keeps connections, obeys limits, deadlines, guard
 * and cancellation, and never shows credentials to another host.
 * Method: transport and servers (httpd, and a socket that sends what a test
 * dictates) run on loopback in one thread, turn by turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/httpd.h"

enum { CALLS = 8 };

static struct {
    struct transport *transport;
    struct httpd *server, *other; /* other: where redirects lead */
    struct httpd_exchange *held;
    unsigned requests;
    char seen[256]; /* what `other` saw of credentials */
} fixture;

/* What came of one exchange. */
struct outcome {
    unsigned done;
    int status;
    struct buf body, pieces;
    char header[128];
    struct err failure;
    bool failed;
    /* what to do in callbacks */
    struct http_call *call, **victim;
    bool cancel_in_data, fail_in_data, start_in_done;
    unsigned pieces_count;
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    const char *path = httpd_path(exchange), *size = httpd_query(exchange, "size");
    const char *to = httpd_query(exchange, "to");

    (void)context;
    fixture.requests++;
    if (strcmp(path, "/hold") == 0) {
        fixture.held = exchange;
    } else if (strcmp(path, "/stream") == 0) {
        fixture.held = exchange;
        httpd_stream_begin(exchange, 200, "text/plain", NULL, NULL);
        httpd_stream_write(exchange, span_of("first"));
    } else if (strcmp(path, "/bytes") == 0) {
        auto_free char *bytes = mem_zero(strlen(size) + 1, 1);

        memset(bytes, 'x', strlen(size));
        httpd_reply(exchange, 200, "text/plain", (struct span){ bytes, strlen(size) }, NULL, 0);
    } else if (strcmp(path, "/redirect") == 0) {
        httpd_reply(exchange, 302, NULL, span_of("elsewhere"),
                    &(struct http_header){ "Location", to }, 1);
    } else {
        auto_buf struct buf text;

        buf_init(&text, LIMIT_HTTP_BODY);
        buf_format(&text, "%s %s %.*s", httpd_method(exchange), path,
                   (int)httpd_body(exchange).length, httpd_body(exchange).data);
        snprintf(fixture.seen, sizeof(fixture.seen), "authorization=%s cookie=%s x=%s host=%s",
                 httpd_header(exchange, "Authorization"), httpd_header(exchange, "Cookie"),
                 httpd_header(exchange, "X-Test"), httpd_header(exchange, "Host"));
        httpd_reply(exchange, strcmp(path, "/missing") == 0 ? 404 : 200, "text/plain",
                    (struct span){ text.data, text.length },
                    &(struct http_header){ "X-Answer", "  some value " }, 1);
    }
}

static struct httpd *server_new(void)
{
    struct err err;
    struct httpd *server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);

    if (!server)
        fail_msg("%s", err.message);
    return server;
}

static int set_up(void **state)
{
    struct err err;

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.transport = http_transport_new(&(struct http_options){ .user_agent = "test" }, &err);
    if (!fixture.transport)
        fail_msg("%s", err.message);
    fixture.server = server_new();
    fixture.other = server_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_transport_free(fixture.transport);
    httpd_free(fixture.server);
    httpd_free(fixture.other);
    return 0;
}

static void turn(void)
{
    httpd_run(fixture.server, 0);
    httpd_run(fixture.other, 0);
    transport_run(fixture.transport, 1);
}

static void turn_until(const unsigned *value, unsigned wanted)
{
    int64_t give_up = now_ms() + 20000;

    while (*value < wanted && now_ms() < give_up)
        turn();
    assert_int_equal(*value, wanted);
}

static void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){ 0 };
    buf_init(&outcome->body, 32 * MIB);
    buf_init(&outcome->pieces, 32 * MIB);
}

static void outcome_release(struct outcome *outcome)
{
    buf_release(&outcome->body);
    buf_release(&outcome->pieces);
}

static struct http_call *get(const char *path, struct outcome *outcome);

static int on_data(void *context, struct span piece, struct err *err)
{
    struct outcome *outcome = context;

    buf_append(&outcome->pieces, piece.data, piece.length);
    outcome->pieces_count++;
    if (outcome->cancel_in_data)
        transport_cancel(fixture.transport, *outcome->victim);
    return outcome->fail_in_data ? err_set(err, ERR_GONE, "enough") : 0;
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct outcome *outcome = context;

    outcome->done++;
    outcome->failed = failure != NULL;
    if (failure)
        outcome->failure = *failure;
    if (reply) {
        const char *value = http_reply_header(reply, "x-answer");

        outcome->status = reply->status;
        buf_append(&outcome->body, reply->body.data, reply->body.length);
        snprintf(outcome->header, sizeof(outcome->header), "%s", value ? value : "");
    }
    if (outcome->victim && !outcome->cancel_in_data)
        transport_cancel(fixture.transport, *outcome->victim);
    if (outcome->start_in_done) {
        outcome->start_in_done = false;
        outcome->call = get("/again", outcome);
    }
}

static char *url_of(const struct httpd *server, const char *path)
{
    return mem_format("http://127.0.0.1:%u%s", httpd_port(server), path);
}

static struct http_call *start(const struct http_request *request, bool stream,
                               struct outcome *outcome)
{
    struct http_handler handler = { .on_data = stream ? on_data : NULL, .on_done = on_done };

    outcome->call = transport_start(fixture.transport, request, &handler, outcome);
    return outcome->call;
}

static struct http_call *get(const char *path, struct outcome *outcome)
{
    auto_free char *url = url_of(fixture.server, path);

    return start(&(struct http_request){ .method = "GET", .url = url }, false, outcome);
}

/* --- answers --- */

static void test_methods(void **state)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        for (int with_body = 0; with_body < 2; with_body++) {
            auto_free char *url = url_of(fixture.server, "/p?q");
            auto_free char *expected = mem_format("%s /p %s", methods[i], with_body ? "{}" : "");
            bool is_head = strcmp(methods[i], "HEAD") == 0;
            struct outcome outcome;

            if (with_body && (is_head || i == 0))
                continue;
            outcome_init(&outcome);
            start(&(struct http_request){ .method = methods[i],
                                          .url = url,
                                          .body = span_of(with_body ? "{}" : "") },
                  false, &outcome);
            turn_until(&outcome.done, 1);
            assert_int_equal(outcome.status, 200);
            assert_string_equal(buf_text(&outcome.body), is_head ? "" : expected);
            assert_string_equal(outcome.header, "some value");
            outcome_release(&outcome);
        }
    }
}

static void test_perform(void **state)
{
    struct http_request request = { .method = "GET",
                                    .url = "http://127.0.0.1:1/x?secret=1",
                                    .timeout_ms = 5000 };
    struct err err = { 0 };
    auto_free char *body = NULL;
    size_t length;
    int status;

    (void)state;
    assert_int_equal(transport_perform(fixture.transport, &request, &status, &body, &length, &err),
                     -1);
    assert_int_equal(err.kind, ERR_RETRY);
    assert_non_null(strstr(err.message, "GET http://127.0.0.1:1/x: "));
    assert_null(strstr(err.message, "secret"));
}

#define HTTP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_methods),
        HTTP_TEST(test_perform),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
