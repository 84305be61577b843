/* Goal: the real transport delivers every answer whole and once, takes no cut
 * answer for a whole one, keeps connections, and obeys limits and deadlines.
 * Method: servers (httpd, and a socket that sends what a test dictates) run on
 * loopback in the thread of the transport, turn by turn. */
#include "unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "http_fixture.h"

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
    request.hide_path = true;
    assert_int_equal(transport_perform(fixture.transport, &request, &status, &body, &length, &err),
                     -1);
    assert_non_null(strstr(err.message, "GET http://127.0.0.1:1: "));
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
        /* else the second piece waits for the acknowledgement of the first */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
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

/* What on_head saw. */
struct head {
    unsigned heads, done;
    int status;
    bool refuse, failed;
    struct buf body;
};

static int on_head(void *context, const struct http_reply *reply, struct err *err)
{
    struct head *head = context;

    head->heads++;
    head->status = reply->status;
    assert_string_equal(http_reply_header(reply, "X-Answer"), "some value");
    assert_int_equal(head->body.length, 0);
    return head->refuse ? err_set(err, ERR_GONE, "another one") : 0;
}

static int on_body(void *context, struct span piece, struct err *err)
{
    struct head *head = context;

    (void)err;
    buf_append(&head->body, piece.data, piece.length);
    return 0;
}

static void on_end(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct head *head = context;

    head->done++;
    head->failed = failure != NULL;
    if (reply)
        assert_string_equal(http_reply_header(reply, "X-Answer"), "some value");
}

static void test_head_comes_before_the_body(void **state)
{
    static const struct http_handler handler = { .on_head = on_head,
                                                 .on_data = on_body,
                                                 .on_done = on_end };
    static const struct {
        const char *name, *path;
        bool refuse;
        unsigned heads;
        bool fails;
    } cases[] = {
        { "taken", "/some", false, 1, false },
        { "refused", "/some", true, 1, true },
        { "no success", "/missing", false, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct head head = { .refuse = cases[i].refuse };
        auto_free char *url = url_of(fixture.server, cases[i].path);
        auto_free char *text = mem_zero(MIB, 1);
        struct http_request request = { .method = "PUT", .url = url, .bulk = true };

        memset(text, 'b', MIB);
        request.body = (struct span){ text, MIB };
        buf_init(&head.body, 4 * MIB);
        transport_start(fixture.transport, &request, &handler, &head);
        turn_until(&head.done, 1);
        CASE(cases[i].name, head.heads == cases[i].heads);
        CASE(cases[i].name, head.failed == cases[i].fails);
        if (cases[i].heads && !cases[i].fails)
            assert_int_equal(head.body.length, strlen("PUT /some ") + MIB); /* all went out */
        buf_release(&head.body);
    }
}

/* Silence counts from the last byte, or from when enough of them had come. */
static void test_idle_is_reset(void **state)
{
    static const size_t least[] = { 0, 5 };
    auto_free char *url = url_of(fixture.server, "/stream");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(least); i++) {
        int64_t begin = now_ms();
        struct outcome outcome;

        outcome_init(&outcome);
        start(
            &(struct http_request){
                .method = "GET", .url = url, .idle_ms = 500, .idle_bytes = least[i] },
            true, &outcome);
        turn_until(&outcome.pieces_count, 1);
        while (now_ms() - begin < 700) {
            httpd_stream_write(fixture.held, span_of("....."));
            turn_until(&outcome.pieces_count, outcome.pieces_count + 1);
        }
        assert_int_equal(outcome.done, 0);
        transport_cancel(fixture.transport, outcome.call);
        outcome_release(&outcome);
    }
}

/* A peer that says a little now and then would hold an exchange for ever. */
static void test_a_trickle_is_silence(void **state)
{
    auto_free char *url = url_of(fixture.server, "/stream");
    int64_t give_up = now_ms() + 20000;
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    start(&(struct http_request){ .method = "GET", .url = url, .idle_ms = 200, .idle_bytes = MIB },
          true, &outcome);
    turn_until(&outcome.pieces_count, 1);
    while (!outcome.done && now_ms() < give_up) {
        httpd_stream_write(fixture.held, span_of("."));
        turn();
    }
    assert_int_equal(outcome.done, 1);
    assert_int_equal(outcome.failure.kind, ERR_RETRY);
    assert_non_null(strstr(outcome.failure.message, "less than 1048576 bytes came in 200 ms"));
    outcome_release(&outcome);
}

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
        HTTP_TEST(test_a_trickle_is_silence),
        HTTP_TEST(test_deadlines),
        HTTP_TEST(test_head_comes_before_the_body),
        HTTP_TEST(test_idle_is_reset),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
