/* Goal: httpd is a server that libcurl and plain sockets are happy with: every
 * method, bodies, keep-alive, pipelining, streams, slow readers, peers that
 * leave, refusals.
 * Method: the server runs in the test's own thread. Plain-socket clients are
 * pumped in the same thread; libcurl runs in a second one while we serve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/httpd.h"

enum { HELD_MAXIMUM = 200 };

static struct {
    struct httpd *server;
    struct httpd_exchange *held[HELD_MAXIMUM]; /* of /hold, not answered */
    unsigned held_count, closed;
} fixture;

static void on_close(void *context)
{
    (void)context;
    fixture.closed++;
}

/* Describes the request in the answer. */
static void answer_echo(struct httpd_exchange *exchange)
{
    const char *parameter = httpd_query(exchange, "q"), *header = httpd_header(exchange, "x-test");
    struct span body = httpd_body(exchange);
    auto_buf struct buf text;

    buf_init(&text, LIMIT_HTTP_BODY);
    buf_format(&text, "%s %s q=%s x=%s %zu:", httpd_method(exchange), httpd_path(exchange),
               parameter ? parameter : "-", header ? header : "-", body.length);
    buf_append(&text, body.data, body.length);
    httpd_reply(exchange, 200, "text/plain", (struct span){ text.data, text.length },
                &(struct http_header){ "X-Answer", "yes" }, 1);
}

static void answer_large(struct httpd_exchange *exchange, size_t size)
{
    auto_free char *bytes = mem_alloc(size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i % 26);
    httpd_reply(exchange, 200, "text/plain", (struct span){ bytes, size }, NULL, 0);
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    const char *path = httpd_path(exchange);

    (void)context;
    if (strcmp(path, "/large") == 0) {
        answer_large(exchange, 1 * MIB);
    } else if (strcmp(path, "/huge") == 0) {
        answer_large(exchange, 16 * MIB);
    } else if (strcmp(path, "/stream") == 0) {
        httpd_stream_begin(exchange, 200, "text/plain", on_close, NULL);
        for (int i = 0; i < 100; i++)
            httpd_stream_write(exchange, span_of("0123456789"));
        httpd_stream_end(exchange);
    } else if (strcmp(path, "/none") == 0) {
        httpd_reply(exchange, 204, NULL, span_of(""), NULL, 0);
    } else if (strcmp(path, "/abort") == 0) {
        httpd_abort(exchange);
    } else if (strcmp(path, "/hold") == 0) {
        assert_in_range(fixture.held_count, 0, HELD_MAXIMUM - 1);
        fixture.held[fixture.held_count++] = exchange;
    } else {
        answer_echo(exchange);
    }
}

static int set_up(void **state)
{
    struct httpd_options options = { .address = "127.0.0.1", .handler = answer };
    struct err err;

    (void)state;
    fixture.held_count = fixture.closed = 0;
    fixture.server = httpd_new(&options, &err);
    if (!fixture.server)
        fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    httpd_free(fixture.server);
    return 0;
}

/* --- plain sockets, pumped --- */

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

static int dial(int receive_buffer)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)httpd_port(fixture.server)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Serves until `count` exchanges are held, or until `closed` streams are closed. */
static void serve_until(const unsigned *value, unsigned wanted)
{
    int64_t give_up = now_ms() + 20000;

    while (*value < wanted && now_ms() < give_up)
        httpd_run(fixture.server, 100);
    assert_int_equal(*value, wanted);
}

/* Serves and reads until `until` is in what came, or (NULL) until the server
 * closes. At most `step` bytes per round. */
static void hear(int fd, const char *until, size_t step, struct buf *out)
{
    int64_t give_up = now_ms() + 20000;
    auto_free char *bytes = mem_alloc(step);

    while (now_ms() < give_up) {
        ssize_t count = recv(fd, bytes, step, MSG_DONTWAIT);

        if (count == 0 || (count < 0 && errno == ECONNRESET)) {
            if (until)
                fail_msg("closed before '%s': %s", until, buf_text(out));
            return;
        }
        if (count > 0)
            buf_append(out, bytes, (size_t)count);
        if (until && strstr(buf_text(out), until))
            return;
        httpd_run(fixture.server, count > 0 ? 0 : 20);
    }
    fail_msg("no '%s' in time: %s", until ? until : "end", buf_text(out));
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name, *request, *expected;
    } cases[] = {
        { "chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
          "HTTP/1.1 411 Length Required\r\n" },
        { "too large", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4194305\r\n\r\nsome",
          "HTTP/1.1 413 Content Too Large\r\n" },
        { "nonsense", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
        { "version", "GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf got = { .maximum = 64 * KIB };
        int fd = dial(0);

        say(fd, cases[i].request);
        hear(fd, "\r\n\r\n", 4096, &got);
        if (strncmp(buf_text(&got), cases[i].expected, strlen(cases[i].expected)) != 0 ||
            !strstr(buf_text(&got), "Connection: close"))
            fail_msg("%s: %s", cases[i].name, buf_text(&got));
        close(fd);
    }
}

static void test_pipelined(void **state)
{
    auto_buf struct buf got = { .maximum = 8 * MIB };
    int fd = dial(0);

    (void)state;
    say(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
            "PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
            "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"
            "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"
            "DELETE /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear(fd, NULL, 64 * KIB, &got);
    const char *at = buf_text(&got);
    static const char *const order[] = { "GET /1 q",  "PUT /2 q=- x=- 2:hi",
                                         "abcdefgh",  "a\r\n0123456789\r\n",
                                         "0\r\n\r\n", "DELETE /3 q" };
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        at = strstr(at, order[i]);
        if (!at)
            fail_msg("'%s' is missing or out of order", order[i]);
    }
    close(fd);
}

/* A request that comes in two parts, cut anywhere. */
/* What the network takes, and a turn of the server. */
static void send_some(int fd, struct buf *bytes)
{
    ssize_t sent = send(fd, bytes->data, bytes->length, MSG_NOSIGNAL | MSG_DONTWAIT);

    buf_consume(bytes, sent > 0 ? (size_t)sent : 0);
    httpd_run(fixture.server, 0);
}

/* Many more requests than are kept come while one is being answered: none is lost. */
static void test_pipelined_flood(void **state)
{
    auto_buf struct buf requests = { .maximum = 1 * MIB }, got = { .maximum = 1 * MIB };
    int fd = dial(0), answered = 0;

    (void)state;
    for (int i = 0; i < 300; i++)
        buf_format(&requests, "GET /none HTTP/1.1\r\nHost: h\r\nX: %01000d\r\n\r\n", i);
    say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&fixture.held_count, 1);
    for (int round = 0; round < 100; round++)
        send_some(fd, &requests);
    httpd_reply(fixture.held[0], 200, NULL, span_of(""), NULL, 0);
    while (requests.length > 0)
        send_some(fd, &requests);
    say(fd, "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear(fd, NULL, 64 * KIB, &got);
    for (const char *at = buf_text(&got); (at = strstr(at, "204 No Content")); at++)
        answered++;
    assert_int_equal(answered, 300);
    close(fd);
}

static void test_every_cut(void **state)
{
    static const char request[] = "POST /p?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    int fd = dial(0);

    (void)state;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    for (size_t cut = 1; cut < strlen(request); cut++) {
        auto_buf struct buf got = { .maximum = 64 * KIB };
        auto_free char *first = mem_strndup(request, cut);

        say(fd, first);
        httpd_run(fixture.server, 100);
        say(fd, request + cut);
        hear(fd, "POST /p q=1 x=- 3:abc", 4096, &got);
    }
    close(fd);
}

static void test_head(void **state)
{
    auto_buf struct buf got = { .maximum = 64 * KIB };
    int fd = dial(0);

    (void)state;
    say(fd, "HEAD /large HTTP/1.1\r\nHost: h\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n"
            "HEAD /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear(fd, NULL, 4096, &got);
    assert_non_null(strstr(buf_text(&got), "Content-Length: 1048576\r\n"));
    assert_non_null(strstr(buf_text(&got), "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(buf_text(&got), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"));
    assert_null(strstr(buf_text(&got), "abcdef"));
    assert_null(strstr(buf_text(&got), "0123456789"));
    close(fd);
}

static void test_http_1_0(void **state)
{
    auto_buf struct buf got = { .maximum = 64 * KIB };
    int fd = dial(0);

    (void)state;
    /* its end can only be told by closing, whatever the peer asks for */
    say(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    hear(fd, NULL, 4096, &got);
    assert_null(strstr(buf_text(&got), "chunked"));
    assert_null(strstr(buf_text(&got), "keep-alive"));
    assert_non_null(strstr(buf_text(&got), "01234567890123456789"));
    close(fd);
}

/* A reader that takes little at a time gets every byte. */
static void test_slow_reader(void **state)
{
    auto_buf struct buf got;
    int fd = dial(4096);

    (void)state;
    buf_init(&got, 32 * MIB);
    say(fd, "GET /huge HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear(fd, NULL, 60000, &got);
    const char *body = strstr(buf_text(&got), "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), 16 * MIB);
    for (size_t i = 0; i < 16 * MIB; i++)
        if (body[i] != (char)('a' + i % 26))
            fail_msg("wrong byte at %zu", i);
    close(fd);
}

/* on_close comes once, also when the peer left before the stream began; answers
 * to peers that left are harmless. */
static void test_peer_leaves(void **state)
{
    int fd[3] = { dial(0), dial(0), dial(0) };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        say(fd[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
        serve_until(&fixture.held_count, i + 1);
    }
    httpd_stream_begin(fixture.held[0], 200, "text/plain", on_close, NULL);
    httpd_stream_write(fixture.held[0], span_of("hello"));
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    serve_until(&fixture.closed, 1);
    for (int i = 0; i < 10; i++)
        httpd_run(fixture.server, 5);
    assert_int_equal(fixture.closed, 1);
    httpd_reply(fixture.held[1], 200, "text/plain", span_of("late"), NULL, 0);
    httpd_stream_begin(fixture.held[2], 200, "text/plain", on_close, NULL);
    httpd_stream_write(fixture.held[2], span_of("late"));
    assert_int_equal(fixture.closed, 1);
    serve_until(&fixture.closed, 2);
}

static void test_abort(void **state)
{
    auto_buf struct buf got = { .maximum = 64 * KIB };
    int fd = dial(0);

    (void)state;
    say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&fixture.held_count, 1);
    httpd_stream_begin(fixture.held[0], 200, "text/plain", on_close, NULL);
    httpd_stream_write(fixture.held[0], span_of("hello"));
    hear(fd, "hello", 4096, &got);
    httpd_abort(fixture.held[0]);
    hear(fd, NULL, 4096, &got);
    assert_null(strstr(buf_text(&got), "\r\n0\r\n"));
    assert_int_equal(fixture.closed, 0);
    close(fd);
    fd = dial(0);
    say(fd, "GET /abort HTTP/1.1\r\nHost: h\r\n\r\n");
    buf_clear(&got);
    hear(fd, NULL, 4096, &got);
    assert_int_equal(got.length, 0);
    close(fd);
}

/* A peer that does not read shows in httpd_stream_queued(), and can be cut off. */
static void test_queued(void **state)
{
    auto_free char *block = mem_zero(1 * MIB, 1);
    int fd = dial(4096);

    (void)state;
    say(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    serve_until(&fixture.held_count, 1);
    httpd_stream_begin(fixture.held[0], 200, "text/plain", on_close, NULL);
    for (int i = 0; i < 16; i++) {
        httpd_stream_write(fixture.held[0], (struct span){ block, 1 * MIB });
        httpd_run(fixture.server, 0);
    }
    assert_in_range(httpd_stream_queued(fixture.held[0]), 1 * MIB, 16 * MIB);
    httpd_abort(fixture.held[0]);
    httpd_run(fixture.server, 10);
    close(fd);
}

static void test_many_streams(void **state)
{
    int fd[150];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        fd[i] = dial(0);
        say(fd[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    serve_until(&fixture.held_count, ARRAY_SIZE(fd));
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        httpd_stream_begin(fixture.held[i], 200, "text/plain", on_close, NULL);
        httpd_stream_write(fixture.held[i], span_of("event"));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
        auto_buf struct buf got = { .maximum = 64 * KIB };

        hear(fd[i], "event\r\n", 4096, &got);
        close(fd[i]);
    }
    serve_until(&fixture.closed, ARRAY_SIZE(fd));
}

static void *wake(void *context)
{
    (void)context;
    httpd_wake(fixture.server);
    return NULL;
}

static void test_wait(void **state)
{
    pthread_t thread;
    int64_t start;

    (void)state;
    httpd_run(fixture.server, 0);
    start = now_ms();
    for (int i = 0; i < 100; i++)
        httpd_run(fixture.server, 0);
    assert_in_range(now_ms() - start, 0, 500);
    start = now_ms();
    while (now_ms() - start < 60)
        httpd_run(fixture.server, 60 - (now_ms() - start));
    assert_in_range(now_ms() - start, 60, 500);
    pthread_create(&thread, NULL, wake, NULL);
    httpd_run(fixture.server, -1); /* would not come back */
    pthread_join(thread, NULL);
}

static void test_failures(void **state)
{
    struct httpd_options options = { .address = "127.0.0.1", .handler = answer };
    struct err err = { 0 };

    (void)state;
    options.port = httpd_port(fixture.server);
    assert_null(httpd_new(&options, &err));
    assert_int_equal(err.kind, ERR_IO);
    options.port = 0;
    options.tls_certificate_file = options.tls_key_file = "/nonexistent.pem";
    assert_null(httpd_new(&options, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    options.tls_certificate_file = options.tls_key_file = "CMakeLists.txt";
    assert_null(httpd_new(&options, &err));
    assert_int_equal(err.kind, ERR_IO);
}

/* --- libcurl, in a thread of its own --- */

static size_t collect(char *bytes, size_t size, size_t count, void *context)
{
    buf_append(context, bytes, size * count);
    return size * count;
}

static atomic_bool client_done;

struct visit {
    const char *method, *path, *expected;
    size_t body_size;
    const char *header;
};

static void visit(CURL *easy, const struct visit *visit, struct buf *got)
{
    auto_free char *url =
        mem_format("http://127.0.0.1:%u%s", httpd_port(fixture.server), visit->path);
    auto_free char *body = mem_zero(visit->body_size + 1, 1);
    struct curl_slist *headers = curl_slist_append(NULL, "X-Test: 1");

    if (visit->header)
        headers = curl_slist_append(headers, visit->header);
    memset(body, 'b', visit->body_size);
    buf_clear(got);
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 20000L);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 60000L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (visit->body_size > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)visit->body_size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, visit->method);
    if (strcmp(visit->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, got);
    CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK)
        buf_format(got, "error: %s", curl_easy_strerror(code));
    curl_slist_free_all(headers);
}

static const struct visit visits[] = {
    { "GET", "/a%2Fb/./c?q=x%20y", "GET /a%2Fb/./c q=x y x=1 0:", 0, NULL },
    { "POST", "/", "POST / q=- x=1 3:bbb", 3, NULL },
    { "PUT", "/", "PUT / q=- x=1 3000000:bbb", 3000000, NULL },
    { "PATCH", "/", "PATCH / q=- x=1 4194304:bbb", 4194304, NULL },
    { "POST", "/", "POST / q=- x=1 100:bbb", 100, "Expect: 100-continue" },
    { "DELETE", "/", "DELETE / q=- x=1 3:bbb", 3, NULL },
    { "DELETE", "/", "DELETE / q=- x=1 0:", 0, NULL },
    { "OPTIONS", "/", "OPTIONS / q=- x=1 0:", 0, NULL },
    { "HEAD", "/large", "", 0, NULL },
    { "GET", "/none", "", 0, NULL },
    { "GET", "/large", "abcdefghijklmnopqrstuvwxyzabc", 0, NULL },
    { "GET", "/stream", "01234567890123456789", 0, NULL },
    { "GET", "/last", "GET /last q=- x=1 0:", 0, NULL },
};

struct curl_run {
    char message[256];
    long connects;
};

static void *run_curl(void *context)
{
    struct curl_run *run = context;
    CURL *easy = curl_easy_init();
    auto_buf struct buf got;

    buf_init(&got, 32 * MIB);
    for (size_t i = 0; i < ARRAY_SIZE(visits) && !run->message[0]; i++) {
        long connects = 0;

        visit(easy, &visits[i], &got);
        curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
        run->connects += connects;
        if (strncmp(buf_text(&got), visits[i].expected, strlen(visits[i].expected)) != 0)
            snprintf(run->message, sizeof(run->message), "%s %s: %.100s", visits[i].method,
                     visits[i].path, buf_text(&got));
    }
    curl_easy_cleanup(easy);
    atomic_store(&client_done, true);
    httpd_wake(fixture.server);
    return NULL;
}

static void test_libcurl(void **state)
{
    struct curl_run run = { 0 };
    pthread_t thread;

    (void)state;
    atomic_store(&client_done, false);
    pthread_create(&thread, NULL, run_curl, &run);
    while (!atomic_load(&client_done))
        httpd_run(fixture.server, -1);
    pthread_join(thread, NULL);
    if (run.message[0])
        fail_msg("%s", run.message);
    assert_int_equal(run.connects, 1); /* all on one connection */
}

#define SERVER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_refusals),
        SERVER_TEST(test_pipelined),
        SERVER_TEST(test_pipelined_flood),
        SERVER_TEST(test_every_cut),
        SERVER_TEST(test_head),
        SERVER_TEST(test_http_1_0),
        SERVER_TEST(test_slow_reader),
        SERVER_TEST(test_peer_leaves),
        SERVER_TEST(test_abort),
        SERVER_TEST(test_queued),
        SERVER_TEST(test_many_streams),
        SERVER_TEST(test_wait),
        SERVER_TEST(test_failures),
        SERVER_TEST(test_libcurl),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
