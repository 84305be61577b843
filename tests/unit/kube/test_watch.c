/* Goal: a line of a watch becomes an event, or the failure that its Status says.
 * Method: a table of lines. */
#include "unit.h"

#include "base/json.h"
#include "kube/watch.h"

#define STATUS(code, reason)                                                                       \
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" #code ",\"reason\":\"" reason  \
    "\",\"message\":\"m\"}}"

static void test_decode(void **state)
{
    static const struct {
        const char *name, *line;
        enum watch_event event;
        enum err_kind kind;
        int http_status;
    } cases[] = {
        { "added", "{\"type\":\"ADDED\",\"object\":{}}", WATCH_ADDED, ERR_NONE, 0 },
        { "modified", "{\"object\":{},\"type\":\"MODIFIED\"}", WATCH_MODIFIED, ERR_NONE, 0 },
        { "deleted", "{\"type\":\"DELETED\",\"object\":{}}\r", WATCH_DELETED, ERR_NONE, 0 },
        { "bookmark", "{\"type\":\"BOOKMARK\",\"object\":{}}", WATCH_BOOKMARK, ERR_NONE, 0 },
        { "expired", STATUS(410, "Expired"), 0, ERR_GONE, 410 },
        { "throttled", STATUS(429, "TooManyRequests"), 0, ERR_RETRY, 429 },
        { "internal", STATUS(500, "InternalError"), 0, ERR_RETRY, 500 },
        { "code out of range", STATUS(99999999999, "x"), 0, ERR_RETRY, 500 },
        { "error without a status", "{\"type\":\"ERROR\"}", 0, ERR_RETRY, 500 },
        { "unknown type", "{\"type\":\"MOVED\",\"object\":{}}", 0, ERR_INVALID, 0 },
        { "no type", "{\"object\":{}}", 0, ERR_INVALID, 0 },
        { "no object", "{\"type\":\"ADDED\"}", 0, ERR_INVALID, 0 },
        { "object is null", "{\"type\":\"ADDED\",\"object\":null}", 0, ERR_INVALID, 0 },
        { "object is a list", "{\"type\":\"ADDED\",\"object\":[{}]}", 0, ERR_INVALID, 0 },
        { "object has no end", "{\"type\":\"ADDED\",\"object\":{", 0, ERR_INVALID, 0 },
        { "two types", "{\"type\":\"ADDED\",\"object\":{},\"type\":\"DELETED\"}", 0, ERR_INVALID,
          0 },
        { "two lines", "{\"type\":\"ADDED\",\"object\":{}}{}", 0, ERR_INVALID, 0 },
        { "an array", "[]", 0, ERR_INVALID, 0 },
        { "no JSON", "{", 0, ERR_INVALID, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span object = span_of("");
        enum watch_event event = 0;
        struct err err = { 0 };
        int result = watch_decode(span_of(cases[i].line), &event, &object, &err);

        CASE(cases[i].name, (result == 0) == (cases[i].kind == ERR_NONE));
        CASE(cases[i].name, err.kind == cases[i].kind && err.http_status == cases[i].http_status);
        CASE(cases[i].name, event == cases[i].event);
        CASE(cases[i].name, span_equals(object, result == 0 ? "{}" : ""));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_decode) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
