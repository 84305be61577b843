/* Goal: no key is worked on twice at a time, none is lost, failures wait longer and longer.
 * Method: a queue under virtual time; scripts of one letter per step with the expected line,
 * then a random walk checked against a model that is a plain array. */
#include "../unit.h"

#include "base/buf.h"
#include "base/random.h"
#include "kube/workqueue.h"
#include "virtual_clock.h"

#define KIND 1

struct fixture {
    struct virtual_clock time;
    struct clock clock;
    struct timers timers;
    struct workqueue *queue;
};

static const struct backoff BACKOFF = { .base_ms = 50, .cap_ms = 300 * 1000 };

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .time = { .monotonic_ms = 1000 } };
    fixture->clock = virtual_clock_port(&fixture->time);
    timers_init(&fixture->timers, &fixture->clock);
    fixture->queue = workqueue_new(&fixture->timers, &BACKOFF, 7);
}

static void fixture_release(struct fixture *fixture)
{
    workqueue_free(fixture->queue);
    timers_release(&fixture->timers);
}

static void advance(struct fixture *fixture, int64_t ms)
{
    virtual_clock_advance(&fixture->time, ms);
    (void)timers_run(&fixture->timers);
}

/* Takes and ends everything that is ready; the names in order. */
static void drain(struct fixture *fixture, struct buf *ret_names)
{
    struct work *work;

    buf_clear(ret_names);
    while ((work = workqueue_take(fixture->queue))) {
        buf_string(ret_names, work->name);
        workqueue_done(fixture->queue, work);
    }
}

static void test_order_and_duplicates(void **state)
{
    struct fixture fixture;
    struct buf names auto_buf = { 0 };

    (void)state;
    fixture_init(&fixture);
    buf_init(&names, 100);
    for (const char *key = "abcabca"; *key; key++)
        workqueue_add(fixture.queue, KIND, (char[]){ *key, 0 });
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "abc");
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "");
    fixture_release(&fixture);
}

static void test_kinds_are_different_keys(void **state)
{
    struct fixture fixture;
    struct work *first, *second;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, 2, "a");
    workqueue_add(fixture.queue, 1, "a");
    first = workqueue_take(fixture.queue);
    second = workqueue_take(fixture.queue);
    assert_int_equal(first->kind, 2);
    assert_int_equal(second->kind, 1);
    assert_null(workqueue_take(fixture.queue));
    fixture_release(&fixture);
}

static void test_added_in_flight_runs_again_afterwards(void **state)
{
    struct fixture fixture;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "a");
    work = workqueue_take(fixture.queue);
    workqueue_add(fixture.queue, KIND, "a");
    assert_null(workqueue_take(fixture.queue));
    workqueue_done(fixture.queue, work);
    work = workqueue_take(fixture.queue);
    assert_non_null(work);
    workqueue_done(fixture.queue, work);
    assert_null(workqueue_take(fixture.queue));
    fixture_release(&fixture);
}

static void test_earliest_delay_counts(void **state)
{
    struct fixture fixture;
    struct buf names auto_buf = { 0 };

    (void)state;
    fixture_init(&fixture);
    buf_init(&names, 100);
    workqueue_add_after(fixture.queue, KIND, "a", 500);
    workqueue_add_after(fixture.queue, KIND, "a", 200);
    workqueue_add_after(fixture.queue, KIND, "a", 900);
    advance(&fixture, 199);
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "");
    advance(&fixture, 1);
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "a");
    advance(&fixture, 2000);
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "");
    fixture_release(&fixture);
}

static void test_taking_cancels_the_delay(void **state)
{
    struct fixture fixture;
    struct buf names auto_buf = { 0 };

    (void)state;
    fixture_init(&fixture);
    buf_init(&names, 100);
    workqueue_add_after(fixture.queue, KIND, "a", 100);
    workqueue_add(fixture.queue, KIND, "a");
    drain(&fixture, &names);
    advance(&fixture, 1000);
    drain(&fixture, &names);
    assert_string_equal(buf_text(&names), "");
    fixture_release(&fixture);
}

static void test_done_until(void **state)
{
    struct fixture fixture;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "a");
    work = workqueue_take(fixture.queue);
    workqueue_done_until(fixture.queue, work, 1000);
    advance(&fixture, 999);
    assert_null(workqueue_take(fixture.queue));
    advance(&fixture, 1);
    assert_non_null(workqueue_take(fixture.queue));
    fixture_release(&fixture);
}

/* Milliseconds until a key that has just failed is ready again. */
static int64_t delay_after_failure(struct fixture *fixture, unsigned retry_after_ms)
{
    struct work *work = workqueue_take(fixture->queue);
    int64_t start_ms = fixture->time.monotonic_ms;
    struct workqueue_stats stats;

    assert_non_null(work);
    workqueue_retry(fixture->queue, work, retry_after_ms);
    do {
        advance(fixture, 1);
        workqueue_stats(fixture->queue, &stats);
    } while (stats.ready == 0);
    return fixture->time.monotonic_ms - start_ms;
}

static void test_failures_wait_longer(void **state)
{
    struct fixture fixture;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "a");
    for (int failure = 0; failure < 6; failure++) {
        int64_t whole_ms = BACKOFF.base_ms << failure;
        int64_t delay_ms = delay_after_failure(&fixture, 0);

        assert_in_range(delay_ms, whole_ms / 2, whole_ms);
    }
    assert_true(delay_after_failure(&fixture, 20000) >= 20000);
    work = workqueue_take(fixture.queue);
    assert_int_equal(work->failures, 7);
    workqueue_done(fixture.queue, work);
    workqueue_add(fixture.queue, KIND, "a");
    assert_in_range(delay_after_failure(&fixture, 0), 25, 50);
    fixture_release(&fixture);
}

static void test_a_change_does_not_wait_for_the_retry(void **state)
{
    struct fixture fixture;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "a");
    workqueue_retry(fixture.queue, workqueue_take(fixture.queue), 60000);
    assert_null(workqueue_take(fixture.queue));
    workqueue_add(fixture.queue, KIND, "a");
    work = workqueue_take(fixture.queue);
    assert_non_null(work);
    assert_int_equal(work->failures, 1);
    fixture_release(&fixture);
}

static void test_forget(void **state)
{
    struct fixture fixture;
    struct workqueue_stats stats;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "ready");
    workqueue_add_after(fixture.queue, KIND, "delayed", 10);
    workqueue_forget(fixture.queue, KIND, "ready");
    workqueue_forget(fixture.queue, KIND, "delayed");
    workqueue_forget(fixture.queue, KIND, "unknown");
    workqueue_stats(fixture.queue, &stats);
    assert_int_equal(stats.ready + stats.delayed + stats.in_flight, 0);

    workqueue_add(fixture.queue, KIND, "flying");
    work = workqueue_take(fixture.queue);
    workqueue_add(fixture.queue, KIND, "flying");
    workqueue_forget(fixture.queue, KIND, "flying");
    workqueue_done(fixture.queue, work);
    assert_null(workqueue_take(fixture.queue));
    fixture_release(&fixture);
}

static void test_stats(void **state)
{
    struct fixture fixture;
    struct workqueue_stats stats;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    workqueue_add(fixture.queue, KIND, "a");
    advance(&fixture, 30);
    workqueue_add(fixture.queue, KIND, "b");
    workqueue_add_after(fixture.queue, KIND, "c", 1000);
    advance(&fixture, 12);
    workqueue_stats(fixture.queue, &stats);
    assert_int_equal(stats.longest_wait_ms, 42);
    assert_int_equal(stats.ready, 2);
    assert_int_equal(stats.delayed, 1);
    work = workqueue_take(fixture.queue);
    assert_int_equal(work->waited_ms, 42);
    workqueue_retry(fixture.queue, work, 0);
    workqueue_stats(fixture.queue, &stats);
    assert_int_equal(stats.ready, 1);
    assert_int_equal(stats.delayed, 2);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.additions, 2);
    assert_int_equal(stats.retries, 1);
    fixture_release(&fixture);
}

/* --- random walk ---------------------------------------------------------- */

enum { KEYS = 8, STEPS = 20000 };

struct model {
    struct work *flying[KEYS];
    bool changed[KEYS]; /* since the last take: must be taken again */
};

static unsigned key_of(const struct work *work)
{
    return (unsigned)(work->name[0] - 'a');
}

static void random_step(struct fixture *fixture, struct model *model, struct random *random)
{
    unsigned key = (unsigned)random_below(random, KEYS);
    char name[] = { (char)('a' + key), 0 };
    struct work *work = model->flying[key];

    switch (random_below(random, 6)) {
    case 0:
        workqueue_add(fixture->queue, KIND, name);
        model->changed[key] = true;
        break;
    case 1:
        workqueue_add_after(fixture->queue, KIND, name, (int64_t)random_below(random, 50));
        break;
    case 2:
        advance(fixture, (int64_t)random_below(random, 40));
        break;
    case 3:
        work = workqueue_take(fixture->queue);
        if (!work)
            break;
        assert_null(model->flying[key_of(work)]); /* one worker per key */
        model->flying[key_of(work)] = work;
        model->changed[key_of(work)] = false;
        break;
    default:
        model->flying[key] = NULL;
        if (work && random_below(random, 2))
            workqueue_retry(fixture->queue, work, 0);
        else if (work)
            workqueue_done(fixture->queue, work);
    }
}

static void test_random_walk(void **state)
{
    struct fixture fixture;
    struct model model = { 0 };
    struct random random;
    struct workqueue_stats stats;
    struct work *work;

    (void)state;
    fixture_init(&fixture);
    random_seed(&random, 42);
    for (int step = 0; step < STEPS; step++)
        random_step(&fixture, &model, &random);
    for (unsigned key = 0; key < KEYS; key++)
        if (model.flying[key])
            workqueue_done(fixture.queue, model.flying[key]);
    advance(&fixture, 3600 * 1000);
    while ((work = workqueue_take(fixture.queue))) {
        model.changed[key_of(work)] = false;
        workqueue_done(fixture.queue, work);
    }
    for (unsigned key = 0; key < KEYS; key++)
        assert_false(model.changed[key]); /* no change was lost */
    workqueue_stats(fixture.queue, &stats);
    assert_int_equal(stats.ready + stats.delayed + stats.in_flight, 0);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_duplicates),
        cmocka_unit_test(test_kinds_are_different_keys),
        cmocka_unit_test(test_added_in_flight_runs_again_afterwards),
        cmocka_unit_test(test_earliest_delay_counts),
        cmocka_unit_test(test_taking_cancels_the_delay),
        cmocka_unit_test(test_done_until),
        cmocka_unit_test(test_failures_wait_longer),
        cmocka_unit_test(test_a_change_does_not_wait_for_the_retry),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_random_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
