/* Goal: timers fire in order of due time, then of setting, never early, and may
 * be set and stopped from callbacks.
 * Method: virtual time; each timer writes its letter into a record. */
#include "unit.h"

#include "base/random.h"
#include "base/timer.h"

static int64_t virtual_ms(void *context)
{
    return *(int64_t *)context;
}

struct bench {
    int64_t now_ms;
    struct clock clock;
    struct timers timers;
    char record[64];
    size_t length;
};

struct letter {
    struct timer timer;
    struct bench *bench;
    char name;
    struct letter *victim; /* stopped when this one fires */
    int64_t again_ms;      /* set again with this delay; -1: not */
};

static void fire(void *context)
{
    struct letter *letter = context;
    struct bench *bench = letter->bench;

    bench->record[bench->length++] = letter->name;
    if (letter->victim)
        timer_stop(&bench->timers, &letter->victim->timer);
    if (letter->again_ms >= 0)
        timer_set(&bench->timers, &letter->timer, letter->again_ms);
}

static void bench_init(struct bench *bench, struct letter *letters, size_t count)
{
    *bench = (struct bench){ .now_ms = 1000 };
    bench->clock = (struct clock){ virtual_ms, virtual_ms, &bench->now_ms };
    timers_init(&bench->timers, &bench->clock);
    for (size_t i = 0; i < count; i++) {
        letters[i] = (struct letter){ .bench = bench, .name = (char)('a' + i), .again_ms = -1 };
        letters[i].timer = (struct timer){ .fire = fire, .context = &letters[i] };
    }
}

static void timers_fire_in_order(void **state)
{
    struct letter letters[5];
    struct bench bench;

    (void)state;
    bench_init(&bench, letters, 5);
    assert_int_equal(timers_run(&bench.timers), -1);
    timer_set(&bench.timers, &letters[0].timer, 30);
    timer_set(&bench.timers, &letters[1].timer, 10);
    timer_set(&bench.timers, &letters[2].timer, 10);
    timer_set(&bench.timers, &letters[3].timer, -5);
    timer_set(&bench.timers, &letters[4].timer, 20);
    assert_int_equal(timers_run(&bench.timers), 10);
    assert_string_equal(bench.record, "d");
    bench.now_ms += 9;
    assert_int_equal(timers_run(&bench.timers), 1);
    assert_string_equal(bench.record, "d");
    bench.now_ms += 11;
    assert_int_equal(timers_run(&bench.timers), 10);
    assert_string_equal(bench.record, "dbce");
    bench.now_ms += 100;
    assert_int_equal(timers_run(&bench.timers), -1);
    assert_string_equal(bench.record, "dbcea");
    timers_release(&bench.timers);
}

static void setting_again_moves_a_timer(void **state)
{
    struct letter letters[2];
    struct bench bench;

    (void)state;
    bench_init(&bench, letters, 2);
    timer_set(&bench.timers, &letters[0].timer, 10);
    timer_set(&bench.timers, &letters[1].timer, 20);
    timer_set(&bench.timers, &letters[0].timer, 30);
    bench.now_ms += 25;
    assert_int_equal(timers_run(&bench.timers), 5);
    assert_string_equal(bench.record, "b");
    timers_release(&bench.timers);
    assert_int_equal(letters[0].timer.position, 0);
}

static void callbacks_may_set_and_stop(void **state)
{
    struct letter letters[3];
    struct bench bench;

    (void)state;
    bench_init(&bench, letters, 3);
    letters[0].victim = &letters[1];
    letters[0].again_ms = 0;
    for (size_t i = 0; i < 3; i++)
        timer_set(&bench.timers, &letters[i].timer, 5);
    bench.now_ms += 5;
    assert_int_equal(timers_run(&bench.timers), 0);
    assert_string_equal(bench.record, "ac");
    assert_int_equal(timers_run(&bench.timers), 0);
    assert_string_equal(bench.record, "aca");
    timer_stop(&bench.timers, &letters[0].timer);
    timer_stop(&bench.timers, &letters[0].timer);
    assert_int_equal(timers_run(&bench.timers), -1);
    timers_release(&bench.timers);
}

static int64_t last_due_ms;

static void check_order(void *context)
{
    struct timer *timer = context;

    assert_true(timer->due_ms >= last_due_ms);
    last_due_ms = timer->due_ms;
}

/* Hundreds of timers, set, moved and stopped at random, still come in order. */
static void the_heap_stays_a_heap(void **state)
{
    struct timer timers[300] = { 0 };
    struct bench bench;
    struct random random;

    (void)state;
    bench_init(&bench, NULL, 0);
    random_seed(&random, 9);
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
        timers[i] = (struct timer){ .fire = check_order, .context = &timers[i] };
    for (int round = 0; round < 3000; round++) {
        struct timer *timer = &timers[random_below(&random, ARRAY_SIZE(timers))];

        if (random_below(&random, 4) == 0)
            timer_stop(&bench.timers, timer);
        else
            timer_set(&bench.timers, timer, (int64_t)random_below(&random, 1000));
        if (round % 100 == 0) {
            bench.now_ms += 50;
            last_due_ms = 0;
            timers_run(&bench.timers);
        }
    }
    bench.now_ms += 5000;
    last_due_ms = 0;
    assert_int_equal(timers_run(&bench.timers), -1);
    timers_release(&bench.timers);
}

static void the_machines_clocks_tell_time(void **state)
{
    int64_t before_ms = clock_monotonic_ms(&clock_system);

    (void)state;
    assert_true(clock_monotonic_ms(&clock_system) >= before_ms);
    assert_true(clock_wall_ms(&clock_system) / 1000 >= (int64_t)time(NULL) - 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(setting_again_moves_a_timer),
        cmocka_unit_test(callbacks_may_set_and_stop),
        cmocka_unit_test(the_heap_stays_a_heap),
        cmocka_unit_test(the_machines_clocks_tell_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
