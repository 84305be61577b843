/* Goal: the paths of printer columns find what they name, and broken ones find nothing.
 * Method: paths against one object; and every cut of every path, which must not crash. */
#include <string.h>

#include "unit.h"

#include "base/limits.h"
#include "kubesim/front/jsonpath.h"
#include "kubesim/front/table.h"

static const char object_text[] =
    "{\"a\":{\"b\":1},\"list\":[{\"type\":\"Ready\",\"status\":\"True\",\"n\":1},"
    "{\"type\":\"Stalled\",\"status\":\"False\",\"n\":2}]}";

static const struct {
    const char *path, *expected;
} cases[] = {
    { "", "{\"b\":1}" },
    { ".b", "1" },
    { ".list[1].status", "\"False\"" },
    { ".list[?(@.type==\"Ready\")].status", "\"True\"" },
    { ".list[?(@.type==\"Stalled\")].n", "2" },
    { ".list[?(@.type==\"Else\")].n", NULL },
    { ".missing.b", NULL },
    { ".list[7]", NULL },
    { ".list[x]", NULL },
    { ".list[*].type", NULL },
    { ".list[?(@.n==1)].type", NULL },
    { "a", NULL },
};

static void paths_find(void **state)
{
    auto_json json_t *object = jx_parse(span_of(object_text), LIMIT_JSON_DOCUMENT, "object", NULL);
    const json_t *small = jx_get(object, "a", NULL);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const json_t *found = jsonpath_find(i < 2 ? small : object, cases[i].path);
        auto_free char *text = found ? json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        CASE(cases[i].path, (text == NULL) == (cases[i].expected == NULL) &&
                                (!text || strcmp(text, cases[i].expected) == 0));
        for (size_t cut = 0; cut < strlen(cases[i].path); cut++) {
            auto_free char *part = mem_strndup(cases[i].path, cut);
            (void)jsonpath_find(object, part);
        }
    }
}

static void ages_read_as_kubectl_writes_them(void **state)
{
    static const struct {
        int64_t seconds;
        const char *expected;
    } ages[] = { { -5, "0s" },       { 0, "0s" },        { 119, "119s" },   { 120, "2m" },
                 { 185, "3m5s" },    { 600, "10m" },     { 10799, "179m" }, { 10800, "3h" },
                 { 12000, "3h20m" }, { 28800, "8h" },    { 172799, "47h" }, { 172800, "2d" },
                 { 180000, "2d2h" }, { 8 * 86400, "8d" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
        auto_free char *text = table_duration(1000 * ages[i].seconds);
        CASE(ages[i].expected, strcmp(text, ages[i].expected) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find),
        cmocka_unit_test(ages_read_as_kubectl_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
