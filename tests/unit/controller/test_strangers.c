/* Goal: what bears our names and labels and is not ours is neither followed nor touched nor
 * believed. Method: a whole controller on a simulated cluster (sim/simulation.h), and objects of
 * strangers. */
#include "sim/simulation.h"

#define SECOND 1000

/* A Job of that name is there before ours and belongs to another model: it is neither followed
 * nor touched. */
static void test_a_strangers_job_is_told(void **state)
{
    struct sim *sim = sim_begin();
    char *path auto_free = NULL, *body auto_free = NULL, *uid auto_free = NULL;
    const json_t *training;

    (void)state;
    assert_int_equal(
        sim_ask(sim, "POST", SIM_MODELS,
                "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnModel','metadata':{'name':"
                "'other'},'spec':{'suspend':true,'data':{'uri':'file:///h.csv','target':'t','id':"
                "'i'},'artifacts':{'uri':'file:///m/'}}}"),
        201);
    uid = mem_strdup(jx_string(sim_get(sim, SIM_MODELS "/other"), "metadata", "uid", NULL));
    sim_create_model(sim);
    sim_run(sim, SECOND);
    training = jx_get(sim_get(sim, SIM_MODEL), "status", "training", NULL);
    body = mem_format("{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'%s','labels':{"
                      "'churnops.io/run':'%s'},'ownerReferences':[{'apiVersion':"
                      "'churnops.io/v1alpha1','kind':'ChurnModel','name':'other','uid':'%s',"
                      "'controller':true}]},'spec':{'template':{'spec':{'restartPolicy':'Never',"
                      "'containers':[{'name':'x','image':'" SIM_TRAINER "'}]}}}}",
                      jx_string(training, "job", NULL), jx_string(training, "runKey", NULL), uid);
    path = mem_format(SIM_JOBS "/%s", jx_string(training, "job", NULL));
    sim->controllers[0].cut = true;
    assert_int_equal(sim_ask(sim, "DELETE", path, NULL), 200);
    sim_run(sim, SECOND);
    assert_int_equal(sim_ask(sim, "POST", SIM_JOBS, body), 201);
    sim->controllers[0].cut = false;
    sim_run(sim, 15 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Stalled"), "True JobRejected");
    assert_non_null(sim_get(sim, path));
    sim_free(sim);
}

/* A pod bears the label of our Job and reports a model, and belongs to something else. */
static void test_a_strangers_pod_is_not_believed(void **state)
{
    struct sim *sim = sim_begin();
    char *body auto_free = NULL;
    const json_t *model;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    model = sim_get(sim, SIM_MODEL);
    body = mem_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'zzz','labels':{"
                      "'job-name':'%s'},'ownerReferences':[{'apiVersion':'churnops.io/v1alpha1',"
                      "'kind':'ChurnModel','name':'m','uid':'%s'}]},'spec':{'containers':[{'name':"
                      "'churn','image':'" SIM_TRAINER "'}]}}",
                      jx_string(jx_get(model, "status", "training", NULL), "job", NULL),
                      jx_string(model, "metadata", "uid", NULL));
    assert_int_equal(sim_ask(sim, "POST", SIM_POD_LIST, body), 201);
    sim_settle(sim);
    assert_int_equal(sim->pod_count, 2);
    sim_pod_ends(sim->pods[1], 0,
                 "{\"outcome\":\"Trained\",\"model\":{\"version\":\"ffffffffffffffff\","
                 "\"uri\":\"file:///data/models/default.m/ffffffffffffffff/\"}}");
    sim_pod_succeeds(sim);
    sim_run(sim, SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    model = jx_get(sim_get(sim, SIM_MODEL), "status", "model", NULL);
    assert_string_not_equal(jx_string(model, "version", NULL), "ffffffffffffffff");
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_strangers_job_is_told),
        cmocka_unit_test(test_a_strangers_pod_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
