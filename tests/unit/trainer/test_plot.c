/* Goal: charts are well-formed and their marks stay inside the axes. Method: a
 * drawn chart is taken apart: tags are balanced, coordinates within the view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "trainer/plot.h"

/* Counts opening against closing tags; <x .../> opens nothing. */
static int open_tags(const char *text)
{
    int open = 0;
    for (const char *tag = strchr(text, '<'); tag != NULL; tag = strchr(tag + 1, '<')) {
        const char *end = strchr(tag, '>');
        assert_non_null(end);
        open += tag[1] == '/' ? -1 : end[-1] == '/' ? 0 : 1;
    }
    return open;
}

/* The numbers of the first attribute `name` after `text`, comma or blank between. */
static size_t attribute_numbers(const char *text, const char *name, double *numbers, size_t maximum)
{
    const char *at = strstr(text, name);
    size_t count = 0;
    assert_non_null(at);
    at += strlen(name) + 2; /* =" */
    while (count < maximum) {
        size_t length = strcspn(at, ", \"");
        struct err err;
        assert_int_equal(num_double((struct span){ at, length }, &numbers[count++], &err), 0);
        if (at[length] == '"')
            break;
        at += length + 1;
    }
    return count;
}

static const struct plot plot = { .title = "a < b",
                                  .x_label = "x & y",
                                  .y_label = "share",
                                  .x_minimum = -1,
                                  .x_maximum = 3,
                                  .y_maximum = 0.5,
                                  .y_percent = true,
                                  .description = "\"quoted\"" };

static void charts_are_well_formed(void **state)
{
    (void)state;
    auto_buf struct buf out;
    buf_init(&out, 64 * KIB);
    const struct curve_point points[] = { { -1, 0 }, { 1, 0.25 }, { 3, 0.5 } };
    static const struct plot_legend legend[] = { { "model", "one" }, { "muted", "two" } };
    plot_begin(&out, &plot);
    plot_legend(&out, legend, 2);
    plot_area(&out, &plot, "model", points, 3);
    plot_area(&out, &plot, "model", points, 0);
    plot_line(&out, &plot, "model", points, 3);
    plot_dots(&out, &plot, "muted", points, 3);
    plot_bar(&out, &plot, "model", 0, 1, 0.3);
    plot_mark(&out, &plot, 2, "thresh<old");
    plot_end(&out, "cap & tion");
    assert_int_equal(open_tags(buf_text(&out)), 0);
    assert_non_null(strstr(buf_text(&out), "a &lt; b"));
    assert_non_null(strstr(buf_text(&out), "&quot;quoted&quot;"));
    assert_non_null(strstr(buf_text(&out), "thresh&lt;old"));
    assert_non_null(strstr(buf_text(&out), "50&nbsp;%"));
}

static void marks_stay_inside(void **state)
{
    (void)state;
    auto_buf struct buf out;
    buf_init(&out, 64 * KIB);
    const struct curve_point corners[] = { { -1, 0 }, { 3, 0.5 } };
    plot_line(&out, &plot, "model", corners, 2);
    double numbers[4];
    assert_int_equal(attribute_numbers(buf_text(&out), "points", numbers, 4), 4);
    assert_true(numbers[0] > 0 && numbers[0] < numbers[2] && numbers[2] < 440);
    assert_true(numbers[3] > 0 && numbers[3] < numbers[1] && numbers[1] < 330);
}

static void ranked_bars_keep_proportions(void **state)
{
    (void)state;
    auto_buf struct buf out;
    buf_init(&out, 64 * KIB);
    const struct bar bars[] = { { "Age", 0.8, "up" },
                                { "<City>", 0.2, NULL },
                                { "Zero", 0, NULL } };
    plot_ranked_bars(&out, "importance", bars, 3, 3);
    assert_int_equal(open_tags(buf_text(&out)), 0);
    assert_non_null(strstr(buf_text(&out), "&lt;City&gt;"));
    assert_non_null(strstr(buf_text(&out), ">0.800 up<"));
    assert_non_null(strstr(buf_text(&out), ">0.200<"));
    double widths[3];
    const char *rest = buf_text(&out);
    for (int i = 0; i < 3; i++) {
        rest = strstr(rest, "<rect");
        attribute_numbers(rest, "width", &widths[i], 1);
        rest++;
    }
    assert_true(widths[0] > 3.9 * widths[1] && widths[0] < 4.1 * widths[1]);
    assert_true(widths[2] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charts_are_well_formed),
        cmocka_unit_test(marks_stay_inside),
        cmocka_unit_test(ranked_bars_keep_proportions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
