/* Goal: structural schemas prune, default and refuse as an API server does, with its words.
 * Method: one table of schema, value and expected offences ("field: message"); values are written
 * with ' for ". */
#include <string.h>

#include "unit.h"

#include "base/buf.h"
#include "base/limits.h"
#include "kubesim/core/schema.h"

#include <regex.h>

static json_t *parse(const char *text)
{
    char *json = mem_strdup(text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *value = jx_parse(span_of(json), LIMIT_JSON_DOCUMENT, text, NULL);
    free(json);
    assert_non_null(value);
    return value;
}

static void forget(struct index *patterns)
{
    for (size_t i = 0; i < patterns->count; i++) {
        regfree(patterns->entries[i].value);
        free(patterns->entries[i].value);
    }
    index_release(patterns);
}

#define OBJECT(properties) "{'type':'object','properties':{" properties "}}"

static const struct {
    const char *name, *schema, *value, *expected; /* "" when it is fine */
} offences[] = {
    { "fine", OBJECT("'a':{'type':'string'}"), "{'a':'x'}", "" },
    { "type", OBJECT("'a':{'type':'string'}"), "{'a':1}",
      "a: Invalid value: \"integer\": a in body must be of type string: \"integer\"" },
    { "null", OBJECT("'a':{'type':'string'}"), "{'a':null}",
      "a: Invalid value: \"null\": a in body must be of type string: \"null\"" },
    { "integer as number", OBJECT("'a':{'type':'number'}"), "{'a':1}", "" },
    { "number as integer", OBJECT("'a':{'type':'integer'}"), "{'a':1.5}",
      "a: Invalid value: \"number\": a in body must be of type integer: \"number\"" },
    { "required", "{'type':'object','required':['a']}", "{}", "a: Required value" },
    { "enum", OBJECT("'a':{'type':'string','enum':['x','y']}"), "{'a':'z'}",
      "a: Unsupported value: \"z\": supported values: \"x\", \"y\"" },
    { "pattern", OBJECT("'a':{'type':'string','pattern':'^[a-z]+$'}"), "{'a':'A'}",
      "a: Invalid value: \"A\": a in body should match '^[a-z]+$'" },
    { "pattern of RE2", OBJECT("'a':{'type':'string','pattern':'^(?:a|\\\\d+)$'}"), "{'a':'12'}",
      "" },
    { "minimum", OBJECT("'a':{'type':'integer','minimum':1}"), "{'a':0}",
      "a: Invalid value: 0: a in body should be greater than or equal to 1" },
    { "maximum", OBJECT("'a':{'type':'integer','maximum':5}"), "{'a':6}",
      "a: Invalid value: 6: a in body should be less than or equal to 5" },
    { "short", OBJECT("'a':{'type':'string','minLength':1}"), "{'a':''}",
      "a: Invalid value: \"\": a in body should be at least 1 chars long" },
    { "length counts characters", OBJECT("'a':{'type':'string','maxLength':2}"), "{'a':'äö'}", "" },
    { "long", OBJECT("'a':{'type':'string','maxLength':2}"), "{'a':'abc'}",
      "a: Too long: may not be more than 2 bytes" },
    { "items", OBJECT("'a':{'type':'array','maxItems':1,'items':{'type':'integer'}}"),
      "{'a':[1,'x']}",
      "a: Too many: 2: must have at most 1 items; "
      "a[1]: Invalid value: \"string\": a[1] in body must be of type integer: \"string\"" },
    { "few properties",
      OBJECT("'a':{'type':'object','minProperties':1,"
             "'additionalProperties':{'type':'string'}}"),
      "{'a':{}}", "a: Invalid value: 0: a in body should have at least 1 properties" },
    { "map values", OBJECT("'a':{'type':'object','additionalProperties':{'type':'string'}}"),
      "{'a':{'b':1}}",
      "a.b: Invalid value: \"integer\": a.b in body must be of type string: \"integer\"" },
    { "list map",
      OBJECT("'a':{'type':'array','x-kubernetes-list-type':'map',"
             "'x-kubernetes-list-map-keys':['k'],'items':{'type':'object'}}"),
      "{'a':[{'k':'1','v':1},{'k':'1','v':2}]}", "a[1]: Duplicate value: {\"k\":\"1\"}" },
    { "set",
      OBJECT("'a':{'type':'array','x-kubernetes-list-type':'set',"
             "'items':{'type':'string'}}"),
      "{'a':['x','y','x']}", "a[2]: Duplicate value: \"x\"" },
};

static void offences_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(offences); i++) {
        auto_json json_t *schema = parse(offences[i].schema), *value = parse(offences[i].value);
        auto_json json_t *causes = json_array();
        struct index patterns = { 0 };
        auto_buf struct buf found;
        const json_t *cause;
        size_t j;
        buf_init(&found, LIMIT_JSON_DOCUMENT);
        schema_validate(schema, value, &patterns, causes);
        json_array_foreach(causes, j, cause)
            buf_format(&found, "%s%s: %s", j ? "; " : "", jx_string(cause, "field", NULL),
                       jx_string(cause, "message", NULL));
        if (strcmp(buf_text(&found), offences[i].expected) != 0)
            fail_msg("case \"%s\": %s", offences[i].name, buf_text(&found));
        forget(&patterns);
    }
}

static void unknown_members_go_and_defaults_come(void **state)
{
    static const struct {
        const char *name, *schema, *value, *expected, *unknown;
    } cases[] = {
        { "unknown", OBJECT("'a':{'type':'string'}"), "{'a':'x','b':1}", "{'a':'x'}", "['b']" },
        { "root members stay", OBJECT(""), "{'apiVersion':'v','kind':'K','metadata':{'name':'n'}}",
          "{'apiVersion':'v','kind':'K','metadata':{'name':'n'}}", "[]" },
        { "nested", OBJECT("'a':{'type':'array','items':{'type':'object','properties':{'b':{}}}}"),
          "{'a':[{'b':1,'c':2}]}", "{'a':[{'b':1}]}", "['a[0].c']" },
        { "preserved", OBJECT("'a':{'type':'object','x-kubernetes-preserve-unknown-fields':true}"),
          "{'a':{'b':1}}", "{'a':{'b':1}}", "[]" },
        { "default", OBJECT("'a':{'type':'integer','default':3}"), "{}", "{'a':3}", "[]" },
        { "default in a default",
          OBJECT("'a':{'type':'object','default':{},'properties':{"
                 "'b':{'type':'string','default':'x'}}}"),
          "{}", "{'a':{'b':'x'}}", "[]" },
        { "no default below what is absent",
          OBJECT("'a':{'type':'object','properties':{"
                 "'b':{'type':'string','default':'x'}}}"),
          "{}", "{}", "[]" },
        { "null gives way", OBJECT("'a':{'type':'integer','default':3}"), "{'a':null}", "{'a':3}",
          "[]" },
        { "false is a value", OBJECT("'a':{'type':'boolean','default':true}"), "{'a':false}",
          "{'a':false}", "[]" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_json json_t *schema = parse(cases[i].schema), *value = parse(cases[i].value);
        auto_json json_t *expected = parse(cases[i].expected);
        auto_json json_t *expected_unknown = parse(cases[i].unknown), *unknown = json_array();
        schema_prune(schema, value, unknown);
        schema_default(schema, value);
        CASE(cases[i].name, json_equal(value, expected));
        CASE(cases[i].name, json_equal(unknown, expected_unknown));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offences_are_named),
        cmocka_unit_test(unknown_members_go_and_defaults_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
