/* Goal: what stands in for jansson in the simulation (sim/quick_json.h) is the same library.
 * Method: jansson itself is found behind it, and both are given the same texts, formats and seeded
 * sequences of operations; the text of what comes of it must be equal. */
#include "unit.h"

#include <dlfcn.h>

#include "base/random.h"
#include "sim/quick_json.h"

struct library {
    json_t *(*loadb)(const char *, size_t, size_t, json_error_t *);
    char *(*dumps)(const json_t *, size_t);
    void (*delete)(json_t *);
    json_t *(*pack)(const char *, ...);
    json_t *(*object)(void);
    json_t *(*array)(void);
    json_t *(*string)(const char *);
    json_t *(*integer)(json_int_t);
    json_t *(*get)(const json_t *, const char *);
    int (*set)(json_t *, const char *, json_t *);
    int (*del)(json_t *, const char *);
    int (*clear)(json_t *);
    int (*update)(json_t *, json_t *);
    int (*append)(json_t *, json_t *);
    int (*remove)(json_t *, size_t);
    int (*extend)(json_t *, json_t *);
    json_t *(*copy)(json_t *);
    json_t *(*deep_copy)(const json_t *);
    int (*equal)(const json_t *, const json_t *);
};

static const struct library quick = {
    json_loadb,         json_dumps,
    json_delete,        json_pack,
    json_object,        json_array,
    json_string,        json_integer,
    json_object_get,    json_object_set_new,
    json_object_del,    json_object_clear,
    json_object_update, json_array_append_new,
    json_array_remove,  json_array_extend,
    json_copy,          json_deep_copy,
    json_equal,
};
static struct library jansson;

static int find_jansson(void **state)
{
    static const char *const names[] = {
        "json_loadb",         "json_dumps",
        "json_delete",        "json_pack",
        "json_object",        "json_array",
        "json_string",        "json_integer",
        "json_object_get",    "json_object_set_new",
        "json_object_del",    "json_object_clear",
        "json_object_update", "json_array_append_new",
        "json_array_remove",  "json_array_extend",
        "json_copy",          "json_deep_copy",
        "json_equal",
    };

    void *library = dlopen(QUICK_JANSSON, RTLD_NOW | RTLD_LOCAL);

    (void)state;
    assert_non_null(library);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        void *function = dlsym(library, names[i]);

        assert_non_null(function);
        memcpy((char *)&jansson + i * sizeof(function), &function, sizeof(function));
    }
    assert_int_equal(sizeof(jansson), ARRAY_SIZE(names) * sizeof(void *));
    assert_ptr_not_equal(jansson.loadb, quick.loadb);
    return 0;
}

static void assert_same(json_t *left, json_t *right, size_t flags, const char *what)
{
    char *texts[] = { quick.dumps(left, flags), jansson.dumps(right, flags) };

    if ((texts[0] == NULL) != (texts[1] == NULL) || (texts[0] && strcmp(texts[0], texts[1]) != 0))
        fail_msg("%s: %s instead of %s", what, texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

static void drop(json_t *left, json_t *right)
{
    quick.delete(left);
    jansson.delete(right);
}

/* --- text ----------------------------------------------------------------------------------- */

static void texts_are_read_and_written_alike(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "[[],{},[{}]]",
        "\"\"",
        "7",
        "[0,-1,123456789012345678,-0]",
        "[0.5,-2.25,1.0,5e-1,25E+2]",
        "[true,false,null]",
        "{\"b\":1,\"a\":{\"d\":[1,2,{\"e\":null}],\"c\":\"x\"},\"\":0}",
        " { \"a\" :\t[ 1 ,\r\n2 ] } ",
        "\"seven b\"",
        "\"exactly eight bytes, and more of them\"",
        "\"quote \\\" backslash \\\\ slash \\/ others \\b\\f\\n\\r\\t\"",
        "\"12345678\\n12345678\\\\\"",
        "\"Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 and \x7f\"",
    };
    static const size_t flags[] = { JSON_COMPACT, JSON_COMPACT | JSON_SORT_KEYS, JSON_INDENT(1),
                                    0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts) * ARRAY_SIZE(flags); i++) {
        const char *text = texts[i / ARRAY_SIZE(flags)];
        json_t *left = quick.loadb(text, strlen(text), JSON_DECODE_ANY, NULL);
        json_t *right = jansson.loadb(text, strlen(text), JSON_DECODE_ANY, NULL);

        assert_non_null(left);
        assert_non_null(right);
        assert_same(left, right, flags[i % ARRAY_SIZE(flags)] | JSON_ENCODE_ANY, text);
        assert_same(left, right, flags[i % ARRAY_SIZE(flags)], text);
        drop(left, right);
    }
}

static void what_is_wrong_is_refused(void **state)
{
    static const char *const texts[] = {
        "",          "{",
        "[1,]",      "{\"a\":1,}",
        "{\"a\" 1}", "{a:1}",
        "\"a",       "\"a\nb\"",
        "\"\\x\"",   "\"\xff\"",
        "01",        "-",
        "1.",        "1.e2",
        "1e",        ".5",
        "tru",       "nulls",
        "[1] 2",     "{\"a\":1,\"a\":2}",
        "\"\\\"",    "'a'",
        "+1",        "[1 2]",
        "\"\xc3\"",  "{\"\xff\":1}",
        "}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES;
        json_error_t left, right;

        CASE(texts[i], !quick.loadb(texts[i], strlen(texts[i]), flags, &left));
        CASE(texts[i], !jansson.loadb(texts[i], strlen(texts[i]), flags, &right));
        assert_string_equal(left.text, right.text);
    }
}

/* --- formats -------------------------------------------------------------------------------- */

#define ASSERT_PACKS_ALIKE(...)                                                                    \
    do {                                                                                           \
        json_t *left = quick.pack(__VA_ARGS__), *right = jansson.pack(__VA_ARGS__);                \
                                                                                                   \
        assert_non_null(left);                                                                     \
        assert_non_null(right);                                                                    \
        assert_same(left, right, JSON_COMPACT, #__VA_ARGS__);                                      \
        drop(left, right);                                                                         \
    } while (0)

static void formats_mean_the_same(void **state)
{
    const char *nothing = NULL;

    (void)state;
    ASSERT_PACKS_ALIKE("{}");
    ASSERT_PACKS_ALIKE("[]");
    ASSERT_PACKS_ALIKE("{s:s, s:i, s:I, s:b, s:n}", "a", "b", "c", -1, "d", (json_int_t)1 << 40,
                       "e", 2, "f");
    ASSERT_PACKS_ALIKE("{s{s[si{ss}]} s[[]{}]}", "a", "b", "c", 1, "d", "e", "f");
    ASSERT_PACKS_ALIKE("{ss* ss? ss*}", "a", nothing, "b", nothing, "c", "d");
    ASSERT_PACKS_ALIKE("[s*s?so*]", nothing, nothing, "a", (json_t *)NULL);
    ASSERT_PACKS_ALIKE("{ss% ss}", "a", "bcd", (size_t)2, "a", "again");
    assert_null(quick.pack("{ss}", "a", nothing));
    assert_null(quick.pack("[{so}]", "a", (json_t *)NULL));
}

/* --- operations ----------------------------------------------------------------------------- */

#define KEYS   7
#define GROWN  4000 /* bytes of text from which on a tree does not grow */
#define ROUNDS 5000

static json_t *list_of(const struct library *library, json_t *root)
{
    if (!library->get(root, "list"))
        library->set(root, "list", library->array());
    return library->get(root, "list");
}

static void operate(const struct library *library, json_t *root, uint64_t chance, bool grown)
{
    char key[] = { (char)('a' + chance / 16 % KEYS), '\0' };
    json_int_t number = (json_int_t)(chance / 1024 % 100);
    json_t *list = list_of(library, root), *other = NULL;

    switch (chance % (grown ? 6 : 10)) {
    case 0:
        library->del(root, key);
        break;
    case 1:
        if (number < 5)
            library->clear(root);
        break;
    case 2:
        library->remove(list, (size_t)number % 4);
        break;
    case 3:
        library->set(root, key, library->integer(number));
        break;
    case 4:
        library->del(root, "list");
        break;
    case 5:
        other = library->copy(root);
        assert_true(library->equal(root, other));
        library->set(other, key, library->string("of the copy"));
        assert_int_equal(library->equal(root, other), 0);
        break;
    case 6:
        library->append(list, library->string(key));
        break;
    case 7:
        library->set(root, key, library->deep_copy(root));
        break;
    case 8:
        other = library->deep_copy(list);
        library->extend(list, other);
        break;
    default:
        other = library->object();
        library->set(other, key, library->integer(number));
        library->set(other, "more", library->string("x"));
        library->update(root, other);
        break;
    }
    if (other)
        library->delete (other);
}

static void operations_do_the_same(void **state)
{
    json_t *left = quick.object(), *right = jansson.object();
    struct random random;
    bool grown = false;

    (void)state;
    random_seed(&random, 1);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t chance = random_next(&random) >> 8;
        char *text auto_free = NULL;

        operate(&quick, left, chance, grown);
        operate(&jansson, right, chance, grown);
        assert_same(left, right, JSON_COMPACT, "after an operation");
        assert_same(left, right, JSON_COMPACT | JSON_SORT_KEYS, "sorted");
        text = quick.dumps(left, JSON_COMPACT);
        grown = strlen(text) > GROWN;
    }
    drop(left, right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_and_written_alike),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(formats_mean_the_same),
        cmocka_unit_test(operations_do_the_same),
    };

    return cmocka_run_group_tests(tests, find_jansson, NULL);
}
