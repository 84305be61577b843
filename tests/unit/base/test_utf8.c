/* Goal: exactly the sequences of RFC 3629 count as UTF-8.
 * Method: the edges of every range, every cut, and mending. */
#include "unit.h"

#include "base/utf8.h"

static void characters_by_the_rfc(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        { "a", 1 },
        { "\x7f", 1 },
        { "\x80", 0 },
        { "\xbf", 0 },
        { "\xc0\x80", 0 },
        { "\xc1\xbf", 0 },
        { "\xc2\x80", 2 },
        { "\xdf\xbf", 2 },
        { "\xe0\x9f\xbf", 0 },
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xed\xa0\x80", 0 },
        { "\xef\xbf\xbf", 3 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\xf4\x90\x80\x80", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "\xff", 0 },
        { "\xe2\x82(", 0 },
        { "\xf0\x9f\x99(", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t length = cases[i].length;

        CASE(cases[i].bytes, utf8_character(cases[i].bytes, strlen(cases[i].bytes)) == length);
        for (size_t cut = 0; cut < length; cut++)
            CASE(cases[i].bytes, utf8_character(cases[i].bytes, cut) == 0);
    }
}

/* Long texts are checked eight bytes at once. */
static void the_first_bad_byte_is_found_wherever_it_is(void **state)
{
    char text[40];

    (void)state;
    for (size_t length = 0; length <= sizeof(text); length++)
        for (size_t bad = 0; bad <= length; bad++) {
            memset(text, 'a', sizeof(text));
            if (bad < length)
                text[bad] = (char)0x80;
            assert_int_equal(utf8_valid_prefix(text, length), bad);
        }
    for (size_t place = 0; place + 3 <= sizeof(text); place++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + place, "\xe2\x82\xac", 3);
        assert_int_equal(utf8_valid_prefix(text, sizeof(text)), sizeof(text));
        assert_int_equal(utf8_valid_prefix(text, place + 2), place);
    }
}

static void one_line_has_no_control_characters(void **state)
{
    char text[] = "a\tb\nc\x7f\xff \xc3\xa4";

    (void)state;
    utf8_one_line(text, strlen(text));
    assert_string_equal(text, "a?b?c?? \xc3\xa4");
}

static void mending_keeps_what_is_valid(void **state)
{
    static const struct {
        const char *text, *mended;
    } cases[] = {
        { "", "" },
        { "plain", "plain" },
        { "\xff\xff", "??" },
        { "a\xc3\xa4\xc3", "a\xc3\xa4?" },
        { "\xe2\x82z\xe2\x82\xac", "??z\xe2\x82\xac" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *text = mem_strdup(cases[i].text);

        utf8_mend(text, strlen(text));
        assert_string_equal(text, cases[i].mended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_by_the_rfc),
        cmocka_unit_test(the_first_bad_byte_is_found_wherever_it_is),
        cmocka_unit_test(one_line_has_no_control_characters),
        cmocka_unit_test(mending_keeps_what_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
