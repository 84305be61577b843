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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_loop_does_not_sleep_over_work),
        cmocka_unit_test(test_a_delete_that_is_refused_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
