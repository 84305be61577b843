/* Goal: label and field selectors choose what kubectl means by them.
 * Method: selectors against one object. */
#include <string.h>

#include "unit.h"

#include "kubesim/core/selector.h"

static void selectors_choose(void **state)
{
    static const struct {
        const char *labels, *fields;
        bool matches;
    } cases[] = {
        { NULL, NULL, true },
        { "", "", true },
        { "app=churn", NULL, true },
        { "app==churn", NULL, true },
        { "app=other", NULL, false },
        { "app!=other", NULL, true },
        { "missing!=x", NULL, true },
        { "app", NULL, true },
        { "missing", NULL, false },
        { "!missing", NULL, true },
        { "!app", NULL, false },
        { "app=churn,example.io/run=7", NULL, true },
        { "app=churn,example.io/run=8", NULL, false },
        { NULL, "metadata.name=one", true },
        { NULL, "metadata.name=two", false },
        { NULL, "metadata.name!=two,spec.mode=A", true },
        { NULL, "spec.missing=", true },
        { "app=churn", "metadata.name=two", false },
    };
    auto_json json_t *object =
        json_pack("{s{ss s{ss ss}} s{ss}}", "metadata", "name", "one", "labels", "app", "churn",
                  "example.io/run", "7", "spec", "mode", "A");
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *name = cases[i].labels ? cases[i].labels : cases[i].fields;
        struct selector selector = { 0 };
        struct err err;
        assert_int_equal(selector_parse(cases[i].labels, cases[i].fields, &selector, &err), 0);
        CASE(name ? name : "nothing", selector_matches(&selector, object) == cases[i].matches);
        selector_release(&selector);
    }
}

static void nonsense_is_refused(void **state)
{
    static const char *const cases[] = { ",",   "a=b,,c=d", "=x",    "!=x",
                                         " , ", "in (a)",   "a b=c", "a in (b)" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct selector selector = { 0 };
        struct err err;
        CASE(cases[i], selector_parse(cases[i], NULL, &selector, &err) != 0);
        CASE(cases[i], err.kind == ERR_INVALID);
        CASE(cases[i], selector_parse(NULL, cases[i], &selector, &err) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_choose),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
