/* scenes.c - what many tests of whole controllers begin with. */
#include "sim/simulation.h"

#define SECOND 1000

struct sim *sim_begin(void)
{
    struct sim *sim = sim_new(1);

    sim_start_controller(sim, 0);
    sim_run(sim, SECOND);
    return sim;
}

void sim_create_model(struct sim *sim)
{
    volume_write(&sim->volume, "file:///data/in/h.csv", "good");
    assert_int_equal(
        sim_ask(sim, "POST", SIM_MODELS,
                "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnModel','metadata':{'name':'m'},"
                "'spec':{'data':{'uri':'file:///data/in/h.csv','target':'Exited','id':'Id'},"
                "'artifacts':{'uri':'file:///data/models/'}}}"),
        201);
}

void sim_create_batch(struct sim *sim, const char *name)
{
    char *body auto_free = mem_format(
        "{'apiVersion':'churnops.io/v1alpha1','kind':'ChurnBatch','metadata':{'name':'%s'},"
        "'spec':{'modelRef':{'name':'m'},'input':{'uri':'file:///data/weekly/%s.csv'},"
        "'output':{'uri':'file:///data/out/'}}}",
        name, name);
    char *input auto_free = mem_format("file:///data/weekly/%s.csv", name);

    volume_write(&sim->volume, input, "good");
    assert_int_equal(sim_ask(sim, "POST", SIM_BATCHES, body), 201);
}

void sim_finish_everything(struct sim *sim)
{
    for (int i = 0; i < 40; i++) {
        sim_run(sim, SECOND);
        while (sim->pod_count > 0)
            sim_pod_succeeds(sim);
    }
}

char *sim_train_past_first(struct sim *sim)
{
    char *first = NULL;

    sim_create_model(sim);
    sim_run(sim, SECOND);
    for (int seed = 7; seed < 9; seed++) {
        char *patch auto_free = mem_format("{'spec':{'seed':%d}}", seed);

        sim_pod_succeeds(sim);
        sim_run(sim, 5 * SECOND);
        if (!first)
            first = mem_strdup(
                jx_string(sim_object(sim, "churnmodels", "m"), "status", "model", "version", NULL));
        assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, patch), 200);
        sim_run(sim, 5 * SECOND);
    }
    assert_int_equal(sim->pod_count, 1);
    return first;
}
