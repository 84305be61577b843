/* Goal: JSON from outside is bounded and strict; merge patches follow RFC 7386.
 * Method: tables of documents; the RFC's own table of examples (appendix A). */
#include "unit.h"

#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"

static json_t *parse(const char *text)
{
    struct err err = { 0 };
    json_t *value = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "document", &err);

    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static void strict_documents_only(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *message; /* the beginning of it */
    } cases[] = {
        { "", ERR_INVALID, "job line 1 column 0: " },
        { "{", ERR_INVALID, "job line 1 column 1: " },
        { "{}x", ERR_INVALID, "job line 1 column 3: end of file expected" },
        { "{\"a\":1,\n\"a\":2}", ERR_INVALID, "job line 2 column 3: duplicate object key" },
        { "{\"a\":\"\\u0000\"}", ERR_INVALID, "job line 1 column " },
        { "[1,]", ERR_INVALID, "job line 1 column 4: " },
        { "nul", ERR_INVALID, "job line 1 column 3: " },
        { "[99999999999999999999]", ERR_INVALID, "job line 1 column 21: too big integer" },
        { "\"\xff\"", ERR_INVALID, "job line 1 column " },
        { "{\"twenty-one bytes\": 1}", ERR_TOO_BIG, "job is larger than 21 bytes" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t maximum = cases[i].kind == ERR_TOO_BIG ? 21 : 1000;
        struct err err = { 0 };

        CASE(cases[i].text, jx_parse(span_of(cases[i].text), maximum, "job", &err) == NULL);
        CASE(cases[i].text, err.kind == cases[i].kind);
        CASE(err.message, strncmp(err.message, cases[i].message, strlen(cases[i].message)) == 0);
    }
}

/* What jx_read() reads and what it leaves to jansson, which is not the same as what is wrong. */
static void text_is_read_and_written_as_by_jansson(void **state)
{
    static const struct {
        const char *text;
        bool ordinary;
    } cases[] = {
        { "{\"a\":[1,{\"b\":null,\"\":true},[]],\"c\":false,\"d\":{}}", true },
        { " { \"a\" :\t[ -0 ,\r\n123456789012345678 ] } ", true },
        { "[0.5,-2.25,1.0,5e-1,25E+2,0e0,1e-320,123456789012345678.5]", true },
        { "\"exactly eight bytes and then \xc3\xbc, \xe2\x82\xac, \xf0\x9f\x98\x80 and \x7f\"",
          true },
        { "[\"quote \\\" in 8 bytes\",\"\\\\\\/\\b\\f\\n\\r\\t\",\"\xc3\xbc\\n\xc3\x9f\"]", true },
        { "{\"k:{\\\"a\\\":1}\":\"\\\"v\\\"\",\"k\\n\":{\"\\n\":\"\\t\"}}", true },
        { "\"\\u00e4\"", false },
        { "[\"\\u0001\\u001f and \\u007f\",\"\xc3\xa4\\u0002\\\"\",0.1,1e300]", false },
        { "[1234567890123456789]", false },
        { "1234567890123456789.5", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span text = span_of(cases[i].text);
        auto_json json_t *read = jx_read(text), *parsed = parse(cases[i].text);
        auto_json json_t *wanted = json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);

        CASE(cases[i].text, (read != NULL) == cases[i].ordinary);
        CASE(cases[i].text, !read || json_equal(read, wanted));
        CASE(cases[i].text, wanted && json_equal(parsed, wanted));
        auto_free char *canonical = jx_canonical(parsed);
        auto_free char *dumped =
            json_dumps(wanted, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        assert_string_equal(canonical, dumped);
    }
}

static void messages_do_not_quote_the_input(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_null(jx_parse(span_of("{\"token\": hunter2}"), 100, "credential", &err));
    assert_null(strstr(err.message, "hunter2"));
}

static void nul_bytes_are_no_json(void **state)
{
    static const char text[] = "{\"a\":\n true\0}";
    struct err err = { 0 };

    (void)state;
    assert_null(jx_parse((struct span){ text, sizeof(text) - 1 }, 100, "job", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.message, "job line 2 column 6: NUL byte");
}

static void strings_with_nul_are_taken_on_demand(void **state)
{
    static const char text[] = "{\"a\":\"b\\u0000c\",\"d\":\"e\"}";
    auto_json json_t *value = jx_parse_with_nul(span_of(text), 100, "list", NULL);
    struct err err;

    (void)state;
    assert_int_equal(json_string_length(jx_get(value, "a", NULL)), 3);
    assert_null(jx_string(value, "a", NULL)); /* no text that C can tell */
    assert_string_equal(jx_string(value, "d", NULL), "e");
    assert_null(jx_parse_with_nul((struct span){ "[1\0]", 4 }, 100, "list", &err));
    assert_string_equal(err.message, "list line 1 column 3: NUL byte");
    assert_null(jx_parse_with_nul(span_of("{\"\\u0000\":1}"), 100, "list", &err));
}

static void values_are_counted(void **state)
{
    static const struct {
        const char *text;
        size_t values;
    } cases[] = {
        { "7", 1 },
        { "[]", 1 },
        { "[1]", 2 },
        { "[1,2,[3]]", 5 },
        { "{\"a,[{\":\"b\\\",,\",\"c\":{}}", 3 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };

        CASE(cases[i].text,
             jx_check_values(span_of(cases[i].text), cases[i].values, "list", &err) == 0);
        CASE(cases[i].text,
             jx_check_values(span_of(cases[i].text), cases[i].values / 2, "list", &err) < 0);
        CASE(cases[i].text, err.kind == ERR_TOO_BIG);
    }
}

static void any_value_is_a_document(void **state)
{
    static const char *const cases[] = { "null", "true", "1", "\"x\"", "[]", "{}", " [1] \n" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_json json_t *value = jx_parse(span_of(cases[i]), 100, "document", NULL);

        CASE(cases[i], value != NULL);
    }
}

static json_t *nested(size_t depth, struct err *err)
{
    auto_free char *text = mem_zero(2 * depth + 1, 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "deep", err);
}

static void nesting_is_limited(void **state)
{
    struct err err = { 0 };
    auto_json json_t *deepest = nested(LIMIT_JSON_DEPTH, &err);

    (void)state;
    assert_non_null(deepest);
    assert_null(jx_parse(span_of("]"), 100, "bracket", &err)); /* not "nested too deep" */
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(nested(LIMIT_JSON_DEPTH + 1, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_string_equal(err.message, "deep line 1 column 65: nested deeper than 64 levels");
}

static void brackets_in_strings_are_not_nesting(void **state)
{
    char text[300];

    (void)state;
    memset(text, '[', sizeof(text));
    memcpy(text, "\"\\\"", 3);
    memcpy(text + sizeof(text) - 2, "\"", 2);
    auto_json json_t *value = parse(text);

    assert_int_equal(json_string_length(value), sizeof(text) - 4);
}

static void files_are_read_and_bounded(void **state)
{
    char path[] = "/tmp/test_json.XXXXXX";
    auto_close int fd = mkstemp(path);
    struct err err = { 0 };

    (void)state;
    assert_int_equal(write(fd, "{\"a\":1}", 7), 7);
    auto_json json_t *value = jx_parse_file(path, 7, &err);

    assert_int_equal(jx_int(value, "a", 0), 1);
    assert_null(jx_parse_file(path, 6, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    unlink(path);
    assert_null(jx_parse_file(path, 6, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_null(jx_parse_file("/", 6, &err));
    assert_int_equal(err.kind, ERR_IO);
}

static void canonical_text_sorts_keys(void **state)
{
    auto_json json_t *value =
        parse("{ \"b\": [1, 2.5], \"a\": { \"z\": null, \"y\": \"\\u00e4\" } }");
    auto_free char *text = jx_canonical(value);

    (void)state;
    assert_string_equal(text, "{\"a\":{\"y\":\"\xc3\xa4\",\"z\":null},\"b\":[1,2.5]}");
}

static void members_by_path(void **state)
{
    auto_json json_t *value =
        parse("{\"metadata\":{\"name\":\"x\",\"gone\":null},\"n\":7,\"t\":true,\"s\":\"7\"}");

    (void)state;
    assert_string_equal(jx_string(value, "metadata", "name", NULL), "x");
    assert_null(jx_string(value, "metadata", "other", NULL));
    assert_null(jx_string(value, "n", NULL));
    assert_null(jx_get(value, "metadata", "gone", NULL));
    assert_null(jx_get(value, "metadata", "name", "deeper", NULL));
    assert_null(jx_get(NULL, "metadata", NULL));
    assert_ptr_equal(jx_get(value, NULL), value);
    assert_int_equal(jx_int(value, "n", 1), 7);
    assert_int_equal(jx_int(value, "s", 1), 1);
    assert_true(jx_bool(value, "t", false));
    assert_true(jx_bool(value, "n", true));
}

static const struct {
    const char *target, *patch, *result;
} rfc_7386_examples[] = {
    { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
    { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
    { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
    { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
    { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
    { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
    { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
    { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
    { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
    { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
    { "{\"a\":\"foo\"}", "null", "null" },
    { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
    { "{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}" },
    { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
    { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
};

static void merge_patches_apply_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rfc_7386_examples); i++) {
        auto_json json_t *target = parse(rfc_7386_examples[i].target);
        auto_json json_t *patch = parse(rfc_7386_examples[i].patch);
        auto_json json_t *result = jx_merge_apply(target, patch);
        auto_free char *text = jx_canonical(result);
        auto_free char *target_after = jx_canonical(target);

        CASE(rfc_7386_examples[i].patch, strcmp(text, rfc_7386_examples[i].result) == 0);
        CASE(target_after, strcmp(target_after, rfc_7386_examples[i].target) == 0);
    }
}

static void a_merge_diff_leads_from_one_to_the_other(void **state)
{
    static const struct {
        const char *from, *to, *patch;
    } cases[] = {
        { "{}", "{}", "{}" },
        { "{\"a\":1}", "{\"a\":1}", "{}" },
        { "{\"a\":1,\"b\":2}", "{\"b\":3}", "{\"a\":null,\"b\":3}" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2}}", "{\"a\":{\"b\":null}}" },
        { "{\"a\":1}", "{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{}}}" },
        { "{\"a\":[1,2]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "{\"a\":null}", "{}", "{}" },
        { "{\"a\":1}", "{\"a\":null}", "{\"a\":null}" },
        { "{\"a\":{}}", "{}", "{\"a\":null}" },
        { "{\"a\":{}}", "{\"a\":{\"b\":null}}", "{}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_json json_t *from = parse(cases[i].from);
        auto_json json_t *to = parse(cases[i].to);
        auto_json json_t *patch = jx_merge_diff(from, to);
        auto_free char *text = jx_canonical(patch);
        auto_json json_t *reached = jx_merge_apply(from, patch);
        auto_json json_t *rest = jx_merge_diff(reached, to);

        CASE(cases[i].from, strcmp(text, cases[i].patch) == 0);
        CASE(cases[i].from, json_object_size(rest) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_documents_only),
        cmocka_unit_test(text_is_read_and_written_as_by_jansson),
        cmocka_unit_test(messages_do_not_quote_the_input),
        cmocka_unit_test(nul_bytes_are_no_json),
        cmocka_unit_test(strings_with_nul_are_taken_on_demand),
        cmocka_unit_test(values_are_counted),
        cmocka_unit_test(any_value_is_a_document),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(brackets_in_strings_are_not_nesting),
        cmocka_unit_test(files_are_read_and_bounded),
        cmocka_unit_test(canonical_text_sorts_keys),
        cmocka_unit_test(members_by_path),
        cmocka_unit_test(merge_patches_apply_as_the_rfc_says),
        cmocka_unit_test(a_merge_diff_leads_from_one_to_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
