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
#include <pthread.h>
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

/* --- a socket that answers what a test dictates --- */

struct script {
    int listener, peer;
    unsigned port, connections;
    const char *answer;
    size_t length, first; /* bytes; how many come before a pause */
    bool close_at_pause;
};

static void script_init(struct script *script)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);

    *script = (struct script){ .peer = -1 };
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(script->listener, 10), 0);
    getsockname(script->listener, (struct sockaddr *)&address, &length);
    script->port = ntohs(address.sin_port);
}

static void script_release(struct script *script)
{
    close(script->listener);
    if (script->peer >= 0)
        close(script->peer);
}

/* Takes a connection and answers each request that ends in an empty line. */
static void script_turn(struct script *script)
{
    char bytes[4096];
    int fd = accept4(script->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        if (script->peer >= 0)
            close(script->peer);
        script->peer = fd;
        script->connections++;
    }
    ssize_t count = script->peer < 0 ? -1 : recv(script->peer, bytes, sizeof(bytes), 0);
    if (count < 4 || memcmp(bytes + count - 4, "\r\n\r\n", 4) != 0)
        return;
    send(script->peer, script->answer, script->first, MSG_NOSIGNAL);
    for (int i = 0; i < 3; i++)
        transport_run(fixture.transport, 1);
    if (script->close_at_pause) {
        close(script->peer);
        script->peer = -1;
    } else {
        send(script->peer, script->answer + script->first, script->length - script->first,
             MSG_NOSIGNAL);
    }
}

static void run_script(struct script *script, bool stream, struct outcome *outcome)
{
    auto_free char *url = mem_format("http://127.0.0.1:%u/", script->port);
    int64_t give_up = now_ms() + 20000;

    start(&(struct http_request){ .method = "GET", .url = url }, stream, outcome);
    while (!outcome->done && now_ms() < give_up) {
        transport_run(fixture.transport, 1);
        script_turn(script);
    }
    assert_int_equal(outcome->done, 1);
}

static const char *const whole_answers[] = {
    "HTTP/1.1 200 OK\r\nX-Answer: a\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nx-answer:a\r\nTransfer-Encoding: "
    "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nX-Answer: b\r\n\r\nHTTP/1.1 200 OK\r\nX-ANSWER:  a \r\n"
    "Content-Length: 5\r\n\r\nhello",
};

/* However an answer is cut, it arrives the same; on one connection. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(whole_answers); i++) {
        bool stream = i % 2 == 0;
        struct script script;

        script_init(&script);
        script.answer = whole_answers[i / 2];
        script.length = strlen(script.answer);
        for (script.first = 1; script.first <= script.length; script.first++) {
            struct outcome outcome;

            outcome_init(&outcome);
            run_script(&script, stream, &outcome);
            if (outcome.status != 200 || strcmp(outcome.header, "a") != 0 ||
                strcmp(buf_text(&outcome.body), stream ? "" : "hello") != 0 ||
                strcmp(buf_text(&outcome.pieces), stream ? "hello" : "") != 0)
                fail_msg("answer %zu cut at %zu", i, script.first);
            outcome_release(&outcome);
        }
        assert_int_equal(script.connections, 1);
        script_release(&script);
    }
}

/* An answer that ends too early is never taken for a whole one. */
static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(whole_answers); i++) {
        struct script script;

        script_init(&script);
        script.answer = whole_answers[i];
        script.length = strlen(script.answer);
        script.close_at_pause = true;
        bool chunked = strstr(script.answer, "chunked"); /* the last line feed says nothing new */
        for (script.first = 0; script.first + chunked < script.length; script.first++) {
            struct outcome outcome;

            outcome_init(&outcome);
            run_script(&script, i % 2 == 0, &outcome);
            if (!outcome.failed || outcome.failure.kind != ERR_RETRY)
                fail_msg("answer %zu ended at %zu: status %d, %s", i, script.first, outcome.status,
                         outcome.failure.message);
            outcome_release(&outcome);
        }
        script_release(&script);
    }
}

static void test_header_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        auto_buf struct buf text;
        struct outcome outcome;
        struct script script;
        static const char first[] = "HTTP/1.1 200 OK\r\n";

        buf_init(&text, 2 * LIMIT_HTTP_HEADERS);
        buf_string(&text, first);
        buf_string(&text, "Content-Length: 0\r\n");
        while (text.length < strlen(first) + LIMIT_HTTP_HEADERS - 1000 - 2)
            buf_format(&text, "X-%0995u:\r\n", 1);
        buf_format(&text, "Y-%0*u:\r\n\r\n",
                   (int)(strlen(first) + LIMIT_HTTP_HEADERS - text.length - 5 + over), 1);
        script_init(&script);
        script.answer = buf_text(&text);
        script.length = script.first = text.length;
        outcome_init(&outcome);
        run_script(&script, false, &outcome);
        assert_int_equal(outcome.failed, over);
        if (over)
            assert_int_equal(outcome.failure.kind, ERR_TOO_BIG);
        outcome_release(&outcome);
        script_release(&script);
    }
}

static void test_body_limit(void **state)
{
    auto_free char *url = url_of(fixture.server, "/bytes?size=1234567890");

    (void)state;
    for (size_t limit = 9; limit <= 11; limit++) {
        struct outcome outcome;

        outcome_init(&outcome);
        start(&(struct http_request){ .method = "GET", .url = url, .maximum_body = limit }, false,
              &outcome);
        turn_until(&outcome.done, 1);
        assert_int_equal(outcome.failed, limit < 10);
        assert_int_equal(outcome.failure.kind, limit < 10 ? ERR_TOO_BIG : ERR_NONE);
        outcome_release(&outcome);
    }
}

/* --- streams and deadlines --- */

static void test_stream(void **state)
{
    auto_free char *url = url_of(fixture.server, "/stream");
    auto_free char *missing = url_of(fixture.server, "/missing");
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    start(&(struct http_request){ .method = "GET", .url = url }, true, &outcome);
    turn_until(&outcome.pieces_count, 1);
    httpd_stream_write(fixture.held, span_of("second"));
    turn_until(&outcome.pieces_count, 2);
    httpd_abort(fixture.held);
    turn_until(&outcome.done, 1);
    assert_string_equal(buf_text(&outcome.pieces), "firstsecond");
    assert_int_equal(outcome.failure.kind, ERR_RETRY);
    outcome_release(&outcome);

    outcome_init(&outcome); /* the body of a failure is collected */
    start(&(struct http_request){ .method = "GET", .url = missing }, true, &outcome);
    turn_until(&outcome.done, 1);
    assert_int_equal(outcome.status, 404);
    assert_string_equal(buf_text(&outcome.body), "GET /missing ");
    assert_int_equal(outcome.pieces_count, 0);
    outcome_release(&outcome);
}

static void test_data_fails(void **state)
{
    auto_free char *url = url_of(fixture.server, "/stream");
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.fail_in_data = true;
    start(&(struct http_request){ .method = "GET", .url = url }, true, &outcome);
    turn_until(&outcome.done, 1);
    assert_int_equal(outcome.failure.kind, ERR_GONE);
    assert_string_equal(outcome.failure.message, "enough");
    outcome_release(&outcome);
}

static void test_deadlines(void **state)
{
    static const struct {
        const char *path;
        int64_t timeout_ms, idle_ms;
        const char *message;
    } cases[] = {
        { "/hold", 60, 0, "timed out" },
        { "/hold", 0, 60, "nothing came for 60 ms" },
        { "/stream", 0, 60, "nothing came for 60 ms" },
        { "/stream", 60, 0, "timed out" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *url = url_of(fixture.server, cases[i].path);
        struct outcome outcome;
        int64_t begin = now_ms();

        outcome_init(&outcome);
        start(&(struct http_request){ .method = "GET",
                                      .url = url,
                                      .timeout_ms = cases[i].timeout_ms,
                                      .idle_ms = cases[i].idle_ms },
              true, &outcome);
        turn_until(&outcome.done, 1);
        assert_int_equal(outcome.failure.kind, ERR_RETRY);
        if (!strstr(outcome.failure.message, cases[i].message))
            fail_msg("case %zu: %s", i, outcome.failure.message);
        assert_in_range(now_ms() - begin, 60, 5000);
        outcome_release(&outcome);
    }
}

/* Silence counts from the last byte. */
static void test_idle_is_reset(void **state)
{
    auto_free char *url = url_of(fixture.server, "/stream");
    int64_t begin = now_ms();
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    start(&(struct http_request){ .method = "GET", .url = url, .idle_ms = 500 }, true, &outcome);
    turn_until(&outcome.pieces_count, 1);
    while (now_ms() - begin < 700) {
        httpd_stream_write(fixture.held, span_of("."));
        turn_until(&outcome.pieces_count, outcome.pieces_count + 1);
    }
    assert_int_equal(outcome.done, 0);
    outcome_release(&outcome);
}

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

#define HTTP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_methods),
        HTTP_TEST(test_perform),
        HTTP_TEST(test_every_cut),
        HTTP_TEST(test_every_truncation),
        HTTP_TEST(test_header_limit),
        HTTP_TEST(test_body_limit),
        HTTP_TEST(test_stream),
        HTTP_TEST(test_data_fails),
        HTTP_TEST(test_deadlines),
        HTTP_TEST(test_idle_is_reset),
        HTTP_TEST(test_cancel),
        HTTP_TEST(test_start_in_done),
        HTTP_TEST(test_free_while_running),
        HTTP_TEST(test_guard),
        HTTP_TEST(test_redirects),
        HTTP_TEST(test_redirect_refused),
        HTTP_TEST(test_invalid_requests),
        HTTP_TEST(test_wake),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
