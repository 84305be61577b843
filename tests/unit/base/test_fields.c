/* Goal: a table decodes an object, names what is wrong by path, and encodes it
 * back so that absent members and defaults stay away.
 * Method: one table with every kind; documents with one offence each. */
#include "unit.h"

#include "base/fields.h"
#include "base/limits.h"

enum colour { RED, GREEN };

struct column {
    const char *name;
    int type;
};

struct rule {
    int64_t folds;
    struct decimal holdout;
};

struct everything {
    const char *text, *filled;
    bool enabled, disabled;
    int64_t seed, timeout_ms, created_ms;
    struct opt_int limit;
    struct opt_bool strict;
    struct decimal ratio, warn;
    double weight;
    struct doubles weights;
    int colour, shade;
    struct strings drop;
    struct pairs labels;
    struct column *column;
    struct rule *rule;
    struct list columns;
    json_t *extra;
};

static const char *const colours[] = { "Red", "Green", NULL };
static const char *const types[] = { "Numeric", "Categorical", "Boolean", NULL };

static int check_lower(const char *text, struct err *err)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz") != strlen(text))
        return err_set(err, ERR_INVALID, "must be lower-case letters");
    return 0;
}

static const struct field column_fields[] = {
    FIELD(struct column, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY),
    FIELD(struct column, type, "type", FIELD_ENUM, .names = types),
};
static const struct fields column_table = FIELDS(struct column, column_fields);

static const struct field rule_fields[] = {
    FIELD(struct rule, folds, "folds", FIELD_INT, .fallback = "5", .minimum = 2, .maximum = 20),
    FIELD(struct rule, holdout, "holdout", FIELD_NUMBER, .fallback = "0.2",
          .number_range = "(0,1)"),
};
static const struct fields rule_table = FIELDS(struct rule, rule_fields);

static const struct field everything_fields[] = {
    FIELD(struct everything, text, "text", FIELD_STRING, .check = check_lower, .maximum = 5),
    FIELD(struct everything, filled, "filled", FIELD_STRING, .fallback = "full"),
    FIELD(struct everything, enabled, "enabled", FIELD_BOOL, .fallback = "true"),
    FIELD(struct everything, disabled, "disabled", FIELD_BOOL),
    FIELD(struct everything, seed, "seed", FIELD_INT, .fallback = "42", .maximum = INT32_MAX),
    FIELD(struct everything, timeout_ms, "timeout", FIELD_DURATION, .fallback = "5m",
          .minimum = 1000, .maximum = 3600000),
    FIELD(struct everything, created_ms, "created", FIELD_TIME),
    FIELD(struct everything, limit, "limit", FIELD_OPT_INT),
    FIELD(struct everything, strict, "strict", FIELD_OPT_BOOL),
    FIELD(struct everything, ratio, "ratio", FIELD_NUMBER, .number_range = "[0,1]"),
    FIELD(struct everything, warn, "warn", FIELD_NUMBER, .fallback = "0.1", .number_range = "[0,)"),
    FIELD(struct everything, weight, "weight", FIELD_DOUBLE),
    FIELD(struct everything, weights, "weights", FIELD_DOUBLES, .maximum = 3),
    FIELD(struct everything, colour, "colour", FIELD_ENUM, .names = colours, .fallback = "Green"),
    FIELD(struct everything, shade, "shade", FIELD_ENUM, .names = colours),
    FIELD(struct everything, drop, "drop", FIELD_STRINGS, .check = check_lower, .maximum = 2),
    FIELD(struct everything, labels, "labels", FIELD_MAP, .maximum = 4),
    FIELD(struct everything, column, "column", FIELD_OBJECT, .table = &column_table),
    FIELD(struct everything, rule, "rule", FIELD_OBJECT, .table = &rule_table,
          .flags = FIELD_ALWAYS),
    FIELD(struct everything, columns, "columns", FIELD_OBJECTS, .table = &column_table),
    FIELD(struct everything, extra, "extra", FIELD_JSON),
};
static const struct fields everything_table = FIELDS(struct everything, everything_fields);

static int decode(const char *text, struct arena *arena, struct everything *value, struct err *err)
{
    json_t *object = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "document", err);

    if (!object)
        fail_msg("%s: %s", text, err->message);
    arena_defer(arena, (void (*)(void *))json_decref, object);
    return fields_decode(object, &everything_table, "spec", arena, value, err);
}

static void every_kind_is_decoded(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct everything value;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(
        decode("{\"text\":\"abc\",\"filled\":\"\",\"enabled\":false,\"disabled\":true,\"seed\":7,"
               "\"timeout\":\"1m30s\",\"created\":\"2026-11-23T07:00:00Z\",\"limit\":0,"
               "\"strict\":false,\"ratio\":\"0.25\",\"warn\":\"\",\"weight\":2.5,"
               "\"weights\":[1,2.5],\"colour\":\"Red\",\"shade\":\"Green\",\"drop\":[\"a\",\"b\"],"
               "\"labels\":{\"k\":\"v\"},\"column\":{\"name\":\"c\"},"
               "\"rule\":{\"folds\":3},\"columns\":[{\"name\":\"d\",\"type\":\"Boolean\"}],"
               "\"extra\":{\"any\":[1]}}",
               &arena, &value, &err),
        0);
    assert_string_equal(value.text, "abc");
    assert_string_equal(value.filled, "");
    assert_false(value.enabled);
    assert_true(value.disabled);
    assert_int_equal(value.seed, 7);
    assert_int_equal(value.timeout_ms, 90000);
    assert_int_equal(value.created_ms, 1795417200000);
    assert_true(value.limit.set && value.limit.value == 0);
    assert_true(value.strict.set && !value.strict.value);
    assert_string_equal(value.ratio.text, "0.25");
    assert_true(value.ratio.value == 0.25);
    assert_null(value.warn.text);
    assert_true(value.weight == 2.5);
    assert_true(value.weights.count == 2 && value.weights.items[1] == 2.5);
    assert_int_equal(value.colour, RED);
    assert_int_equal(value.shade, GREEN);
    assert_true(value.drop.count == 2 && strcmp(value.drop.items[1], "b") == 0);
    assert_string_equal(value.labels.items[0].name, "k");
    assert_string_equal(value.labels.items[0].value, "v");
    assert_string_equal(value.column->name, "c");
    assert_int_equal(value.column->type, -1);
    assert_int_equal(value.rule->folds, 3);
    assert_string_equal(value.rule->holdout.text, "0.2");
    assert_int_equal(value.columns.count, 1);
    assert_int_equal(((struct column *)value.columns.items)[0].type, 2);
    assert_int_equal(json_array_size(jx_get(value.extra, "any", NULL)), 1);
}

static void absent_members_take_their_defaults(void **state)
{
    static const char *const documents[] = { "{}", "{\"seed\":null,\"rule\":null,\"text\":null}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
        auto_arena struct arena arena = { 0 };
        struct everything value;
        struct err err = { 0 };

        CASE(documents[i], decode(documents[i], &arena, &value, &err) == 0);
        assert_null(value.text);
        assert_string_equal(value.filled, "full");
        assert_true(value.enabled);
        assert_int_equal(value.seed, 42);
        assert_int_equal(value.timeout_ms, 300000);
        assert_int_equal(value.created_ms, 0);
        assert_false(value.limit.set || value.strict.set);
        assert_null(value.ratio.text);
        assert_string_equal(value.warn.text, "0.1");
        assert_int_equal(value.colour, GREEN);
        assert_int_equal(value.shade, -1);
        assert_int_equal(value.drop.count, 0);
        assert_null(value.column);
        assert_int_equal(value.rule->folds, 5);
        assert_true(value.rule->holdout.value == 0.2);
    }
}

static void offences_are_named_by_path(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "[]", "spec: must be an object" },
        { "{\"foo\":1}", "spec: unknown member \"foo\" (expected one of text, filled, " },
        { "{\"text\":1}", "spec.text: must be a string" },
        { "{\"text\":\"abcdef\"}", "spec.text: must be at most 5 bytes long" },
        { "{\"text\":\"A\"}", "spec.text: must be lower-case letters" },
        { "{\"enabled\":\"true\"}", "spec.enabled: must be true or false" },
        { "{\"seed\":-1}", "spec.seed: must be an integer from 0 to 2147483647" },
        { "{\"seed\":1.0}", "spec.seed: must be an integer from 0 to 2147483647" },
        { "{\"limit\":\"1\"}", "spec.limit: must be an integer" },
        { "{\"timeout\":5}", "spec.timeout: must be a string" },
        { "{\"timeout\":\"5\"}", "spec.timeout: must be a duration like 1h30m, " },
        { "{\"timeout\":\"2h\"}", "spec.timeout: must be a duration from 1s to 1h" },
        { "{\"created\":\"now\"}", "spec.created: must be a time like " },
        { "{\"ratio\":0.5}", "spec.ratio: must be a decimal number in a string" },
        { "{\"ratio\":\"x\"}", "spec.ratio: must be a decimal number, not \"x\"" },
        { "{\"ratio\":\"1.1\"}", "spec.ratio: must be a number of at least 0 and at most 1" },
        { "{\"warn\":\"-1\"}", "spec.warn: must be a number of at least 0" },
        { "{\"rule\":{\"holdout\":\"1\"}}",
          "spec.rule.holdout: must be a number above 0 and below 1" },
        { "{\"weight\":\"1\"}", "spec.weight: must be a number" },
        { "{\"weights\":[1,\"2\"]}", "spec.weights[1]: must be a number" },
        { "{\"weights\":[1,2,3,4]}", "spec.weights: must have at most 3 items" },
        { "{\"colour\":\"Blue\"}", "spec.colour: must be one of Red, Green, not \"Blue\"" },
        { "{\"colour\":1}", "spec.colour: must be one of Red, Green" },
        { "{\"drop\":\"a\"}", "spec.drop: must be a list" },
        { "{\"drop\":[\"a\",\"B\"]}", "spec.drop[1]: must be lower-case letters" },
        { "{\"drop\":[\"a\",\"b\",\"c\"]}", "spec.drop: must have at most 2 items" },
        { "{\"labels\":[]}", "spec.labels: must be an object of strings" },
        { "{\"labels\":{\"a\":\"12345\"}}", "spec.labels.a: must be at most 4 bytes long" },
        { "{\"labels\":{\"a\":1}}", "spec.labels.a: must be a string" },
        { "{\"column\":{}}", "spec.column.name: is required" },
        { "{\"column\":{\"name\":\"\"}}", "spec.column.name: must not be empty" },
        { "{\"columns\":[{\"name\":\"a\"},{\"name\":\"b\",\"type\":\"x\"}]}",
          "spec.columns[1].type: must be one of Numeric, Categorical, Boolean, not \"x\"" },
        { "{\"columns\":[1]}", "spec.columns[0]: must be an object" },
        { "{\"rule\":{\"folds\":1}}", "spec.rule.folds: must be an integer from 2 to 20" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct everything value;
        struct err err = { 0 };

        CASE(cases[i].text, decode(cases[i].text, &arena, &value, &err) == -1);
        CASE(cases[i].text, err.kind == ERR_INVALID);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: got \"%s\"", cases[i].text, err.message);
    }
}

static void a_document_has_no_path_before_its_members(void **state)
{
    auto_arena struct arena arena = { 0 };
    auto_json json_t *object = json_pack("{s:i}", "name", 1);
    struct column column;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(fields_decode(object, &column_table, "", &arena, &column, &err), -1);
    assert_string_equal(err.message, "name: must be a string");
}

static void names_of_a_map_are_bounded(void **state)
{
    auto_arena struct arena arena = { 0 };
    auto_free char *name = mem_zero(1026, 1);
    auto_json json_t *labels = json_object(), *object = json_pack("{s:O}", "labels", labels);
    struct everything value;
    struct err err;

    (void)state;
    memset(name, 'x', 1025);
    json_object_set_new(labels, name, json_string("v"));
    assert_int_equal(fields_decode(object, &everything_table, "spec", &arena, &value, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.message, "a name longer than 1024 bytes"));
}

static void open_tables_ignore_unknown_members(void **state)
{
    static const struct fields open_table = FIELDS(struct column, column_fields, .open = true);
    auto_arena struct arena arena = { 0 };
    auto_json json_t *object = json_pack("{s:s,s:i}", "name", "x", "more", 1);
    struct column column;

    (void)state;
    assert_int_equal(fields_decode(object, &open_table, "", &arena, &column, NULL), 0);
    assert_string_equal(column.name, "x");
}

/* What is encoded is the document again, without what a reader would assume. */
static void encoding_gives_the_document_back(void **state)
{
    static const struct {
        const char *text, *encoded; /* NULL: as the text */
    } cases[] = {
        { "{}", NULL },
        { "{\"seed\":42,\"enabled\":true,\"timeout\":\"300s\",\"colour\":\"Green\"}", "{}" },
        { "{\"seed\":0,\"enabled\":false,\"timeout\":\"90s\"}",
          "{\"enabled\":false,\"seed\":0,\"timeout\":\"1m30s\"}" },
        { "{\"limit\":0,\"strict\":false}", NULL },
        { "{\"ratio\":\"0.250\",\"warn\":\"\"}", NULL },
        { "{\"filled\":\"\",\"text\":\"\"}", NULL },
        { "{\"created\":\"2026-11-23T08:00:00+01:00\"}", "{\"created\":\"2026-11-23T07:00:00Z\"}" },
        { "{\"weight\":0.0,\"weights\":[]}", "{}" },
        { "{\"weight\":0.1,\"weights\":[0.0,1.5]}", "{\"weight\":0.10000000000000001,"
                                                    "\"weights\":[0.0,1.5]}" },
        { "{\"rule\":{\"folds\":5}}", "{}" },
        { "{\"rule\":{\"folds\":6}}", NULL },
        { "{\"column\":{\"name\":\"x\"},\"columns\":[{\"name\":\"y\",\"type\":\"Numeric\"}]}",
          NULL },
        { "{\"drop\":[\"a\"],\"labels\":{\"a\":\"b\"}}", NULL },
        { "{\"extra\":[1,{}],\"shade\":\"Red\"}", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *expected = cases[i].encoded ? cases[i].encoded : cases[i].text;
        auto_arena struct arena arena = { 0 };
        struct everything value;
        struct err err = { 0 };

        CASE(cases[i].text, decode(cases[i].text, &arena, &value, &err) == 0);
        auto_json json_t *encoded = fields_encode(&everything_table, &value);
        auto_free char *text = jx_canonical(encoded);

        if (strcmp(text, expected) != 0)
            fail_msg("%s: encoded as %s", cases[i].text, text);
    }
}

/* A reader must see that nothing was scored, or that a list is empty on purpose. */
static void required_and_kept_members_are_always_written(void **state)
{
    struct counts {
        int64_t read, scored, rejected;
        struct strings warnings;
    };
    static const struct field count_fields[] = {
        FIELD(struct counts, read, "read", FIELD_INT, .flags = FIELD_REQUIRED),
        FIELD(struct counts, scored, "scored", FIELD_INT, .flags = FIELD_KEEP),
        FIELD(struct counts, rejected, "rejected", FIELD_INT),
        FIELD(struct counts, warnings, "warnings", FIELD_STRINGS, .flags = FIELD_KEEP),
    };
    static const struct fields count_table = FIELDS(struct counts, count_fields);
    auto_json json_t *object = fields_encode(&count_table, &(struct counts){ 0 });
    auto_free char *text = jx_canonical(object);

    (void)state;
    assert_string_equal(text, "{\"read\":0,\"scored\":0,\"warnings\":[]}");
}

static void text_that_is_no_utf8_is_mended(void **state)
{
    struct column column = { .name = "a\xff"
                                     "b",
                             .type = -1 };
    auto_json json_t *object = fields_encode(&column_table, &column);

    (void)state;
    assert_string_equal(jx_string(object, "name", NULL), "a?b");
}

/* Structs are equal when the same is written of them. */
static void structs_are_equal_when_they_say_the_same(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"seed\":42,\"enabled\":true}",
        "{\"seed\":0}",
        "{\"enabled\":false}",
        "{\"timeout\":\"90s\"}",
        "{\"timeout\":\"1m30s\"}",
        "{\"limit\":0}",
        "{\"limit\":1}",
        "{\"strict\":false}",
        "{\"strict\":true}",
        "{\"ratio\":\"0.25\"}",
        "{\"ratio\":\"0.250\"}",
        "{\"text\":\"\"}",
        "{\"text\":\"a\"}",
        "{\"created\":\"2026-11-23T07:00:00Z\"}",
        "{\"created\":\"2026-11-23T08:00:00+01:00\"}",
        "{\"weight\":0.1}",
        "{\"weights\":[0.5]}",
        "{\"weights\":[0.5,1.5]}",
        "{\"weights\":[0.5,2.5]}",
        "{\"rule\":{\"folds\":5}}",
        "{\"rule\":{\"folds\":6}}",
        "{\"column\":{\"name\":\"x\"}}",
        "{\"column\":{\"name\":\"y\"}}",
        "{\"columns\":[{\"name\":\"x\"}]}",
        "{\"columns\":[{\"name\":\"x\",\"type\":\"Numeric\"}]}",
        "{\"columns\":[{\"name\":\"x\"},{\"name\":\"y\"}]}",
        "{\"drop\":[\"a\"]}",
        "{\"drop\":[\"b\"]}",
        "{\"labels\":{\"a\":\"b\"}}",
        "{\"labels\":{\"a\":\"c\"}}",
        "{\"labels\":{\"b\":\"b\"}}",
        "{\"extra\":[1,{}]}",
        "{\"extra\":[1,{\"a\":1}]}",
        "{\"shade\":\"Red\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts) * ARRAY_SIZE(texts); i++) {
        const char *sides[] = { texts[i / ARRAY_SIZE(texts)], texts[i % ARRAY_SIZE(texts)] };
        auto_arena struct arena arena = { 0 };
        struct everything values[2];
        char *encoded[2];

        for (size_t side = 0; side < 2; side++) {
            assert_int_equal(decode(sides[side], &arena, &values[side], NULL), 0);
            auto_json json_t *tree = fields_encode(&everything_table, &values[side]);

            encoded[side] = jx_canonical(tree);
        }
        if (fields_equal(&everything_table, &values[0], &values[1]) !=
            (strcmp(encoded[0], encoded[1]) == 0))
            fail_msg("%s and %s", sides[0], sides[1]);
        free(encoded[0]);
        free(encoded[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structs_are_equal_when_they_say_the_same),
        cmocka_unit_test(every_kind_is_decoded),
        cmocka_unit_test(absent_members_take_their_defaults),
        cmocka_unit_test(offences_are_named_by_path),
        cmocka_unit_test(a_document_has_no_path_before_its_members),
        cmocka_unit_test(names_of_a_map_are_bounded),
        cmocka_unit_test(open_tables_ignore_unknown_members),
        cmocka_unit_test(encoding_gives_the_document_back),
        cmocka_unit_test(required_and_kept_members_are_always_written),
        cmocka_unit_test(text_that_is_no_utf8_is_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
