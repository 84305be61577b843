/* Goal: list_cutter gives the same items and metadata however the stream is cut, and refuses
 * what is no list.
 * Method: every case is replayed with pieces of 1, 2, 3 ... bytes; a large item at the limit. */
#include "unit.h"

#include "base/limits.h"
#include "kube/list_cutter.h"

static int join(void *context, struct span item, struct err *err)
{
    struct buf *out = context;

    (void)err;
    buf_format(out, "<%.*s>", (int)item.length, item.data);
    return 0;
}

static const struct {
    const char *name, *text;
    const char *items; /* NULL: refused */
    const char *version, *token;
    enum err_kind kind;
} cases[] = {
    { "typed list",
      "{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{\"resourceVersion\":\"7\","
      "\"continue\":\"abc\"},\"items\":[{\"a\":1},{\"b\":[{}]}]}\n",
      "<{\"a\":1}><{\"b\":[{}]}>", "7", "abc", ERR_NONE },
    { "custom resources: items first",
      "{\"apiVersion\":\"v1\",\"items\":[{\"a\":1}],\"kind\":\"L\",\"metadata\":"
      "{\"resourceVersion\":\"8\"}}",
      "<{\"a\":1}>", "8", "", ERR_NONE },
    { "blanks", " { \"items\" : [ { } , {\n} ] , \"metadata\" : { } } ", "<{ }><{\n}>", "", "",
      ERR_NONE },
    { "brackets, quotes and backslashes in strings",
      "{\"x\":\"]}\\\"\",\"items\":[{\"s\":\"}{\\\\\\\"\"}],\"y\":[\"]\"],\"z\":-1.5e3}",
      "<{\"s\":\"}{\\\\\\\"\"}>", "", "", ERR_NONE },
    { "null items", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":null}", "", "1", "",
      ERR_NONE },
    { "no items", "{\"items\":[]}", "", "", "", ERR_NONE },
    { "nested items do not count", "{\"other\":{\"items\":[{\"a\":1}]},\"items\":[]}", "", "", "",
      ERR_NONE },
    { "cut short", "{\"items\":[{\"a\":1}", NULL, NULL, NULL, ERR_RETRY },
    { "cut in an item", "{\"items\":[{\"a\":1", NULL, NULL, NULL, ERR_RETRY },
    { "empty", "", NULL, NULL, NULL, ERR_RETRY },
    { "another object", "{\"kind\":\"Status\"}", NULL, NULL, NULL, ERR_INVALID },
    { "an array", "[]", NULL, NULL, NULL, ERR_INVALID },
    { "text behind", "{\"items\":[]}{", NULL, NULL, NULL, ERR_INVALID },
    { "items is no array", "{\"items\":{}}", NULL, NULL, NULL, ERR_INVALID },
    { "an item is no object", "{\"items\":[1]}", NULL, NULL, NULL, ERR_INVALID },
    { "comma before the end", "{\"items\":[{},]}", NULL, NULL, NULL, ERR_INVALID },
    { "comma missing", "{\"items\":[{}{}]}", NULL, NULL, NULL, ERR_INVALID },
    { "items twice", "{\"items\":[],\"items\":[]}", NULL, NULL, NULL, ERR_INVALID },
    { "metadata twice", "{\"metadata\":{},\"metadata\":{}}", NULL, NULL, NULL, ERR_INVALID },
    { "broken metadata", "{\"metadata\":{\"a\"},\"items\":[]}", NULL, NULL, NULL, ERR_INVALID },
    { "value missing", "{\"a\":,\"items\":[]}", NULL, NULL, NULL, ERR_INVALID },
};

static int replay(const char *text, size_t piece, struct buf *items, char metadata[64],
                  struct err *err)
{
    struct list_cutter cutter;
    const char *version = NULL, *token = NULL;
    size_t total = strlen(text);
    int result = 0;

    list_cutter_init(&cutter, join, items);
    for (size_t at = 0; at < total && result == 0; at += piece) {
        /* a copy of its own, so that sanitizers see a read past the piece */
        size_t length = total - at < piece ? total - at : piece;
        auto_free char *copy = mem_alloc(length);

        memcpy(copy, text + at, length);
        result = list_cutter_push(&cutter, (struct span){ copy, length }, err);
    }
    if (result == 0)
        result = list_cutter_finish(&cutter, &version, &token, err);
    if (result == 0)
        snprintf(metadata, 64, "%s %s", version, token);
    list_cutter_release(&cutter);
    return result;
}

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t piece = 1; piece <= strlen(cases[i].text) + 1; piece++) {
            auto_buf struct buf items;
            char metadata[64] = "", expected[64] = "";
            struct err err = { 0 };

            buf_init(&items, KIB);
            if (cases[i].items)
                snprintf(expected, sizeof(expected), "%s %s", cases[i].version, cases[i].token);
            replay(cases[i].text, piece, &items, metadata, &err);
            if (err.kind != cases[i].kind || strcmp(metadata, expected) != 0 ||
                (cases[i].items && strcmp(buf_text(&items), cases[i].items) != 0))
                fail_msg("%s, pieces of %zu: got %s, \"%s\", %s", cases[i].name, piece,
                         buf_text(&items), metadata, err.message);
        }
    }
}

static int measure(void *context, struct span item, struct err *err)
{
    (void)err;
    *(size_t *)context = item.length;
    return 0;
}

/* An item of exactly the limit passes, one more byte does not, in one piece or in many. */
static void test_limit(void **state)
{
    (void)state;
    for (size_t excess = 0; excess < 2; excess++) {
        for (size_t piece = 4096; piece <= 2 * LIMIT_KUBE_OBJECT; piece *= 64) {
            size_t inner = LIMIT_KUBE_OBJECT + excess - strlen("{\"a\":\"\"}"), length = 0;
            auto_free char *text = mem_alloc(LIMIT_KUBE_OBJECT + 64);
            size_t total = (size_t)snprintf(text, 64, "{\"items\":[{\"a\":\"");
            struct list_cutter cutter;
            struct err err = { 0 };
            int result = 0;

            memset(text + total, 'x', inner);
            memcpy(text + total + inner, "\"}]}", 4);
            total += inner + 4;
            list_cutter_init(&cutter, measure, &length);
            for (size_t at = 0; at < total && result == 0; at += piece)
                result = list_cutter_push(
                    &cutter, (struct span){ text + at, total - at < piece ? total - at : piece },
                    &err);
            assert_int_equal(result, excess ? -1 : 0);
            assert_int_equal(length, excess ? 0 : LIMIT_KUBE_OBJECT);
            assert_int_equal(err.kind, excess ? ERR_TOO_BIG : ERR_NONE);
            list_cutter_release(&cutter);
        }
    }
}

static int refuse(void *context, struct span item, struct err *err)
{
    (void)context;
    (void)item;
    return err_set(err, ERR_CANCELED, "enough");
}

static void test_callback_fails(void **state)
{
    struct list_cutter cutter;
    struct err err = { 0 };

    (void)state;
    list_cutter_init(&cutter, refuse, NULL);
    assert_int_equal(list_cutter_push(&cutter, span_of("{\"items\":[{}]}"), &err), -1);
    assert_int_equal(err.kind, ERR_CANCELED);
    list_cutter_release(&cutter);
    list_cutter_release(&cutter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_callback_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
