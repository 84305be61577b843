/* Goal: the steps that a result reports are the ones that ran, with their times.
 * Method: a clock that the test moves. What is drawn on a terminal is not looked at. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_more_steps_than_a_result_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
