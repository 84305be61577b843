/* Goal: the same lines come out however the network cuts the stream.
 * Method: one stream replayed at every pair of cuts; lines at the maximum. */
#include "unit.h"

#include "base/lines.h"

static int collect(void *context, struct span line, struct err *err)
{
    struct buf *seen = context;

    if (span_equals(line, "stop"))
        return err_set(err, ERR_CANCELED, "stopped");
    buf_append(seen, line.data, line.length);
    buf_char(seen, '|');
    return 0;
}

static void every_cut_gives_the_same_lines(void **state)
{
    static const char stream[] = "one\n\n{\"a\":2}\r\nfour\n\n\nunfinished";
    size_t length = strlen(stream);

    (void)state;
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            auto_buf struct buf seen = { 0 };
            struct lines lines;
            struct err err = { 0 };

            buf_init(&seen, 1000);
            lines_init(&lines, 10, collect, &seen);
            assert_int_equal(lines_push(&lines, (struct span){ stream, first }, &err), 0);
            assert_int_equal(
                lines_push(&lines, (struct span){ stream + first, second - first }, &err), 0);
            assert_int_equal(
                lines_push(&lines, (struct span){ stream + second, length - second }, &err), 0);
            assert_string_equal(buf_text(&seen), "one||{\"a\":2}\r|four|||");
            assert_string_equal(buf_text(&lines.pending), "unfinished");
            lines_release(&lines);
        }
    }
}

static void the_maximum_counts_the_line_without_its_end(void **state)
{
    static const struct {
        const char *stream;
        bool fits;
    } cases[] = {
        { "12345\n12345\n", true }, { "12345", true },        { "123456", false },
        { "123456\n", false },      { "1\n123456\n", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t length = strlen(cases[i].stream);

        for (size_t cut = 0; cut <= length; cut++) {
            auto_buf struct buf seen = { 0 };
            struct lines lines;
            struct err err = { 0 };

            buf_init(&seen, 1000);
            lines_init(&lines, 5, collect, &seen);
            bool fits =
                lines_push(&lines, (struct span){ cases[i].stream, cut }, &err) == 0 &&
                lines_push(&lines, (struct span){ cases[i].stream + cut, length - cut }, &err) == 0;

            CASE(cases[i].stream, fits == cases[i].fits);
            CASE(cases[i].stream, fits || err.kind == ERR_TOO_BIG);
            lines_release(&lines);
        }
    }
}

static void an_error_of_the_callback_comes_back(void **state)
{
    auto_buf struct buf seen = { 0 };
    struct lines lines;
    struct err err = { 0 };

    (void)state;
    buf_init(&seen, 1000);
    lines_init(&lines, 10, collect, &seen);
    assert_int_equal(lines_push(&lines, span_of("a\nst"), &err), 0);
    assert_int_equal(lines_push(&lines, span_of("op\nb\n"), &err), -1);
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_string_equal(buf_text(&seen), "a|");
    lines_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_lines),
        cmocka_unit_test(the_maximum_counts_the_line_without_its_end),
        cmocka_unit_test(an_error_of_the_callback_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
