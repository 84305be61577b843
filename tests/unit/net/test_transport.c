/* Goal: a status and what the server says about it become the right kind,
 * reason, message and waiting time.
 * Method: a table of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/transport.h"

static const struct {
    const char *name;
    int status;
    const char *body, *retry_after, *date;
    enum err_kind kind;
    const char *reason, *message;
    unsigned retry_after_ms;
} cases[] = {
    { "Status", 403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no rights\"}",
      NULL, NULL, ERR_DENIED, "Forbidden", "GET x: 403 Forbidden: no rights", 0 },
    { "Status with a strange reason", 409,
      "{\"kind\":\"Status\",\"reason\":\"a b\",\"message\":\"m\"}", NULL, NULL, ERR_CONFLICT, "",
      "GET x: 409 Conflict: m", 0 },
    { "registry", 404, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"gone\"}]}", NULL,
      NULL, ERR_NOT_FOUND, "", "GET x: 404 Not Found: MANIFEST_UNKNOWN: gone", 0 },
    { "registry, code only", 401, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}", NULL, NULL,
      ERR_DENIED, "", "GET x: 401 Unauthorized: UNAUTHORIZED", 0 },
    { "Google", 412, "{\"error\":{\"message\":\"changed\"}}", NULL, NULL, ERR_CONFLICT, "",
      "GET x: 412 Precondition Failed: changed", 0 },
    { "OAuth", 400, "{\"error\":\"invalid_grant\",\"error_description\":\"bad\"}", NULL, NULL,
      ERR_INVALID, "", "GET x: 400 Bad Request: bad", 0 },
    { "text", 500, "first\nsecond", NULL, NULL, ERR_RETRY, "",
      "GET x: 500 Internal Server Error: first", 0 },
    { "S3", 403,
      "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>No.</Message></Error>",
      NULL, NULL, ERR_DENIED, "", "GET x: 403 Forbidden: AccessDenied: No.", 0 },
    { "S3, code only", 404, "<Error><Code>NoSuchKey</Code><Message/></Error>", NULL, NULL,
      ERR_NOT_FOUND, "", "GET x: 404 Not Found: NoSuchKey", 0 },
    { "S3, cut", 404, "<Error><Code>NoSuch", NULL, NULL, ERR_NOT_FOUND, "", "GET x: 404 Not Found",
      0 },
    { "markup", 502, "<html>", NULL, NULL, ERR_RETRY, "", "GET x: 502 Bad Gateway", 0 },
    { "broken JSON", 504, "{\"a", NULL, NULL, ERR_RETRY, "", "GET x: 504 Gateway Timeout", 0 },
    { "empty", 410, "", NULL, NULL, ERR_GONE, "", "GET x: 410 Gone", 0 },
    { "too large", 413, "", NULL, NULL, ERR_TOO_BIG, "", "GET x: 413 Content Too Large", 0 },
    { "unknown status", 299 + 200, "", NULL, NULL, ERR_INVALID, "", "GET x: 499 Unknown", 0 },
    { "redirect", 307, "", NULL, NULL, ERR_INVALID, "", "GET x: 307 Temporary Redirect", 0 },
    { "seconds", 429, "", "7", NULL, ERR_RETRY, "", "GET x: 429 Too Many Requests", 7000 },
    { "many seconds", 429, "", "99999999999", NULL, ERR_RETRY, "", "GET x: 429 Too Many Requests",
      3600000 },
    { "date", 503, "", "Mon, 23 Nov 2026 07:00:30 GMT", "Mon, 23 Nov 2026 07:00:00 GMT", ERR_RETRY,
      "", "GET x: 503 Service Unavailable", 30000 },
    { "date in the past", 503, "", "Mon, 23 Nov 2026 06:00:00 GMT", "Mon, 23 Nov 2026 07:00:00 GMT",
      ERR_RETRY, "", "GET x: 503 Service Unavailable", 0 },
    { "date alone", 503, "", "Mon, 23 Nov 2026 07:00:30 GMT", NULL, ERR_RETRY, "",
      "GET x: 503 Service Unavailable", 0 },
    { "broken clock", 503, "", "Mon, 23 Nov 2026 07:00:30 GMT", "today", ERR_RETRY, "",
      "GET x: 503 Service Unavailable", 0 },
    { "nonsense", 503, "", "soon", "Mon, 23 Nov 2026 07:00:00 GMT", ERR_RETRY, "",
      "GET x: 503 Service Unavailable", 0 },
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_header headers[2] = { 0 };
        size_t count = 0;
        struct err err = { 0 };

        if (cases[i].retry_after)
            headers[count++] = (struct http_header){ "retry-after", cases[i].retry_after };
        if (cases[i].date)
            headers[count++] = (struct http_header){ "DATE", cases[i].date };
        struct http_reply reply = { cases[i].status, span_of(cases[i].body), headers, count };
        assert_int_equal(http_reply_check(&reply, "GET x", &err), -1);
        if (err.kind != cases[i].kind || strcmp(err.reason, cases[i].reason) != 0 ||
            strcmp(err.message, cases[i].message) != 0 || err.http_status != cases[i].status ||
            err.retry_after_ms != cases[i].retry_after_ms)
            fail_msg("%s: %s, reason '%s', %u ms: %s", cases[i].name, err_kind_name(err.kind),
                     err.reason, err.retry_after_ms, err.message);
    }
}

/* Whoever answers may be anybody: what is much larger than an explanation is not looked into. */
static void test_large_problems(void **state)
{
    auto_buf struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_init(&text, MIB);
    buf_string(&text, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"x\":[[]");
    while (text.length < LIMIT_HTTP_PROBLEM)
        buf_string(&text, ",[]");
    buf_string(&text, "]}");
    struct http_reply reply = { .status = 403, .body = span_of(buf_text(&text)) };
    assert_int_equal(http_reply_check(&reply, "GET x", &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_string_equal(err.reason, "");
    assert_string_equal(err.message, "GET x: 403 Forbidden");
}

static void test_success(void **state)
{
    struct err err = { .kind = ERR_GONE };

    (void)state;
    for (int status = 200; status < 300; status++)
        assert_int_equal(http_reply_check(&(struct http_reply){ .status = status }, "GET x", &err),
                         0);
    assert_int_equal(err.kind, ERR_GONE);
}

static void test_date(void **state)
{
    struct err err = { 0 };
    int64_t ms = 0;

    (void)state;
    assert_int_equal(http_date("Sun, 06 Nov 1994 08:49:37 GMT", &ms, &err), 0);
    assert_int_equal(ms, 784111777000);
    assert_int_equal(http_date("yesterday", &ms, &err), -1);
    assert_string_equal(err.message, "\"yesterday\" is not a date");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_large_problems),
        cmocka_unit_test(test_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
