/* Goal: the steps that a result reports are the ones that ran, with their times, and a terminal
 * shows how far they are.
 * Method: a clock that the test moves; what is drawn goes to a file in place of stderr. */
#include "unit.h"

#include "contract/progress.h"

static int64_t now_ms;

static int64_t read_clock(void *context)
{
    (void)context;
    return now_ms;
}

static const struct clock CLOCK = { .monotonic_ms = read_clock, .wall_ms = read_clock };

static void expect_step(struct progress *progress, size_t index, const char *name,
                        const char *state, const char *seconds)
{
    const struct step *step = (const struct step *)progress_steps(progress).items + index;

    assert_string_equal(step->name, name);
    assert_string_equal(step->state, state);
    assert_string_equal(step->seconds.text, seconds);
}

static void test_steps(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &CLOCK);
    assert_int_equal(progress_steps(&progress).count, 0);
    progress_begin(&progress, "Load");
    now_ms += 1234;
    progress_update(&progress, 1, 2, 10);
    progress_end(&progress, true);
    progress_skip(&progress, "Fit");
    progress_begin(&progress, "Score");
    now_ms += 10;
    progress_end(&progress, false);
    assert_int_equal(progress_steps(&progress).count, 3);
    expect_step(&progress, 0, "Load", "Succeeded", "1.23");
    expect_step(&progress, 1, "Fit", "Skipped", "0.00");
    expect_step(&progress, 2, "Score", "Failed", "0.01");
}

static void test_more_steps_than_a_result_holds(void **state)
{
    struct progress progress;

    (void)state;
    progress_init(&progress, &CLOCK);
    progress_skip(&progress, "First");
    for (size_t i = 0; i < RESULT_STEPS_MAXIMUM; i++)
        progress_skip(&progress, "More");
    assert_int_equal(progress_steps(&progress).count, RESULT_STEPS_MAXIMUM);
    expect_step(&progress, 0, "First", "Skipped", "0.00");
}

/* --- a terminal ------------------------------------------------------------ */

struct screen {
    FILE *file;
    int stderr_before;
};

static struct progress screen_begin(struct screen *screen)
{
    screen->file = tmpfile();
    assert_non_null(screen->file);
    screen->stderr_before = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(screen->file), STDERR_FILENO), STDERR_FILENO);
    return (struct progress){ .clock = &CLOCK, .terminal = true };
}

static void screen_end(struct screen *screen, const char *expected)
{
    char drawn[1024] = "";

    dup2(screen->stderr_before, STDERR_FILENO);
    close(screen->stderr_before);
    rewind(screen->file);
    assert_true(fread(drawn, 1, sizeof(drawn) - 1, screen->file) < sizeof(drawn) - 1);
    fclose(screen->file);
    assert_string_equal(drawn, expected);
}

static void test_a_bar_while_a_step_lasts(void **state)
{
    struct screen screen;
    struct progress progress = screen_begin(&screen);

    (void)state;
    progress_begin(&progress, "Score");
    now_ms += 99; /* not worth a bar */
    progress_update(&progress, 1, 80, 10);
    now_ms += 1901;
    progress_update(&progress, 20, 80, 5000);
    now_ms += 99; /* too soon to draw again */
    progress_update(&progress, 21, 80, 5100);
    now_ms += 1901;
    progress_update(&progress, 81, 80, 5200); /* a file that grew meanwhile */
    progress_update(&progress, 80, 80, 10000);
    progress_end(&progress, true);
    progress_conclude(&progress, "%d rows", 10000);
    screen_end(&screen, "\r\033[KScore     "
                        "\r\033[KScore      [#######                       ]  25 %"
                        "  2500 rows/s  6 s left"
                        "\r\033[KScore      [##############################] 100 %"
                        "  2500 rows/s  0 s left"
                        "\r\033[KScore          4.00 s\n"
                        "10000 rows\n");
}

static void test_a_bar_without_rows(void **state)
{
    struct screen screen;
    struct progress progress = screen_begin(&screen);

    (void)state;
    progress_begin(&progress, "Fit");
    now_ms += 3000;
    progress_update(&progress, 0, 8, 0); /* nothing to tell the time from */
    progress_update(&progress, 4, 8, 0);
    progress_end(&progress, false);
    screen_end(&screen, "\r\033[KFit       "
                        "\r\033[KFit        [###############               ]  50 %  3 s left"
                        "\r\033[KFit            3.00 s  failed\n");
}

static void test_nothing_is_drawn_elsewhere(void **state)
{
    struct screen screen;
    struct progress progress = screen_begin(&screen);

    (void)state;
    progress_init(&progress, &CLOCK); /* looks: a file is no terminal */
    progress_begin(&progress, "Score");
    now_ms += 1000;
    progress_update(&progress, 1, 2, 10);
    progress_conclude(&progress, "done");
    screen_end(&screen, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bar_while_a_step_lasts),
        cmocka_unit_test(test_a_bar_without_rows),
        cmocka_unit_test(test_nothing_is_drawn_elsewhere),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_more_steps_than_a_result_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
