/* Goal: the checksums of object stores. Method: values published in RFC 3720, B.4; the twin by
 * tables at every length and start, also around the lengths of its lanes; joining compared with
 * reading on. */
#include "unit.h"

#include <string.h>

#include "base/crc32c.h"

static void published_values(void **state)
{
    unsigned char bytes[32];

    (void)state;
    assert_int_equal(crc32c_add(0, "", 0), 0);
    assert_int_equal(crc32c_add(0, "123456789", 9), 0xE3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c_add(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(crc32c_add(0, bytes, 32), 0x62A8AB43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c_add(0, bytes, 32), 0x46DD794E);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(crc32c_add(0, bytes, 32), 0x113FDB5C);
}

static void tables_agree(void **state)
{
    unsigned char bytes[200];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 13);
    for (size_t start = 0; start < 9; start++)
        for (size_t length = 0; start + length <= sizeof(bytes); length++)
            assert_int_equal(crc32c_add(77, bytes + start, length),
                             crc32c_add_by_tables(77, bytes + start, length));
}

/* Long ones are read in three lanes of 512 bytes. */
static void tables_agree_on_long_ones(void **state)
{
    static unsigned char bytes[3 * 1536 + 200];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 ^ i >> 7);
    for (size_t start = 0; start < 9; start += 4)
        for (size_t round = 1; round <= 3; round++)
            for (size_t around = 0; around <= 18; around++) {
                size_t length = round * 1536 + around - 9;

                assert_int_equal(crc32c_add(77, bytes + start, length),
                                 crc32c_add_by_tables(77, bytes + start, length));
            }
}

static void joining_is_reading_on(void **state)
{
    static unsigned char bytes[70001];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i >> 3 ^ i * 31);
    for (size_t cut = 0; cut <= sizeof(bytes); cut += cut < 20 ? 1 : 997) {
        uint32_t first = crc32c_add(0, bytes, cut);
        uint32_t second = crc32c_add(0, bytes + cut, sizeof(bytes) - cut);

        assert_int_equal(crc32c_join(first, second, sizeof(bytes) - cut),
                         crc32c_add(0, bytes, sizeof(bytes)));
        assert_int_equal(crc32c_add(first, bytes + cut, sizeof(bytes) - cut),
                         crc32c_add(0, bytes, sizeof(bytes)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(tables_agree),
        cmocka_unit_test(tables_agree_on_long_ones),
        cmocka_unit_test(joining_is_reading_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
