/* Goal: documents of servers become paths and texts; hostile ones become errors.
 * Method: small documents and what must be seen of them, in order. */
#include "unit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "store/xml.h"

struct record {
    struct buf seen;   /* "path=text;" for each element */
    const char *until; /* the path that ends the walk */
};

static int on_element(void *context, const char *path, struct span text, struct err *err)
{
    struct record *record = context;

    if (record->until && strcmp(path, record->until) == 0)
        return err_set(err, ERR_CANCELED, "seen enough");
    buf_format(&record->seen, "%s=%.*s;", path, (int)text.length, text.data);
    return 0;
}

/* What is seen, or the message; the caller frees. */
static char *walk(const char *document, const char *until, int *ret_result)
{
    struct record record = { .seen.maximum = 1000000, .until = until };
    struct err err = { 0 };

    *ret_result = xml_walk(span_of(document), "doc", on_element, &record, &err);
    if (*ret_result == 0)
        return buf_take(&record.seen);
    buf_release(&record.seen);
    return mem_strdup(err.message);
}

static void shows_elements_as_they_end(void **state)
{
    static const struct {
        const char *document, *seen;
    } cases[] = {
        { "<a/>", "a=;" },
        { "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns=\"urn:x\"><b>1</b><b>2</b></a>",
          "a/b=1;a/b=2;a=;" },
        { "<a><b>1</b> 2 <c>3</c></a>", "a/b=1;a/c=3;a=;" },
        { "<s:a><s:b>t</s:b></s:a>", "a/b=t;a=;" },
        { "<a>&#34;e&#x22; &lt;&amp;&gt; <![CDATA[<c>]]><!-- no --></a>", "a=\"e\" <&> <c>;" },
        { "<a>\xC3\xBC&#xFC;</a>", "a=\xC3\xBC\xC3\xBC;" },
        { "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xFC</a>", "a=\xC3\xBC;" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int result;
        auto_free char *seen = walk(cases[i].document, NULL, &result);

        CASE(seen, result == 0 && strcmp(seen, cases[i].seen) == 0);
    }
}

static void refuses_what_is_not_accepted(void **state)
{
    static const struct {
        const char *document, *message;
    } cases[] = {
        { "", "doc line 1, column 1: no element found" },
        { "{\"a\": 1}", "doc line 1, column 1: not well-formed (invalid token)" },
        { "<a>\n<b></a>", "doc line 2, column 6: mismatched tag" },
        { "<a/><a/>", "doc line 1, column 5: junk after document element" },
        { "<a>\xFF</a>", "doc line 1, column 4: not well-formed (invalid token)" },
        { "<a>&b;</a>", "doc line 1, column 4: undefined entity" },
        { "<!DOCTYPE a [<!ENTITY b \"bbbbbb\">]><a>&b;</a>",
          "doc line 1: a document type is not accepted" },
        { "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
          "doc line 1: a document type is not accepted" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int result;
        auto_free char *message = walk(cases[i].document, NULL, &result);

        CASE(message, result == -1 && strcmp(message, cases[i].message) == 0);
    }
}

static char *repeated(const char *before, const char *text, size_t count, const char *after)
{
    struct buf document = { .maximum = 10000000 };

    buf_string(&document, before);
    for (size_t i = 0; i < count; i++)
        buf_string(&document, text);
    buf_string(&document, after);
    return buf_take(&document);
}

static void sizes_are_bounded(void **state)
{
    auto_free char *deep = repeated("", "<a>", 100, ""), *wide = NULL, *longest = NULL;
    auto_free char *name = repeated("<", "a", LIMIT_XML_PATH + 1, "/>"), *message = NULL;
    int result;

    (void)state;
    message = walk(deep, NULL, &result);
    assert_string_equal(message, "doc line 1: elements are too deep in each other");
    free(message);
    message = walk(name, NULL, &result);
    assert_string_equal(message, "doc line 1: elements are too deep in each other");
    wide = repeated("<a>", "x", LIMIT_XML_TEXT + 1, "</a>");
    free(message);
    message = walk(wide, NULL, &result);
    assert_string_equal(message, "doc line 1: the text of an element is too long");
    longest = repeated("<a>", "x", LIMIT_XML_TEXT, "</a>");
    free(message);
    message = walk(longest, NULL, &result);
    assert_int_equal(result, 0);
}

static void a_visit_ends_the_walk(void **state)
{
    int result;
    auto_free char *message = walk("<a><b>1</b><c>2</c><broken", "a/c", &result);

    (void)state;
    assert_int_equal(result, -1);
    assert_string_equal(message, "seen enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_elements_as_they_end),
        cmocka_unit_test(refuses_what_is_not_accepted),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_visit_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
