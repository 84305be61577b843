/* Goal: request_push() gives the same request, or the same refusal, however the
 * bytes are cut, and takes not one byte of what follows.
 * Method: a table of whole inputs; each is replayed in pieces of 1, 2, 3 ...
 * bytes and described as text, which must be the expected one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "net/request.h"

static void describe(const struct request *request, size_t left, struct buf *out)
{
    if (request->state == REQUEST_REFUSED) {
        buf_format(out, "%d", request->refused_status);
        return;
    }
    if (request->state != REQUEST_COMPLETE) {
        buf_string(out, "incomplete");
        return;
    }
    buf_format(out, "%s %s", request->method, request->path);
    for (size_t i = 0; i < request->parameter_count; i++)
        buf_format(out, " ?%s=%s", request->parameters[i].name, request->parameters[i].value);
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, "Host") != 0)
            buf_format(out, " %s=%s", request->headers[i].name, request->headers[i].value);
    buf_format(out, " [%s]%s", buf_text(&request->body), request->keep_alive ? "" : " close");
    if (request->expects_continue)
        buf_string(out, " expects");
    if (left > 0)
        buf_format(out, " +%zu", left);
}

static void replay(const char *text, size_t piece, struct buf *out)
{
    size_t total = strlen(text), taken = 0;
    struct request request;

    request_init(&request, LIMIT_HTTP_REQUEST_BODY);
    for (size_t at = 0; at < total && taken == at; at += piece) {
        size_t length = total - at < piece ? total - at : piece;

        taken += request_push(&request, (struct span){ text + at, length });
    }
    describe(&request, total - taken, out);
    request_release(&request);
}

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"

static void test_requests(void **state)
{
    static const struct {
        const char *name, *input, *expected;
    } cases[] = {
        { "plain", GET "\r\n", "GET / []" },
        { "empty line first", "\r\n" GET "\r\n", "GET / []" },
        { "path as sent", "GET /a%2Fb/../c//d?x HTTP/1.1\r\nHost: h\r\n\r\n",
          "GET /a%2Fb/../c//d ?x= []" },
        { "query", "GET /p?a=1%2B2&b=x+y&&c==&d=%C3%A4 HTTP/1.1\r\nHost: h\r\n\r\n",
          "GET /p ?a=1+2 ?b=x y ?c== ?d=\xC3\xA4 []" },
        { "empty query", "GET /p? HTTP/1.1\r\nHost: h\r\n\r\n", "GET /p []" },
        { "as to a proxy", "GET http://h:1/p?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /p ?q=1 []" },
        { "blanks around a value", GET "X: \t a b \t\r\n\r\n", "GET / X=a b []" },
        { "empty value", GET "X:\r\n\r\n", "GET / X= []" },
        { "body", "PATCH /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
          "PATCH /p Content-Length=5 [hello]" },
        { "the next request stays", "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET",
          "PUT /p Content-Length=2 [hi]" },
        { "body is cut", "PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nhi",
          "incomplete" },
        { "head is cut", "GET / HTTP/1.1\r\nHost: h\r\n", "incomplete" },
        { "close", GET "Connection: x, Close\r\n\r\n", "GET / Connection=x, Close [] close" },
        { "closed is not close", GET "Connection: closed\r\n\r\n", "GET / Connection=closed []" },
        { "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / [] close" },
        { "HTTP/1.0 kept", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "GET / Connection=keep-alive []" },
        { "expect", GET "Expect: 100-continue\r\n\r\n", "GET / Expect=100-continue [] expects" },
        { "equal lengths", GET "Content-Length: 0\r\ncontent-length: 0\r\n\r\n",
          "GET / Content-Length=0 content-length=0 []" },
        { "unequal lengths", GET "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "400" },
        { "negative length", GET "Content-Length: -1\r\n\r\n", "400" },
        { "length with a sign", GET "Content-Length: +1\r\n\r\n", "400" },
        { "length and more", GET "Content-Length: 1, 1\r\n\r\n", "400" },
        { "huge length", GET "Content-Length: 99999999999999999999\r\n\r\n", "400" },
        { "large length", GET "Content-Length: 4194305\r\n\r\n", "413" },
        { "chunked", GET "Transfer-Encoding: chunked\r\n\r\n", "411" },
        { "no host", "GET / HTTP/1.1\r\n\r\n", "400" },
        { "no version", "GET /\r\n\r\n", "400" },
        { "HTTP/2", "PRI / HTTP/2.0\r\n\r\n", "505" },
        { "TLS on a plain port", "\x16\x03\x01\x02 \r\n\r\n", "400" },
        { "blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "no path", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "method is no token", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "folded header", GET "X: a\r\n b\r\n\r\n", "400" },
        { "blank before the colon", GET "X : a\r\n\r\n", "400" },
        { "no colon", GET "X\r\n\r\n", "400" },
        { "control character", GET "X: a\x01z\r\n\r\n", "400" },
        { "line feed alone", "GET / HTTP/1.1\nHost: h\r\n\r\n", "400" },
        { "cut percent", "GET /?a=%2 HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "NUL in the query", "GET /?a=%00 HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "bad percent", "GET /?%zz HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t piece = 1; piece <= strlen(cases[i].input); piece++) {
            auto_buf struct buf got;

            buf_init(&got, 64 * KIB);
            replay(cases[i].input, piece, &got);
            size_t length = strlen(cases[i].expected);
            bool same = strncmp(buf_text(&got), cases[i].expected, length) == 0;
            const char *rest = buf_text(&got) + (same ? length : 0);
            if (!same || (*rest && strncmp(rest, " +", 2) != 0))
                fail_msg("%s, pieces of %zu: got %s", cases[i].name, piece, buf_text(&got));
        }
    }
}

/* What follows a request is not taken. */
static void test_rest(void **state)
{
    static const char two[] = GET "\r\n" GET "\r\n";
    struct request request;

    (void)state;
    request_init(&request, LIMIT_HTTP_REQUEST_BODY);
    assert_int_equal(request_push(&request, span_of(two)), strlen(two) / 2);
    assert_int_equal(request.state, REQUEST_COMPLETE);
    assert_int_equal(request_push(&request, span_of("x")), 0);
    request_release(&request);
}

static void test_head_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        auto_buf struct buf text;
        struct request request;

        buf_init(&text, 2 * LIMIT_HTTP_HEADERS);
        buf_string(&text, GET "X: ");
        while (text.length < LIMIT_HTTP_HEADERS - 4 + over)
            buf_char(&text, 'x');
        buf_string(&text, "\r\n\r\n");
        request_init(&request, LIMIT_HTTP_REQUEST_BODY);
        request_push(&request, (struct span){ text.data, text.length });
        assert_int_equal(request.state, over ? REQUEST_REFUSED : REQUEST_COMPLETE);
        assert_int_equal(request.refused_status, over ? 431 : 0);
        request_release(&request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_head_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
