/* Goal: a right that is missing is told by an Event where no condition can say it: about the
 * object, or about the Lease when it is about none; work that needs another right goes on. Method:
 * a whole controller on a simulated cluster (sim/simulation.h) that answers 403. */
#include "sim/simulation.h"

#define SECOND 1000

/* How often an Event about `kind` `name` was made. */
static size_t count_denials(struct sim *sim, const char *kind, const char *name)
{
    const json_t *events =
        jx_get(sim_get(sim, "/apis/events.k8s.io/v1/namespaces/default/events"), "items", NULL);
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);

        count += strcmp(jx_string(event, "reason", NULL), "PermissionDenied") == 0 &&
                 strcmp(jx_string(event, "type", NULL), "Warning") == 0 &&
                 strcmp(jx_string(event, "regarding", "kind", NULL), kind) == 0 &&
                 strcmp(jx_string(event, "regarding", "name", NULL), name) == 0 &&
                 strstr(jx_string(event, "note", NULL), "403 Forbidden");
    }
    return count;
}

static void test_about_an_object(void **state)
{
    struct sim *sim = sim_new(1);

    (void)state;
    sim_add_fault(sim, "{'verb':'patch','resource':'churnmodels','action':'status','code':403,"
                       "'count':3}");
    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 2 * SECOND);
    assert_int_equal(count_denials(sim, "ChurnModel", "m"), 1);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    sim_run(sim, 400 * SECOND);
    assert_int_equal(count_denials(sim, "ChurnModel", "m"), 1); /* the same again is no other */
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);              /* the right was granted */
    sim_free(sim);
}

/* A right that is missing for an hour leaves Events about what happens then. */
static void test_other_events_are_told(void **state)
{
    struct sim *sim = sim_new(1);
    const json_t *events;
    bool is_told = false;

    (void)state;
    sim_add_fault(sim, "{'verb':'patch','resource':'churnmodels','action':'status','code':403,"
                       "'count':63}");
    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 65 * 60 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    events =
        jx_get(sim_get(sim, "/apis/events.k8s.io/v1/namespaces/default/events"), "items", NULL);
    for (size_t i = 0; i < json_array_size(events); i++)
        is_told |= strcmp(jx_string(json_array_get(events, i), "reason", NULL), "First") == 0;
    assert_true(is_told);
    sim_free(sim);
}

static void test_about_nothing_in_particular(void **state)
{
    static const char *const faults[] = {
        "{'verb':'list','resource':'jobs','action':'status','code':403}",
        "{'verb':'get','resource':'leases','action':'status','code':403}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct sim *sim = sim_new(1);

        sim_add_fault(sim, faults[i]);
        sim_start_controller(sim, 0);
        sim_run(sim, 2 * SECOND);
        CASE(faults[i], count_denials(sim, "Lease", "churn-controller") == 1);
        sim_free(sim);
    }
}

/* Trouble of another kind is nobody's missing right. */
static void test_other_failures(void **state)
{
    struct sim *sim = sim_new(1);

    (void)state;
    sim_add_fault(sim, "{'verb':'patch','resource':'churnmodels','action':'status','code':500}");
    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 2 * SECOND);
    assert_int_equal(count_denials(sim, "ChurnModel", "m"), 0);
    sim_free(sim);
}

/* Somebody has to grant the right: to ask again soon helps nobody. */
static void test_a_question_waits_for_the_right(void **state)
{
    struct sim *sim = sim_new(1);

    (void)state;
    sim_start_controller(sim, 0);
    sim_create_model(sim);
    sim_run(sim, 2 * SECOND);
    sim_add_fault(sim, "{'verb':'list','resource':'pods','action':'status','code':403,'count':1}");
    sim_pod_succeeds(sim);
    sim_run(sim, 50 * SECOND);
    assert_int_equal(count_denials(sim, "ChurnModel", "m"), 1);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "False Training");
    sim_run(sim, 15 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_about_an_object),
        cmocka_unit_test(test_other_events_are_told),
        cmocka_unit_test(test_about_nothing_in_particular),
        cmocka_unit_test(test_other_failures),
        cmocka_unit_test(test_a_question_waits_for_the_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
