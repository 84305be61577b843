/* Goal: what is cut out of a text is what was named and nothing else, or all the rest, and what is
 * left stays as it was, byte by byte.
 * Method: tables of texts before and after; a text that is cut off anywhere keeps its end. */
#include "unit.h"

#include "base/prune.h"

static const char *const paths[] = { "a.cut", "a.b.cut", "cut", "a.x.y/cut", NULL };

static const struct {
    const char *name, *text, *expected;
} cases[] = {
    { "nothing", "{\"a\":{\"b\":1},\"c\":2}", NULL },
    { "alone", "{\"cut\":1}", "{}" },
    { "first", "{\"cut\":[1,{\"x\":\"}\"}],\"c\":2}", "{\"c\":2}" },
    { "last", "{\"c\":2,\"cut\":\"a\"}", "{\"c\":2}" },
    { "last with blanks", "{\"c\":2 , \"cut\" : null }", "{\"c\":2 }" },
    { "middle", "{\"c\":-2.5E+3,\"cut\":true,\"d\":{}}", "{\"c\":-2.5E+3,\"d\":{}}" },
    { "deep", "{\"a\":{\"b\":{\"cut\":{}},\"cut\":{}},\"b\":{\"cut\":1}}",
      "{\"a\":{\"b\":{}},\"b\":{\"cut\":1}}" },
    { "name with dots", "{\"a\":{\"x.y/cut\":1,\"x\":{\"y/cut\":1}}}", "{\"a\":{\"x\":{}}}" },
    { "longer name", "{\"cuts\":1,\"cu\":2}", NULL },
    { "in each object of a list", "{\"a\":[{\"cut\":1}, {\"b\":[{\"cut\":2,\"c\":3}]},{}]}",
      "{\"a\":[{}, {\"b\":[{\"c\":3}]},{}]}" },
    { "beside objects of a list", "{\"a\":[1,\"]\", [{\"cut\":1}],{\"cut\":1},null ],\"cut\":2}",
      "{\"a\":[1,\"]\", [{\"cut\":1}],{},null ]}" },
    { "not in an outermost list", "[{\"cut\":1}]", NULL },
    { "list without an end", "{\"a\":[{\"cut\":1},", "{\"a\":[{}," },
    { "not in texts", "{\"c\":\"\\\\\\\",\\\"cut\\\":1\"}", NULL },
    { "quotes in what is cut", "{\"cut\":\"\\\\\\\"}\",\"c\":\"\\\\\"}", "{\"c\":\"\\\\\"}" },
    { "backslash before what is cut", "{\"c\":\"\\\\\",\"cut\":1}", "{\"c\":\"\\\\\"}" },
    { "escaped name is another", "{\"\\u0063ut\":1}", NULL },
    { "no object", "[{\"cut\":1}]", NULL },
    { "empty", "", NULL },
};

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf storage = { .maximum = 1000 };
        struct span text = span_of(cases[i].text);
        struct span pruned = prune(text, paths, &storage);

        if (!cases[i].expected)
            CASE(cases[i].name, pruned.data == text.data && pruned.length == text.length);
        else if (!span_equals(pruned, cases[i].expected))
            fail_msg("%s: %.*s", cases[i].name, (int)pruned.length, pruned.data);
    }
    assert_true(span_equals(prune(span_of("{\"cut\":1}"), NULL, NULL), "{\"cut\":1}"));
}

static void test_picks(void **state)
{
    static const char *const picked[] = { "a.b", "c", "a.x.y/z", "d.e.f", NULL };
    static const struct {
        const char *name, *text, *expected;
    } picks[] = {
        { "all", "{\"c\":1}", NULL },
        { "first", "{\"c\":\"}\", \"x\":1}", "{\"c\":\"}\"}" },
        { "last", "{\"x\":[{\"c\":1}],\"c\":{\"b\":[]}}", "{\"c\":{\"b\":[]}}" },
        { "middle", "{\"x\":1,\"y\":\"\\\\\\\"\",\"c\":2,\"z\":{}}", "{\"c\":2}" },
        { "neighbours", "{\"x\":1,\"a\":{\"b\":1},\"c\":2,\"z\":{}}", "{\"a\":{\"b\":1},\"c\":2}" },
        { "deep", "{\"a\":{\"c\":1,\"b\":{\"q\":2},\"d\":3},\"d\":{\"e\":{\"f\":4,\"g\":5}}}",
          "{\"a\":{\"b\":{\"q\":2}},\"d\":{\"e\":{\"f\":4}}}" },
        { "name with dots", "{\"a\":{\"x.y/z\":1,\"q\":2}}", "{\"a\":{\"x.y/z\":1}}" },
        { "objects around nothing", "{\"a\":{\"c\":1},\"d\":{\"e\":{}}}",
          "{\"a\":{},\"d\":{\"e\":{}}}" },
        { "in each object of a list", "{\"a\":[{\"b\":1,\"c\":2},{\"c\":[]}, {\"b\":[{\"c\":3}]}]}",
          "{\"a\":[{\"b\":1},{}, {\"b\":[{\"c\":3}]}]}" },
        { "beside objects of a list", "{\"a\":[[{\"c\":1}],{\"c\":1},-2 ,\"x\"],\"x\":0}",
          "{\"a\":[[{\"c\":1}],{},-2 ,\"x\"]}" },
        { "no objects around", "{\"a\":[],\"d\":null,\"x\":0}", "{\"a\":[],\"d\":null}" },
        { "longer and shorter names", "{\"cc\":1,\"\":2,\"a\":{\"bb\":3,\"b\":4}}",
          "{\"a\":{\"b\":4}}" },
        { "nothing", "{\"x\":1 , \"y\":2 }", "{}" },
        { "escaped name is another", "{\"\\u0063\":1}", "{}" },
        { "no object", "[{\"x\":1}]", NULL },
        { "what follows", "{\"x\":1} x", "{} x" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(picks); i++) {
        auto_buf struct buf storage = { .maximum = 1000 };
        struct span text = span_of(picks[i].text);
        struct span left = pick(text, picked, &storage);

        if (!span_equals(left, picks[i].expected ? picks[i].expected : picks[i].text))
            fail_msg("%s: %.*s", picks[i].name, (int)left.length, left.data);
        CASE(picks[i].name, picks[i].expected || left.data == text.data);
    }
    assert_true(span_equals(pick(span_of("{\"x\":1}"), NULL, NULL), "{\"x\":1}"));
}

static void test_texts_of_members(void **state)
{
    static const struct {
        const char *text, *expected;
    } members[] = {
        { "{\"m\":{\"m\":1}}", "{\"m\":1}" },
        { " { \"x\" : {\"m\":2} , \"m\" : \"}\\\"\" }", "\"}\\\"\"" },
        { "{\"x\":[\"m\"],\"mm\":1,\"m\":-2.5e+3,\"m\":4}", "-2.5e+3" },
        { "{\"m\":null", "null" },
        { "{\"x\":{\"m\":1}}", "" },
        { "{\"m\":{\"a\":1", "" }, /* it has no end */
        { "{\"m\"", "" },
        { "{\"m\":", "" },
        { "[\"m\"]", "" },
        { "\"m\"", "" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        size_t length = strlen(members[i].text);
        auto_free char *text = memcpy(mem_alloc(length), members[i].text, length); /* guarded */

        CASE(members[i].text,
             span_equals(member_text((struct span){ text, length }, "m"), members[i].expected));
    }
}

static void test_words_of_members(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: none */
    } members[] = {
        { "{\"x\":tru,\"m\":\"ab-1\"", "ab-1" },
        { "{\"m\":\"\"}", "" },
        { "{\"m\":\"a\\u0062\"}", NULL },
        { "{\"m\":12}", NULL },
        { "{\"m\":{\"m\":\"a\"}}", NULL },
        { "{\"m\":\"a", NULL },
        { "{}", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        auto_free char *word = member_word(span_of(members[i].text), "m");

        CASE(members[i].text,
             members[i].expected ? word && !strcmp(word, members[i].expected) : !word);
    }
}

/* A long name does not match by what of it fits. */
static void test_long_names(void **state)
{
    auto_free char *name = mem_zero(300, 1);
    auto_buf struct buf storage = { .maximum = 1000 };

    (void)state;
    memset(name, 'x', 299);
    auto_free char *text = mem_format("{\"%s\":1,\"cut\":2}", name);
    auto_free char *expected = mem_format("{\"%s\":1}", name);
    name[255] = '\0';
    const char *const long_path[] = { name, "cut", NULL };
    assert_true(span_equals(prune(span_of(text), long_path, &storage), expected));
    buf_clear(&storage);
    assert_true(span_equals(pick(span_of(text), long_path, &storage), "{\"cut\":2}"));
}

/* A NUL byte does not end a name. */
static void test_names_with_nul(void **state)
{
    static const char text[] = "{\"cut\0\":1,\"b\":2}";
    const struct span whole = { text, sizeof(text) - 1 };
    auto_buf struct buf storage = { .maximum = 1000 };

    (void)state;
    assert_int_equal(prune(whole, paths, &storage).length, whole.length);
    assert_true(span_equals(pick(whole, paths, &storage), "{}"));
}

/* Texts that are cut off or nonsense are left to the parser, their ends included. */
static void test_every_cut_off(void **state)
{
    static const char whole[] = "{\"a\":{\"cut\":[1,\"\\\"\"],\"b\":2},\"cut\":{\"x\":[]},\"z\":3}";

    (void)state;
    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        auto_free char *part = memcpy(mem_alloc(length), whole, length); /* its end is guarded */
        auto_buf struct buf storage = { .maximum = 1000 };
        struct span pruned = prune((struct span){ part, length }, paths, &storage);

        if (length > 0 && pruned.data[pruned.length - 1] != part[length - 1] &&
            part[length - 1] != ',' && !strchr("]}", part[length - 1]))
            fail_msg("cut off at %zu: %.*s", length, (int)pruned.length, pruned.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_texts_of_members),
        cmocka_unit_test(test_words_of_members),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_names_with_nul),
        cmocka_unit_test(test_every_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
