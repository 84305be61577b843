/* Goal: hashes are those of FIPS 180-4, and parts do not run into each other.
 * Method: the standard's examples; the same bytes in other pieces. */
#include "unit.h"

#include "base/sha256.h"

static void the_standards_examples(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char hex[SHA256_HEX];

        sha256_of(span_of(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void pieces_do_not_matter(void **state)
{
    struct sha256 hash;
    char whole[SHA256_HEX], pieces[SHA256_HEX];

    (void)state;
    sha256_of(span_of("hello world"), whole);
    sha256_init(&hash);
    sha256_add(&hash, "hello", 5);
    sha256_add(&hash, NULL, 0);
    sha256_add(&hash, " world", 6);
    sha256_hex(&hash, pieces);
    assert_string_equal(pieces, whole);
    sha256_release(&hash);
}

static void parts_are_kept_apart(void **state)
{
    static const char *const lists[][2] = { { "ab", "c" }, { "a", "bc" }, { "abc", "" } };
    char hex[3][SHA256_HEX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct sha256 hash;

        sha256_init(&hash);
        sha256_add_part(&hash, span_of(lists[i][0]));
        sha256_add_part(&hash, span_of(lists[i][1]));
        sha256_hex(&hash, hex[i]);
    }
    assert_string_not_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[0], hex[2]);
    assert_string_not_equal(hex[1], hex[2]);
    /* eight big-endian bytes, then the bytes: other programs can compute it */
    char expected[SHA256_HEX];

    sha256_of((struct span){ "\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c", 19 }, expected);
    assert_string_equal(hex[0], expected);
}

/* RFC 4231, test cases 1, 2, 6 and one with nothing in it. */
static void codes_are_those_of_the_standard(void **state)
{
    static const char longer_than_a_block[131] = { [0 ... 130] = (char)0xAA };
    static const char twenty[20] = { [0 ... 19] = 0x0B };
    static const struct {
        struct span key;
        const char *bytes, *hex;
    } cases[] = {
        { { twenty, 20 },
          "Hi There",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { { "Jefe", 4 },
          "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { { longer_than_a_block, 131 },
          "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { { NULL, 0 }, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned char code[SHA256_BYTES];
        char hex[SHA256_HEX];

        sha256_hmac(cases[i].key, span_of(cases[i].bytes), code);
        sha256_hex_of_bytes(code, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_examples),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(codes_are_those_of_the_standard),
        cmocka_unit_test(parts_are_kept_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
