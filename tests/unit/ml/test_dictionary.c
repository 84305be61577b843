/* Goal: every text has the code that it was added with, whatever its length, what it begins or
 * ends with, what stands behind it in memory, and which of the two ways it is looked for.
 * Method: texts that differ in one byte, at every place and length around the sizes that are
 * compared at once; random texts against a plain list. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/dictionary.h"

#define LONGEST (2 * SPAN_ROOM)

/* The code by both ways; the texts behind which bytes are read are followed by other ones. */
static uint32_t find(const struct dictionary *dictionary, struct span text)
{
    auto_free char *alone = mem_alloc(text.length); /* no longer, for the sanitizer */
    auto_free char *roomy = mem_alloc(text.length + SPAN_ROOM);
    uint32_t code;

    memcpy(alone, text.data, text.length);
    memset(roomy, 'x', text.length + SPAN_ROOM);
    memcpy(roomy, text.data, text.length);
    code = dictionary_find(dictionary, (struct span){ alone, text.length });
    assert_int_equal(dictionary_find_roomy(dictionary, (struct span){ roomy, text.length }), code);
    return code;
}

static void texts_that_differ_in_one_byte_are_different(void **state)
{
    (void)state;
    for (size_t length = 0; length <= LONGEST; length++) {
        struct dictionary dictionary = { 0 };
        char text[LONGEST + 1];

        memset(text, 'a', sizeof(text));
        assert_int_equal(find(&dictionary, (struct span){ text, length }), DICTIONARY_NONE);
        assert_int_equal(dictionary_add(&dictionary, (struct span){ text, length }), 0);
        assert_int_equal(find(&dictionary, (struct span){ text, length }), 0);
        assert_int_equal(find(&dictionary, (struct span){ text, length + 1 }), DICTIONARY_NONE);
        if (length > 0)
            assert_int_equal(find(&dictionary, (struct span){ text, length - 1 }), DICTIONARY_NONE);
        for (size_t i = 0; i < length; i++) {
            text[i] = 'b';
            assert_int_equal(find(&dictionary, (struct span){ text, length }), DICTIONARY_NONE);
            assert_int_equal(dictionary_add(&dictionary, (struct span){ text, length }), i + 1);
            assert_int_equal(find(&dictionary, (struct span){ text, length }), i + 1);
            text[i] = 'a';
        }
        assert_int_equal(dictionary.count, length + 1);
        dictionary_release(&dictionary);
    }
}

static void zeros_belong_to_a_text(void **state)
{
    struct dictionary dictionary = { 0 };

    (void)state;
    for (size_t length = 0; length <= SPAN_ROOM + 1; length++)
        assert_int_equal(dictionary_add(&dictionary, (struct span){ (char[LONGEST]){ 0 }, length }),
                         length);
    assert_int_equal(find(&dictionary, (struct span){ (char[LONGEST]){ 0 }, 3 }), 3);
    dictionary_release(&dictionary);
}

#define TEXTS 3000

static void many_texts_keep_their_codes(void **state)
{
    auto_free struct span *texts = mem_zero(TEXTS, sizeof(*texts));
    struct dictionary dictionary = { 0 };
    struct random random;
    uint32_t count = 0;

    (void)state;
    random_seed(&random, 41);
    for (size_t i = 0; i < TEXTS; i++) {
        char text[LONGEST];
        size_t length = random_below(&random, LONGEST);
        uint32_t code = 0;

        for (size_t j = 0; j < length; j++)
            text[j] = (char)('a' + random_below(&random, 2));
        while (code < count &&
               (texts[code].length != length || memcmp(texts[code].data, text, length) != 0))
            code++;
        assert_int_equal(find(&dictionary, (struct span){ text, length }),
                         code < count ? code : DICTIONARY_NONE);
        assert_int_equal(dictionary_add(&dictionary, (struct span){ text, length }), code);
        if (code == count)
            texts[count++] = (struct span){ mem_strndup(text, length), length };
    }
    assert_int_equal(dictionary.count, count);
    for (uint32_t code = 0; code < count; code++) {
        struct span text = dictionary_text(&dictionary, code);

        assert_int_equal(text.length, texts[code].length);
        assert_memory_equal(text.data, texts[code].data, text.length + 1);
        assert_int_equal(find(&dictionary, text), code);
        free((char *)texts[code].data);
    }
    dictionary_release(&dictionary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_differ_in_one_byte_are_different),
        cmocka_unit_test(zeros_belong_to_a_text),
        cmocka_unit_test(many_texts_keep_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
