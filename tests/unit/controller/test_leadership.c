/* Goal: one process at a time decides, and not before it knows everything.
 * Method: two whole controllers on a simulated cluster (sim/simulation.h): one stands by, freezes,
 * is cut off, stops or starts anew. */
#include "sim/simulation.h"

#define SECOND 1000

/* Or it would be sent what it cannot pass on. */
static void test_a_standby_that_does_not_know_the_leader_is_not_ready(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_add_fault(sim, "{'verb':'get','resource':'leases','action':'slow','delay':'1s','count':1}");
    sim_start_controller(sim, 1);
    sim_run(sim, SECOND / 2);
    assert_false(manager_is_ready(sim->controllers[1].manager));
    sim_run(sim, SECOND);
    assert_true(manager_is_ready(sim->controllers[1].manager));
    sim_free(sim);
}

/* Nor does it gather keys: its queue would look like one that does not get ahead. */
static void test_a_standby_writes_nothing_and_takes_over(void **state)
{
    struct sim *sim = sim_begin();
    struct metrics metrics;

    (void)state;
    sim_start_controller(sim, 1);
    sim_run(sim, 5 * SECOND);
    assert_true(manager_is_ready(sim->controllers[1].manager));
    sim->controllers[0].paused = true;
    sim_create_model(sim);
    sim_run(sim, 10 * SECOND);
    assert_int_equal(sim->writes, 0);
    manager_snapshot(sim->controllers[1].manager, &metrics);
    assert_int_equal(metrics.queue_ready, 0);
    sim_run(sim, 10 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    sim->controllers[0].paused = false; /* the old leader wakes up: it must not write */
    sim_run(sim, SECOND);
    assert_non_null(manager_loss(sim->controllers[0].manager));
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    assert_int_equal(sim->writes, 2);
    sim_free(sim);
}

/* The process freezes while its status write is answered, longer than the lease lasts. */
static enum sim_fate freeze_at_status(void *context, struct sim_controller *controller,
                                      struct fake_exchange *exchange)
{
    struct sim *sim = context;

    (void)controller;
    if (strstr(exchange->url, "/status")) {
        sim->hooks.on_write = NULL;
        sim->now_ms += 20 * SECOND;
    }
    return SIM_PASSES;
}

static void test_the_lease_is_checked_before_each_write(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim->hooks = (struct sim_hooks){ .on_write = freeze_at_status, .context = sim };
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_null(sim->hooks.on_write);
    assert_int_equal(sim->writes, 1); /* no Job was sent */
    assert_non_null(manager_loss(sim->controllers[0].manager));
    sim_kill_controller(sim, 0);
    sim_start_controller(sim, 1);
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    sim_free(sim);
}

static void test_an_outage_ends_leadership(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim->controllers[0].cut = true;
    sim_run(sim, 8 * SECOND);
    assert_null(manager_loss(sim->controllers[0].manager));
    sim_run(sim, 4 * SECOND);
    assert_non_null(manager_loss(sim->controllers[0].manager));
    sim_free(sim);
}

static void test_a_graceful_stop_gives_the_lease_back(void **state)
{
    struct sim *sim = sim_begin();
    const json_t *lease;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    manager_stop(sim->controllers[0].manager);
    sim_run(sim, SECOND);
    assert_true(manager_is_stopped(sim->controllers[0].manager));
    lease = sim_get(sim, "/apis/coordination.k8s.io/v1/namespaces/default/leases/churn-controller");
    assert_string_equal(jx_string(lease, "spec", "holderIdentity", NULL), "");
    sim_free(sim);
}

/* A new process does not know yet that a batch names the version, which a training would delete. */
static void test_nothing_is_decided_before_all_lists_are_there(void **state)
{
    struct sim *sim = sim_begin();
    char *first auto_free = sim_train_past_first(sim);
    char *body auto_free = mem_format("{'spec':{'modelVersion':'%s','suspend':true}}", first);
    const char *document;
    unsigned writes;

    (void)state;
    sim_pod_succeeds(sim);
    sim_run(sim, 5 * SECOND);
    sim_kill_controller(sim, 0);
    sim_create_batch(sim, "week-1");
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/week-1", body), 200);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'seed':9}}"), 200);
    sim_add_fault(sim, "{'verb':'list','resource':'churnbatches','action':'slow','delay':'40s',"
                       "'count':1}");
    writes = sim->writes;
    sim_start_controller(sim, 1);
    sim_run(sim, 30 * SECOND);
    assert_true(manager_leads(sim->controllers[1].manager));
    assert_int_equal(sim->writes, writes);
    sim_run(sim, 20 * SECOND);
    assert_int_equal(sim->pod_count, 1);
    document = jx_string(sim->pods[0]->pod, "metadata", "annotations", "churnops.io/job", NULL);
    assert_non_null(strstr(document, first));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_standby_that_does_not_know_the_leader_is_not_ready),
        cmocka_unit_test(test_a_standby_writes_nothing_and_takes_over),
        cmocka_unit_test(test_the_lease_is_checked_before_each_write),
        cmocka_unit_test(test_an_outage_ends_leadership),
        cmocka_unit_test(test_a_graceful_stop_gives_the_lease_back),
        cmocka_unit_test(test_nothing_is_decided_before_all_lists_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
