/* Goal: a schedule trains once for each tick that is seen, and once for all that were missed.
 * Method: a small world whose time the test moves from tick to tick, past many, over changes of the
 * clocks and over crashes. */
#include "world.h"

#include "base/num.h"

#define MODEL  "ChurnModel", "m"
#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAILY  "\"retrain\": {\"on\": [\"Schedule\"], \"schedule\": \"0 3 * * *\"}"

static int64_t time_of(const char *text)
{
    int64_t ms;
    assert_int_equal(num_time_ms(span_of(text), &ms, NULL), 0);
    return ms;
}

static const char *reason(const struct world *world)
{
    return world_status(world, MODEL, "lastDecision", "reason", NULL);
}

static const char *tick(const struct world *world)
{
    return world_status(world, MODEL, "training", "scheduledTime", NULL);
}

static const char *last_schedule(const struct world *world)
{
    return world_status(world, MODEL, "lastScheduleTime", NULL);
}

static void finish(struct world *world)
{
    world_succeed(world);
    world_settle(world);
}

/* A model with this patch, trained for the first time at `time`. */
static void start_at(struct world *world, const char *time, const char *patch)
{
    world_init(world);
    world->now_ms = time_of(time);
    world_add_model(world);
    world_edit(world, MODEL, patch);
    world_settle(world);
    assert_string_equal(reason(world), "First");
    finish(world);
    assert_int_equal(world->created, 1);
}

static void start(struct world *world)
{
    start_at(world, "2026-01-01T00:00:00Z", "{" DAILY "}");
}

static void pass_to(struct world *world, const char *time)
{
    world->now_ms = time_of(time);
    world_settle(world);
}

static void test_each_tick_trains_once(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    assert_string_equal(tick(&world), "");
    assert_string_equal(last_schedule(&world), "2026-01-01T00:00:00Z");
    pass_to(&world, "2026-01-01T02:59:59Z");
    assert_int_equal(world.created, 1);
    pass_to(&world, "2026-01-01T03:00:00Z");
    assert_int_equal(world.created, 2);
    assert_string_equal(reason(&world), "Scheduled");
    assert_string_equal(tick(&world), "2026-01-01T03:00:00Z");
    assert_string_equal(last_schedule(&world), "2026-01-01T03:00:00Z");
    finish(&world);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "scheduledTime", NULL),
                        "2026-01-01T03:00:00Z");
    pass_to(&world, "2026-01-02T02:59:59Z");
    assert_int_equal(world.created, 2);
    pass_to(&world, "2026-01-02T03:00:01Z");
    assert_int_equal(world.created, 3);
    finish(&world);
    world_settle(&world);
    assert_int_equal(world.created, 3);
    world_release(&world);
}

/* Nothing but the clock happens, and it goes from one time that a plan asks for to the next. */
static void test_a_tick_trains_at_its_minute(void **state)
{
    (void)state;
    struct world world;
    start_at(&world, "2026-01-01T00:00:07Z", "{" DAILY "}"); /* no poll comes at the tick */
    while (world.created < 2) {
        assert_in_range(world.requeue_after_ms, 1, 3 * HOUR);
        world.now_ms += world.requeue_after_ms;
        world_settle(&world);
    }
    assert_int_equal(world.now_ms, time_of("2026-01-01T03:00:00Z"));
    world_release(&world);
}

/* However many were missed, one run makes up for them, and it is of the last one. */
static void test_missed_ticks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool restarts, suspends, trains;
    } cases[] = { { "nobody looked", false, false, false },
                  { "no controller", true, false, false },
                  { "suspended", false, true, false },
                  { "a training was at work", false, false, true } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start(&world);
        if (cases[i].suspends)
            world_edit(&world, MODEL, "{\"suspend\": true}");
        if (cases[i].trains)
            world_edit(&world, MODEL, "{\"retrain\": {\"token\": \"again\"}}");
        world_settle(&world);
        if (cases[i].restarts)
            world_restart(&world);
        if (cases[i].suspends || cases[i].trains)
            pass_to(&world, "2026-01-05T00:00:00Z");
        world.now_ms = time_of("2026-01-11T12:34:56Z");
        if (cases[i].suspends)
            world_edit(&world, MODEL, "{\"suspend\": false}");
        if (cases[i].trains)
            world_succeed(&world);
        world_settle(&world);
        int before = cases[i].trains ? 2 : 1;
        CASE(cases[i].name, world.created == before + 1);
        CASE(cases[i].name, strcmp(tick(&world), "2026-01-11T03:00:00Z") == 0);
        finish(&world);
        CASE(cases[i].name, world.created == before + 1);
        pass_to(&world, "2026-01-12T03:00:00Z");
        CASE(cases[i].name, world.created == before + 2);
        world_release(&world);
    }
}

/* Whatever the reason, a training takes the tick that is due with it. */
static void test_another_reason_takes_the_tick(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_edit(&world, MODEL, "{\"seed\": 7, \"retrain\": {\"on\": [\"Spec\", \"Schedule\"]}}");
    pass_to(&world, "2026-01-01T03:00:00Z");
    assert_string_equal(reason(&world), "SpecChanged");
    assert_string_equal(tick(&world), "2026-01-01T03:00:00Z");
    finish(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_a_failed_run_waits_for_the_next_tick(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    pass_to(&world, "2026-01-01T03:00:00Z");
    world_fail(&world, 65, "bad");
    world_settle(&world);
    pass_to(&world, "2026-01-02T02:00:00Z");
    assert_int_equal(world.created, 2);
    pass_to(&world, "2026-01-02T03:00:00Z");
    assert_int_equal(world.created, 3);
    world_release(&world);
}

/* A schedule begins when it is first seen: what would have been before does not count. */
static void test_a_new_schedule_begins_now(void **state)
{
    (void)state;
    static const char *const patches[] = {
        "{\"retrain\": {\"schedule\": \"0 2 * * *\"}}",
        "{\"retrain\": {\"timeZone\": \"Asia/Kolkata\"}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world world;
        start(&world);
        pass_to(&world, "2026-01-01T03:00:00Z");
        finish(&world);
        world_edit(&world, MODEL, patches[i]);
        pass_to(&world, "2026-01-03T02:59:00Z");
        CASE(patches[i], world.created == 2);
        CASE(patches[i], strcmp(last_schedule(&world), "2026-01-03T02:59:00Z") == 0);
        pass_to(&world, "2026-01-04T02:59:00Z");
        CASE(patches[i], world.created == 3);
        world_release(&world);
    }
}

static void test_a_schedule_goes_and_comes_back(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_edit(&world, MODEL, "{\"retrain\": {\"on\": [\"Spec\"]}}");
    pass_to(&world, "2026-01-02T12:00:00Z");
    assert_int_equal(world.created, 1);
    assert_string_equal(last_schedule(&world), "");
    assert_string_equal(world_status(&world, MODEL, "schedule", NULL), "");
    world_edit(&world, MODEL, "{\"retrain\": {\"on\": [\"Schedule\"]}}");
    pass_to(&world, "2026-01-03T12:00:00Z");
    assert_int_equal(world.created, 1);
    pass_to(&world, "2026-01-04T12:00:00Z");
    assert_int_equal(world.created, 2);
    world_release(&world);
}

/* Berlin: 02:30 does not exist on 29 March 2026 and comes twice on 25 October. */
static void test_where_clocks_change(void **state)
{
    (void)state;
    static const char *const ticks[] = { "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z",
                                         "2026-03-31T00:30:00Z" };
    static const char *const autumn[] = { "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z",
                                          "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z" };
    const char *patch = "{\"retrain\": {\"on\": [\"Schedule\"], \"schedule\": \"30 2 * * *\", "
                        "\"timeZone\": \"Europe/Berlin\"}}";
    struct world world;
    int trained = 0;
    start_at(&world, "2026-03-28T00:00:00Z", patch);
    for (; world.now_ms < time_of("2026-03-31T12:00:00Z"); world.now_ms += HOUR / 2) {
        world_settle(&world);
        if (!world_running(&world))
            continue;
        assert_string_equal(tick(&world), ticks[trained++]);
        finish(&world);
    }
    assert_int_equal(trained, ARRAY_SIZE(ticks));
    world_release(&world);
    start_at(&world, "2026-10-24T00:00:00Z", patch);
    for (trained = 0; world.now_ms < time_of("2026-10-26T12:00:00Z"); world.now_ms += HOUR / 2) {
        world_settle(&world);
        if (!world_running(&world))
            continue;
        assert_string_equal(tick(&world), autumn[trained++]);
        finish(&world);
    }
    assert_int_equal(trained, ARRAY_SIZE(autumn));
    world_release(&world);
}

/* The tick is in status before the Job: what comes after a crash is the run of that tick. */
static void test_a_crash_before_the_job(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.budget = 1;
    pass_to(&world, "2026-01-01T03:00:00Z");
    assert_true(world.killed);
    assert_null(world_running(&world));
    const char *run =
        arena_strdup(&world.arena, world_status(&world, MODEL, "training", "runKey", NULL));
    world_restart(&world);
    pass_to(&world, "2026-01-02T03:00:00Z");
    assert_int_equal(world.created, 2);
    assert_string_equal(tick(&world), "2026-01-01T03:00:00Z");
    assert_string_equal(world_status(&world, MODEL, "training", "runKey", NULL), run);
    finish(&world); /* and the tick that was missed meanwhile */
    assert_int_equal(world.created, 3);
    assert_string_equal(tick(&world), "2026-01-02T03:00:00Z");
    world_release(&world);
}

/* The run of a tick is stopped by an edit that is no reason to train: the tick is due again. */
static void test_superseded(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    pass_to(&world, "2026-01-01T03:00:00Z");
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_int_equal(world.deleted, 1);
    assert_int_equal(world.created, 3);
    assert_string_equal(reason(&world), "Scheduled");
    assert_string_equal(tick(&world), "2026-01-01T03:00:00Z");
    finish(&world);
    assert_int_equal(world.created, 3);
    world_release(&world);
}

/* A tick during a training does not stop it, and neither does the end of the schedule. */
static void test_not_superseded(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    pass_to(&world, "2026-01-01T03:00:00Z");
    pass_to(&world, "2026-01-02T03:00:00Z");
    world_edit(&world, MODEL, "{\"retrain\": {\"on\": [\"Spec\"]}}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_int_equal(world.deleted, 0);
    finish(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

/* A clock that is set back: ticks that are done stay done. */
static void test_a_clock_that_is_set(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    pass_to(&world, "2026-01-10T03:00:00Z");
    finish(&world);
    pass_to(&world, "2026-01-03T04:00:00Z");
    assert_int_equal(world.created, 2);
    pass_to(&world, "2026-01-11T03:00:00Z");
    assert_int_equal(world.created, 3);
    world_release(&world);
}

/* A batch that comes first sees the tick all the same. */
/* A clock was ahead by years: when it is right again, so are the ticks, each of them once. */
static void test_a_clock_that_was_ahead(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    pass_to(&world, "2031-01-01T03:00:00Z");
    finish(&world);
    assert_int_equal(world.created, 2);
    pass_to(&world, "2026-01-01T04:00:00Z");
    assert_int_equal(world.created, 2);
    assert_string_equal(last_schedule(&world), "2026-01-01T04:00:00Z");
    pass_to(&world, "2026-01-02T03:00:00Z");
    assert_int_equal(world.created, 3);
    assert_string_equal(tick(&world), "2026-01-02T03:00:00Z");
    finish(&world);
    pass_to(&world, "2026-01-02T02:59:59Z"); /* ahead by a second */
    pass_to(&world, "2026-01-02T03:00:01Z");
    assert_int_equal(world.created, 3);
    pass_to(&world, "2026-01-03T03:00:00Z");
    assert_int_equal(world.created, 4);
    world_release(&world);
}

static void test_a_batch_waits_for_the_tick(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.now_ms = time_of("2026-01-01T03:00:00Z");
    world_add_batch(&world, "w1");
    world_step(&world, "ChurnBatch", "w1");
    world_step(&world, "ChurnBatch", "w1");
    assert_string_equal(world_condition(&world, "ChurnBatch", "w1", "ModelReady"),
                        "False ModelTraining");
    world_settle(&world);
    finish(&world);
    assert_string_equal(world_condition(&world, "ChurnBatch", "w1", "Ready"), "False Running");
    world_release(&world);
}

/* What a schedule would have been before it was there is no reason to wait for. */
static void test_a_batch_knows_when_a_schedule_is_new(void **state)
{
    (void)state;
    struct world world;
    start_at(&world, "2026-01-01T00:00:00Z", "{}");
    world_edit(
        &world, MODEL,
        "{\"retrain\": {\"on\": [\"ImageDigest\", \"Schedule\"], \"schedule\": \"0 3 * * *\"}}");
    world.now_ms = time_of("2026-01-05T12:00:00Z");
    world_add_batch(&world, "w1");
    world_step(&world, "ChurnBatch", "w1");
    world_step(&world, "ChurnBatch", "w1");
    assert_string_not_equal(world_status(&world, "ChurnBatch", "w1", "training", "reason", NULL),
                            "Scheduled");
    world_release(&world);
}

static void test_what_cannot_be_followed(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *message;
    } cases[] = {
        { "{\"retrain\": {\"on\": [\"Schedule\"]}}",
          "spec.retrain.schedule: must be set, as spec.retrain.on has Schedule" },
        { "{\"retrain\": {\"on\": [\"Schedule\"], \"schedule\": \"\"}}",
          "spec.retrain.schedule: must be set, as spec.retrain.on has Schedule" },
        { "{\"retrain\": {\"schedule\": \"0 3 * *\"}}",
          "spec.retrain.schedule: must have five fields" },
        { "{\"retrain\": {\"schedule\": \"0 25 * * *\"}}", "spec.retrain.schedule: hour: must be" },
        { "{\"retrain\": {\"timeZone\": \"../../etc/passwd\"}}",
          "spec.retrain.timeZone: must be the name of a time zone" },
        { "{\"retrain\": {\"on\": [\"Schedule\"], \"schedule\": \"0 3 * * *\", \"timeZone\": "
          "\"Mars/Olympus\"}}",
          "spec.retrain.timeZone: is not known" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init(&world);
        world_add_model(&world);
        world_edit(&world, MODEL, cases[i].patch);
        world_settle(&world);
        const char *message = world_message(&world, MODEL, "Stalled");
        if (strncmp(message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\"", cases[i].patch, message);
        CASE(cases[i].patch, world.created == 0);
        world_edit(&world, MODEL, "{\"retrain\": null}");
        world_settle(&world);
        CASE(cases[i].patch, world.created == 1);
        world_release(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_tick_trains_once),
        cmocka_unit_test(test_a_tick_trains_at_its_minute),
        cmocka_unit_test(test_missed_ticks),
        cmocka_unit_test(test_another_reason_takes_the_tick),
        cmocka_unit_test(test_a_failed_run_waits_for_the_next_tick),
        cmocka_unit_test(test_a_new_schedule_begins_now),
        cmocka_unit_test(test_a_schedule_goes_and_comes_back),
        cmocka_unit_test(test_where_clocks_change),
        cmocka_unit_test(test_a_crash_before_the_job),
        cmocka_unit_test(test_superseded),
        cmocka_unit_test(test_not_superseded),
        cmocka_unit_test(test_a_clock_that_is_set),
        cmocka_unit_test(test_a_clock_that_was_ahead),
        cmocka_unit_test(test_a_batch_waits_for_the_tick),
        cmocka_unit_test(test_a_batch_knows_when_a_schedule_is_new),
        cmocka_unit_test(test_what_cannot_be_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
