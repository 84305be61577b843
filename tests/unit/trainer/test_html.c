/* Goal: nothing from data can become markup, and numbers read as people write
 * them. Method: tables. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "trainer/html.h"

static void text_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "", "" },
        { "Köln & Bonn", "Köln &amp; Bonn" },
        { "<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" },
        { "a\" onload=\"b", "a&quot; onload=&quot;b" },
        { "&amp;", "&amp;amp;" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 1 * KIB);
        html_text(&out, cases[i].text);
        assert_string_equal(buf_text(&out), cases[i].expected);
    }
}

static void counts_have_separators(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        const char *expected;
    } cases[] = {
        { 0, "0" },          { 999, "999" },           { 1000, "1,000" },
        { 20045, "20,045" }, { 1000007, "1,000,007" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 1 * KIB);
        html_count(&out, cases[i].count);
        assert_string_equal(buf_text(&out), cases[i].expected);
    }
}

static void unknown_numbers_are_a_dash(void **state)
{
    (void)state;
    auto_buf struct buf out;
    buf_init(&out, 1 * KIB);
    html_number(&out, 0.12345, 3);
    html_number(&out, NAN, 3);
    html_percent(&out, 0.1234, 1);
    html_percent(&out, NAN, 1);
    assert_string_equal(buf_text(&out), "0.123&ndash;12.3&nbsp;%&ndash;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(unknown_numbers_are_a_dash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
