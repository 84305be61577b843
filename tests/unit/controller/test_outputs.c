/* Goal: two unfinished batches never write one file; nobody waits for what is not the same file,
 * nor for a batch that will not write. Method: a whole controller on a simulated cluster
 * (sim/simulation.h). */
#include "batch_api.h"
#include "sim/simulation.h"

#define SECOND 1000
#define OTHERS "/apis/churnops.io/v1alpha1/namespaces/other/churnbatches"
#define OUTPUT "file:///data/out/x.csv"

static void create_batch(struct sim *sim, const char *path, const char *name)
{
    char *body auto_free = mem_format(
        "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnBatch','metadata':{'name':'%s'},"
        "'spec':{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/w.csv'},"
        "'output':{'uri':'" OUTPUT "'}}}",
        name);

    assert_int_equal(sim_ask(sim, "POST", path, body), 201);
    sim_run(sim, SECOND);
}

/* A trained model, and a file to score. */
static struct sim *start(void)
{
    struct sim *sim = sim_begin();

    sim_create_model(sim);
    sim_run(sim, SECOND);
    sim_pod_succeeds(sim);
    sim_run(sim, SECOND);
    volume_write(&sim->volume, "file:///data/weekly/w.csv", "good");
    return sim;
}

/* Whoever waits for an output is woken when it is free: by an end, and by a deletion. */
static void test_a_free_output_wakes_who_waits(void **state)
{
    struct sim *sim = start();

    (void)state;
    create_batch(sim, SIM_BATCHES, "a");
    create_batch(sim, SIM_BATCHES, "b");
    create_batch(sim, SIM_BATCHES, "c");
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Reconciling"), "True OutputInUse");
    assert_int_equal(sim_ask(sim, "DELETE", SIM_BATCHES "/a", NULL), 200);
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Ready"), "False Running");
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/c", "Reconciling"), "True OutputInUse");
    sim_pod_succeeds(sim);
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/c", "Ready"), "False Running");
    sim_free(sim);
}

/* An older batch that waits for its model is in the way, until somebody deletes it; that something
 * else keeps it from going does not matter. */
static void test_a_batch_that_is_being_deleted_claims_nothing(void **state)
{
    struct sim *sim = start();

    (void)state;
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'suspend':true}}"), 200);
    create_batch(sim, SIM_BATCHES, "a");
    create_batch(sim, SIM_BATCHES, "b");
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/a",
                             "{'metadata':{'finalizers':['example.com/held']},'spec':{'suspend':"
                             "true}}"),
                     200);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'suspend':false}}"), 200);
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Reconciling"), "True OutputInUse");
    assert_int_equal(sim_ask(sim, "DELETE", SIM_BATCHES "/a", NULL), 200);
    sim_run(sim, 2 * SECOND);
    assert_non_null(sim_get(sim, SIM_BATCHES "/a"));
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Ready"), "False Running");
    sim_free(sim);
}

/* The same, but its Job is at work, for as long as it is there. */
static void test_a_batch_that_runs_while_it_is_being_deleted(void **state)
{
    struct sim *sim = start();

    (void)state;
    create_batch(sim, SIM_BATCHES, "a");
    create_batch(sim, SIM_BATCHES, "b");
    assert_int_equal(
        sim_ask(sim, "PATCH", SIM_BATCHES "/a", "{'metadata':{'finalizers':['example.com/held']}}"),
        200);
    assert_int_equal(sim_ask(sim, "DELETE", SIM_BATCHES "/a", NULL), 200);
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Reconciling"), "True OutputInUse");
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/a", "{'metadata':{'finalizers':null}}"),
                     200);
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/b", "Ready"), "False Running");
    sim_free(sim);
}

/* Pods of another namespace mount other volumes. */
static void test_paths_of_two_namespaces(void **state)
{
    struct sim *sim = start();
    json_t *model auto_json = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "churnops.io/v1alpha1",
                                        "kind", "ChurnModel", "metadata", "name", "m");

    (void)state;
    assert_int_equal(sim_ask(sim, "POST", "/api/v1/namespaces",
                             "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'other'}}"),
                     201);
    json_object_set(model, "spec", jx_get(sim_get(sim, SIM_MODEL), "spec", NULL));
    assert_int_equal(
        sim_send(sim, "POST", "/apis/churnops.io/v1alpha1/namespaces/other/churnmodels", model),
        201);
    sim_run(sim, SECOND);
    sim_pod_succeeds(sim);
    create_batch(sim, SIM_BATCHES, "a");
    create_batch(sim, OTHERS, "a");
    sim_run(sim, 2 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/a", "Ready"), "False Running");
    assert_string_equal(sim_condition(sim, OTHERS "/a", "Ready"), "False Running");
    sim_free(sim);
}

static void test_places(void **state)
{
    static const struct {
        const char *uri, *namespace, *name, *other_uri, *other_namespace, *other_name;
        bool same;
    } cases[] = {
        { "file:///o/x.csv", "a", "1", "file:///o/x.csv", "a", "2", true },
        { "file:///o/x.csv", "a", "1", "file:///o/", "a", "x", true },
        { "file:///o/x.csv", "a", "1", "file:///o/x.csv", "b", "1", false },
        { "file:///o/", "a", "1", "file:///o/", "a", "2", false },
        { "gs://bank/o/x.csv", "a", "1", "gs://bank/o/x.csv", "b", "2", true },
        { "gs://bank/o/", "a", "x", "gs://bank/o/x.csv", "b", "2", true },
        { "s3://bank/o/x.csv", "a", "1", "s3://bank/o/x.csv", "b", "1", true },
        { "s3://bank/o/x.csv", "a", "1", "gs://bank/o/x.csv", "a", "1", false },
    };
    struct arena arena auto_arena = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *place =
            batch_output_place(cases[i].uri, cases[i].namespace, cases[i].name, &arena);
        const char *other = batch_output_place(cases[i].other_uri, cases[i].other_namespace,
                                               cases[i].other_name, &arena);

        CASE(place, (strcmp(place, other) == 0) == cases[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_output_wakes_who_waits),
        cmocka_unit_test(test_a_batch_that_is_being_deleted_claims_nothing),
        cmocka_unit_test(test_a_batch_that_runs_while_it_is_being_deleted),
        cmocka_unit_test(test_paths_of_two_namespaces),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
