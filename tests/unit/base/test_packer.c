/* Goal: a packed text comes back byte by byte, and is small when it repeats itself.
 * Method: texts of many lengths with one packer, which keeps nothing of the text before. */
#include "unit.h"

#include "base/packer.h"
#include "base/random.h"

#define LONGEST 100000

static size_t pack_and_compare(struct packer *packer, struct span text)
{
    auto_buf struct buf packed = { .maximum = 2 * LONGEST };
    auto_buf struct buf back = { .maximum = LONGEST + 1 };

    buf_char(&packed, '-');
    buf_char(&back, '+');
    packer_pack(packer, text, &packed);
    packer_unpack(packer, (struct span){ packed.data + 1, packed.length - 1 }, &back);
    assert_false(packed.overflow || back.overflow);
    assert_int_equal(packed.data[0], '-');
    assert_int_equal(back.data[0], '+');
    assert_int_equal(back.length, text.length + 1);
    if (text.length > 0)
        assert_memory_equal(back.data + 1, text.data, text.length);
    return packed.length - 1;
}

static void test_texts_come_back(void **state)
{
    (void)state;
    struct packer *packer = packer_new();
    auto_free char *text = mem_alloc(LONGEST);
    struct random random;

    random_seed(&random, 7);
    for (size_t i = 0; i < LONGEST; i++)
        text[i] = (char)random_below(&random, 256);
    for (size_t length = 0; length <= LONGEST; length = length * 3 / 2 + 1)
        (void)pack_and_compare(packer, (struct span){ text, length });
    packer_free(packer);
    packer_free(NULL);
}

static void test_what_repeats_is_small(void **state)
{
    (void)state;
    struct packer *packer = packer_new();
    auto_buf struct buf text = { .maximum = LONGEST };

    for (int i = 0; i < 50; i++)
        buf_format(&text, "{\"name\":\"metric-%d\",\"value\":\"0.%d\"},", i, i * 37);
    assert_in_range(pack_and_compare(packer, (struct span){ text.data, text.length }), 1,
                    text.length / 3);
    packer_free(packer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_come_back),
        cmocka_unit_test(test_what_repeats_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
