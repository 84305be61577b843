/* Goal: YAML as Kubernetes users write it becomes the JSON they mean; what could
 * hurt (aliases, duplicates, depth) is refused with line and column.
 * Method: tables of text and the canonical JSON of it. */
#include "unit.h"

#include "base/limits.h"
#include "base/yaml.h"

static void documents_become_json(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        { "a: 1\nb: [x, \"2\", '3']\nc:\n  - d: true\n    e: ~\n  - 0.5\n",
          "{\"a\":1,\"b\":[\"x\",\"2\",\"3\"],\"c\":[{\"d\":true,\"e\":null},0.5]}" },
        { "{}", "{}" },
        { "[]", "[]" },
        { "---\nx\n", "\"x\"" },
        { "\xEF\xBB\xBF"
          "a: b",
          "{\"a\":\"b\"}" },
        { "a: |\n  line 1\n  line 2\nb: >-\n  folded\n  text\n",
          "{\"a\":\"line 1\\nline 2\\n\",\"b\":\"folded text\"}" },
        { "# comment\na: b # more\n", "{\"a\":\"b\"}" },
        { "a: {b: c, d: [1, {e: f}]}", "{\"a\":{\"b\":\"c\",\"d\":[1,{\"e\":\"f\"}]}}" },
        { "1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}" },
        { "a: !!str 1\nb: ! 2\nc: !!int 3\nd: !!float 4\ne: !!map {}\n",
          "{\"a\":\"1\",\"b\":\"2\",\"c\":3,\"d\":4,\"e\":{}}" },
        { "a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}" },
        { "{\"json\": [1, null, \"\\u00e4\"]}", "{\"json\":[1,null,\"\xc3\xa4\"]}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        auto_json json_t *value = yaml_parse(span_of(cases[i].text), "file", &err);

        if (!value)
            fail_msg("%s: %s", cases[i].text, err.message);
        auto_free char *text = jx_canonical(value);

        if (strcmp(text, cases[i].json) != 0)
            fail_msg("%s: got %s", cases[i].text, text);
    }
}

static void plain_scalars_follow_the_core_schema(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        { "null", "null" },       { "Null", "null" },       { "nULL", "\"nULL\"" },
        { "True", "true" },       { "FALSE", "false" },     { "yes", "\"yes\"" },
        { "on", "\"on\"" },       { "12", "12" },           { "-12", "-12" },
        { "+12", "12" },          { "0o17", "15" },         { "0x1F", "31" },
        { "007", "7" },           { "1_000", "\"1_000\"" }, { "1.5", "1.5" },
        { "1e2", "100.0" },       { ".5", "0.5" },          { "1.", "1.0" },
        { "12:30", "\"12:30\"" }, { "1.2.3", "\"1.2.3\"" }, { "2026-11-23", "\"2026-11-23\"" },
        { "0o8", "\"0o8\"" },     { "-", "\"-\"" },         { "+", "\"+\"" },
        { ".", "\".\"" },         { "500m", "\"500m\"" },   { "0x", "\"0x\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *document = mem_format("[%s]", cases[i].text);
        auto_json json_t *value = yaml_parse(span_of(document), "file", NULL);

        CASE(cases[i].text, value != NULL);
        auto_free char *text = jx_canonical(json_array_get(value, 0));

        if (strcmp(text, cases[i].json) != 0)
            fail_msg("%s: got %s", cases[i].text, text);
    }
}

static void what_could_hurt_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        { "", "file holds 0 documents, not one" },
        { "a: 1\n---\nb: 2\n", "file holds 2 documents, not one" },
        { "a: &x 1\nb: *x\n", "file line 1 column 4: anchors are not supported" },
        { "a: &x [1]\n", "file line 1 column 4: anchors are not supported" },
        { "a: &x {b: c}\n", "file line 1 column 4: anchors are not supported" },
        { "&x a: 1\n", "file line 1 column 1: anchors are not supported" },
        { "a: *x\n", "file line 1 column 4: aliases are not supported" },
        { "a: 1\nb: 2\na: 3\n", "file line 3 column 1: duplicate key \"a\"" },
        { "a: !!binary aGk=\n", "file line 1 column 4: the tag is not supported" },
        { "a: !mine 1\n", "file line 1 column 4: the tag is not supported" },
        { "a: !!set {b}\n", "file line 1 column 4: the tag is not supported" },
        { "a: !!int x\n", "file line 1 column 4: the tag is not supported, or " },
        { "[a]: 1\n", "file line 1 column 1: a key must be a string" },
        { "a: 9223372036854775808\n", "file line 1 column 4: an integer does not fit 64 bits" },
        { "a: 0xFFFFFFFFFFFFFFFFF\n", "file line 1 column 4: an integer does not fit 64 bits" },
        { "a: .inf\n", "file line 1 column 4: infinity and nan are not supported" },
        { "a: \"x\\0y\"\n", "file line 1 column 4: NUL is not allowed" },
        { "a: [1\n", "file line 2 column 1: " },
        { "a: b\n\tc: d\n", "file line 2 column 1: " },
        { "a: \xff\n", "file line 1 column 1: " },
        { "a: \"open\n", "file line 2 column 1: " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };

        CASE(cases[i].text, yaml_parse(span_of(cases[i].text), "file", &err) == NULL);
        CASE(cases[i].text, err.kind == ERR_INVALID);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: got \"%s\"", cases[i].text, err.message);
    }
}

static void the_alias_bomb_does_not_go_off(void **state)
{
    static const char bomb[] = "a: &a [x,x,x,x,x,x,x,x,x]\n"
                               "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n";

    (void)state;
    assert_null(yaml_parse(span_of(bomb), "bomb", NULL));
}

static json_t *nested(size_t depth, struct err *err)
{
    auto_free char *text = mem_zero(2 * depth + 1, 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return yaml_parse(span_of(text), "deep", err);
}

static void depth_and_size_are_limited(void **state)
{
    struct err err = { 0 };
    auto_json json_t *deepest = nested(LIMIT_JSON_DEPTH, &err);
    auto_free char *large = mem_alloc(LIMIT_YAML_DOCUMENT + 1);

    (void)state;
    assert_non_null(deepest);
    assert_null(nested(LIMIT_JSON_DEPTH + 1, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    memset(large, ' ', LIMIT_YAML_DOCUMENT + 1);
    assert_null(yaml_parse((struct span){ large, LIMIT_YAML_DOCUMENT + 1 }, "large", &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
}

static void streams_leave_empty_documents_out(void **state)
{
    static const char stream[] = "---\n---\na: 1\n---\n# nothing\n---\n[b]\n...\n";
    auto_json json_t *documents = yaml_parse_all(span_of(stream), "file", NULL);
    auto_free char *text = jx_canonical(documents);

    (void)state;
    assert_string_equal(text, "[{\"a\":1},[\"b\"]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_json),
        cmocka_unit_test(plain_scalars_follow_the_core_schema),
        cmocka_unit_test(what_could_hurt_is_refused_with_its_place),
        cmocka_unit_test(the_alias_bomb_does_not_go_off),
        cmocka_unit_test(depth_and_size_are_limited),
        cmocka_unit_test(streams_leave_empty_documents_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
