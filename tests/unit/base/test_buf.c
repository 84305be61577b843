/* Goal: a buffer never grows past its maximum and says so once at the end.
 * Method: appending around the maximum; the content after every operation. */
#include "unit.h"

#include "base/buf.h"

static void content_is_always_a_string(void **state)
{
    auto_buf struct buf buf = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_init(&buf, 100);
    assert_string_equal(buf_text(&buf), "");
    buf_string(&buf, "a");
    buf_char(&buf, 'b');
    buf_append(&buf, "cde", 2);
    buf_format(&buf, "-%d-", 42);
    assert_string_equal(buf_text(&buf), "abcd-42-");
    assert_int_equal(buf.length, 8);
    buf_consume(&buf, 4);
    assert_string_equal(buf_text(&buf), "-42-");
    buf_consume(&buf, 99);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf_check(&buf, "text", &err), 0);
}

static void the_maximum_is_exact(void **state)
{
    (void)state;
    for (size_t maximum = 0; maximum < 70; maximum++) {
        auto_buf struct buf buf = { 0 };
        struct err err = { 0 };

        buf_init(&buf, maximum);
        for (size_t i = 0; i < maximum; i++)
            buf_char(&buf, 'x');
        assert_int_equal(buf_check(&buf, "body", &err), 0);
        assert_int_equal(buf.length, maximum);
        assert_true(buf.capacity <= maximum + 1);
        buf_format(&buf, "%s", "y");
        assert_int_equal(buf_check(&buf, "body", &err), -1);
        assert_int_equal(err.kind, ERR_TOO_BIG);
        assert_int_equal(buf.length, maximum);
    }
}

static void overflow_is_sticky_until_cleared(void **state)
{
    auto_buf struct buf buf = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_init(&buf, 4);
    buf_string(&buf, "abc");
    buf_string(&buf, "de");
    buf_char(&buf, 'f'); /* would fit, but would leave a hole in the text */
    assert_string_equal(buf_text(&buf), "abc");
    assert_int_equal(buf_check(&buf, "answer", &err), -1);
    assert_string_equal(err.message, "answer is larger than 4 bytes");
    buf_clear(&buf);
    buf_string(&buf, "abcd");
    assert_int_equal(buf_check(&buf, "answer", &err), 0);
    assert_string_equal(buf_text(&buf), "abcd");
}

static void taking_moves_the_content(void **state)
{
    auto_buf struct buf buf = { 0 };

    (void)state;
    buf_init(&buf, 10);
    auto_free char *nothing = buf_take(&buf);

    assert_string_equal(nothing, "");
    buf_string(&buf, "text");
    auto_free char *text = buf_take(&buf);

    assert_string_equal(text, "text");
    assert_string_equal(buf_text(&buf), "");
    buf_string(&buf, "again");
    assert_string_equal(buf_text(&buf), "again");
}

static void a_zeroed_buffer_takes_nothing(void **state)
{
    auto_buf struct buf buf = { 0 };

    (void)state;
    buf_append(&buf, "", 0);
    assert_false(buf.overflow);
    buf_char(&buf, 'x');
    assert_true(buf.overflow);
    buf_release(&buf);
    buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_always_a_string),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(overflow_is_sticky_until_cleared),
        cmocka_unit_test(taking_moves_the_content),
        cmocka_unit_test(a_zeroed_buffer_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
