/* Goal: the loop works on what is ready before it waits for the network, and comes back to a key
 * whose round failed. Method: a controller on a simulated cluster; its transport tells how long it
 * may wait. */
#include "sim/simulation.h"

#define SECOND 1000

static unsigned slept_over_work;

static void watch_sleep(struct transport *transport, int64_t wait_ms)
{
    struct fake_network *network = (struct fake_network *)transport;
    const struct sim_controller *controller = network->context;
    struct metrics metrics;

    manager_snapshot(controller->manager, &metrics);
    slept_over_work += wait_ms > 0 && metrics.queue_ready > 0;
    fake_network_run(network);
}

/* Polls fall due while the loop is about to wait for the network. */
static void test_the_loop_does_not_sleep_over_work(void **state)
{
    struct sim *sim = sim_new(1);
    struct sim_controller *controller = &sim->controllers[0];
    struct transport_port port;

    (void)state;
    sim_start_controller(sim, 0);
    sim_create_model(sim);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'imagePollInterval':'20s'}}"), 200);
    sim_run(sim, 10 * SECOND);
    sim_pod_succeeds(sim);
    sim_run(sim, 10 * SECOND);
    port = *controller->network.transport.port;
    port.run = watch_sleep;
    controller->network.transport.port = &port;
    slept_over_work = 0;
    for (int i = 0; i < 120; i++) {
        sim_run(sim, 10);
        sim->now_ms += SECOND;
        controller->network.now_ms = sim->now_ms;
        manager_turn(controller->manager, 5 * SECOND);
    }
    assert_int_equal(slept_over_work, 0);
    sim_free(sim);
}

/* The conflict may pass, unlike that with a Job that was made again: nothing waits for a Job to be
 * gone that is still there. Neither does it when the answer was wrong. */
static void refuse_to_delete(const char *fault)
{
    struct sim *sim = sim_new(1);

    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 10 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    sim_add_fault(sim, fault);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'suspend':true}}"), 200);
    sim_run(sim, 60 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    sim_free(sim);
}

static void test_a_delete_that_is_refused_is_tried_again(void **state)
{
    (void)state;
    refuse_to_delete("{'verb':'delete','resource':'jobs','action':'status','code':409}");
    refuse_to_delete("{'verb':'delete','resource':'jobs','action':'status','code':404}");
}

/* After a restart, lists may be of before the training ended. */
static void start_with_an_old_list(unsigned revisions)
{
    struct sim *sim = sim_new(1);
    char *path auto_free = NULL;
    char fault[128];

    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 10 * SECOND);
    path = mem_format(SIM_JOBS "/%s", jx_string(sim_object(sim, "churnmodels", "m"), "status",
                                                "training", "job", NULL));
    sim_pod_succeeds(sim);
    sim_settle(sim);
    sim_kill_controller(sim, 0);
    assert_int_equal(sim_ask(sim, "DELETE", path, NULL), 200);
    (void)snprintf(fault, sizeof(fault),
                   "{'verb':'list','resource':'churnmodels','action':'stale','revisions':%u}",
                   revisions);
    sim_add_fault(sim, fault);
    sim->controllers[0].lag_ms = 60 * SECOND; /* of its watches */
    sim_start_controller(sim, 0);
    sim_run(sim, 300 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    sim_free(sim);
}

static void test_an_old_status_starts_nothing(void **state)
{
    (void)state;
    for (unsigned revisions = 1; revisions < 16; revisions++)
        start_with_an_old_list(revisions);
}

static enum sim_fate lose_answer_of_job(void *context, struct sim_controller *controller,
                                        struct fake_exchange *exchange)
{
    struct sim *sim = context;

    (void)controller;
    if (!strstr(exchange->url, SIM_JOBS))
        return SIM_PASSES;
    sim->hooks.on_write = NULL;
    return SIM_ANSWER_IS_LOST;
}

/* The answer to its POST was lost, and its event does not come. */
static void test_a_job_that_nobody_saw_is_stopped_before_the_next(void **state)
{
    struct sim *sim = sim_new(1);
    char *first auto_free = NULL;

    (void)state;
    sim->hooks.on_write = lose_answer_of_job;
    sim->hooks.context = sim;
    sim_start_controller(sim, 0);
    sim_run(sim, 30 * SECOND); /* the watch of Jobs is there */
    sim_add_fault(sim, "{'verb':'event','resource':'jobs','action':'stall','count':1}");
    sim_create_model(sim);
    sim_settle(sim);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    first = mem_strdup(
        jx_string(sim_object(sim, "churnmodels", "m"), "status", "training", "job", NULL));
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'retrain':{'token':'2'}}}"), 200);
    for (int i = 0; i < 1200; i++) {
        sim_run(sim, SECOND);
        assert_in_range(sim_count(sim, SIM_JOBS), 0, 1);
    }
    assert_string_not_equal(
        jx_string(sim_object(sim, "churnmodels", "m"), "status", "training", "job", NULL), first);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_loop_does_not_sleep_over_work),
        cmocka_unit_test(test_a_delete_that_is_refused_is_tried_again),
        cmocka_unit_test(test_an_old_status_starts_nothing),
        cmocka_unit_test(test_a_job_that_nobody_saw_is_stopped_before_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
