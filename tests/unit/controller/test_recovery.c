/* Goal: what is missing is made again, but not for an owner that is gone, nor beside a Job that is
 * still being deleted; a training that endangers what a batch uses is replaced.
 * Method: a whole controller on a simulated cluster (sim/simulation.h) whose watches are behind. */
#include "sim/simulation.h"

#define SECOND 1000

/* What happens to these resources from now on is seen so much later. */
static void hold_watch(struct sim *sim, const char *plural, int64_t held_ms)
{
    for (struct fake_exchange *at = sim->controllers[0].network.first; at; at = at->next)
        if (strstr(at->url, plural) && strstr(at->url, "watch="))
            at->held_until_ms = sim->now_ms + held_ms;
}

/* The collector deletes the Job, which is seen; its owner's own deletion is not. */
static void test_no_job_for_a_model_that_is_gone(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    writes = sim->writes;
    hold_watch(sim, "churnmodels", 30 * SECOND);
    assert_int_equal(sim_ask(sim, "DELETE", SIM_MODEL, NULL), 200);
    sim_run(sim, 60 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    assert_int_equal(sim->writes, writes);
    sim_free(sim);
}

/* The same while something else keeps the model from going. */
static void test_no_job_for_a_model_that_is_being_deleted(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim_create_model(sim);
    assert_int_equal(
        sim_ask(sim, "PATCH", SIM_MODEL, "{'metadata':{'finalizers':['example.com/held']}}"), 200);
    sim_run(sim, SECOND);
    writes = sim->writes;
    hold_watch(sim, "churnmodels", 30 * SECOND);
    assert_int_equal(sim_ask(sim, "DELETE", SIM_MODEL, "{'propagationPolicy':'Foreground'}"), 200);
    sim_run(sim, 60 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    assert_int_equal(sim->writes, writes);
    sim_free(sim);
}

/* Another model has the name. */
static void test_no_job_for_a_model_that_was_made_again(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    hold_watch(sim, "churnmodels", 30 * SECOND);
    assert_int_equal(sim_ask(sim, "DELETE", SIM_MODEL, NULL), 200);
    sim_create_model(sim);
    sim_run(sim, 20 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    sim_run(sim, 20 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1); /* the other one's */
    sim_free(sim);
}

/* What we did to a Job is not seen yet: nothing is decided from the Job as it was before. */
static void test_own_deletion_is_waited_for(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    hold_watch(sim, "/jobs", 30 * SECOND);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'suspend':true}}"), 200);
    sim_run(sim, SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    writes = sim->writes;
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'metadata':{'labels':{'team':'risk'}}}"),
                     200);
    sim_run(sim, 10 * SECOND);
    assert_int_equal(sim->writes, writes); /* the Job is not deleted again */
    sim_run(sim, 30 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "False Suspended");
    sim_free(sim);
}

static enum sim_fate lose_batches(void *context, struct sim_controller *controller,
                                  struct fake_exchange *exchange)
{
    (void)context;
    (void)controller;
    return strcmp(exchange->method, "POST") == 0 && strcmp(exchange->path, SIM_BATCHES) == 0
               ? SIM_IS_LOST
               : SIM_PASSES;
}

/* A batch that an inbox is about to make. */
static void test_no_batch_for_a_model_that_is_gone(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim->hooks.on_write = lose_batches;
    sim_create_model(sim);
    assert_int_equal(
        sim_ask(sim, "PATCH", SIM_MODEL,
                "{'spec':{'inbox':{'uri':'file:///data/weekly/','template':{'output':{'uri':"
                "'file:///data/out/'}}}}}"),
        200);
    assert_int_equal(
        sim_ask(sim, "PATCH", SIM_MODEL "/status",
                "{'status':{'inbox':{'uri':'file:///data/weekly/','pending':[{'name':'w-1',"
                "'file':'file:///data/weekly/w.csv','generation':'1'}]}}}"),
        200);
    sim_run(sim, SECOND);
    hold_watch(sim, "churnmodels", 30 * SECOND);
    assert_int_equal(sim_ask(sim, "DELETE", SIM_MODEL, NULL), 200);
    sim->hooks.on_write = NULL;
    writes = sim->writes;
    sim_run(sim, 60 * SECOND);
    assert_int_equal(sim_count(sim, SIM_BATCHES), 0);
    assert_int_equal(sim->writes, writes);
    sim_free(sim);
}

/* Somebody else made the Job, by the same order, and deletes it; it is not gone yet. The watch is
 * cut, and goes on from a list in a while. */
static enum sim_fate overtake(void *context, struct sim_controller *controller,
                              struct fake_exchange *exchange)
{
    struct sim *sim = context;
    struct err err;
    json_t *job auto_json = NULL;
    char *path auto_free = NULL;

    (void)controller;
    if (strcmp(exchange->method, "POST") != 0 || strcmp(exchange->path, SIM_JOBS) != 0)
        return SIM_PASSES;
    sim->hooks.on_write = NULL;
    hold_watch(sim, "/jobs", 3 * SECOND);
    sim_add_fault(sim, "{'verb':'event','resource':'jobs','action':'drop','count':1}");
    sim_add_fault(sim, "{'verb':'watch','resource':'jobs','action':'status','code':410,'count':1}");
    job = jx_parse(span_of(exchange->body), LIMIT_JSON_DOCUMENT, "Job", &err);
    json_object_set_new(json_object_get(job, "metadata"), "finalizers",
                        json_pack("[s]", "example.com/held"));
    path = mem_format(SIM_JOBS "/%s", jx_string(job, "metadata", "name", NULL));
    assert_int_equal(sim_send(sim, "POST", SIM_JOBS, job), 201);
    assert_int_equal(sim_ask(sim, "DELETE", path, "{'propagationPolicy':'Background'}"), 200);
    return SIM_PASSES;
}

/* The cache never shows the Job that was in the way: nothing but the clock tells that it went. */
static void test_a_job_that_is_being_deleted_is_not_ours(void **state)
{
    struct sim *sim = sim_begin();
    const json_t *training;
    char *path auto_free = NULL;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    training = jx_get(sim_get(sim, SIM_MODEL), "status", "training", NULL);
    path = mem_format(SIM_JOBS "/%s", jx_string(training, "job", NULL));
    sim->hooks.on_write = overtake;
    sim->hooks.context = sim;
    assert_int_equal(sim_ask(sim, "DELETE", path, "{'propagationPolicy':'Background'}"), 200);
    sim_run(sim, SECOND);
    assert_null(sim->hooks.on_write);
    assert_non_null(jx_get(sim_get(sim, path), "metadata", "deletionTimestamp", NULL));
    assert_int_equal(sim_ask(sim, "PATCH", path, "{'metadata':{'finalizers':null}}"), 200);
    assert_null(sim_get(sim, path));
    sim_run(sim, 30 * SECOND);
    assert_non_null(sim_get(sim, path));
    sim_free(sim);
}

/* A batch begins to use an old version while a training that may delete it is at work, as when each
 * is decided before the other is seen. */
static void test_a_training_that_endangers_a_batch(void **state)
{
    struct sim *sim = sim_begin();
    char *old auto_free = sim_train_past_first(sim);
    char *spec auto_free = NULL, *uses auto_free = NULL, *training auto_free = NULL;

    (void)state;
    training = mem_strdup(
        jx_string(sim_object(sim, "churnmodels", "m"), "status", "training", "job", NULL));
    sim_create_batch(sim, "week-1");
    spec = mem_format("{'spec':{'suspend':true,'modelVersion':'%s'}}", old);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/week-1", spec), 200);
    sim_run(sim, 5 * SECOND);
    uses = mem_format("{'status':{'model':{'version':'%s','uri':'file:///x/'}}}", old);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/week-1/status", uses), 200);
    sim_run(sim, SECOND);
    assert_string_not_equal(/* it is replaced by one that keeps the version */
                            jx_string(sim_object(sim, "churnmodels", "m"), "status", "training",
                                      "job", NULL),
                            training);
    sim_free(sim);
}

static unsigned lose_event(void *context, struct sim_controller *controller,
                           struct fake_exchange *watch)
{
    (void)context;
    (void)controller;
    return strstr(watch->url, "/churnmodels") ? 0 : 1;
}

/* The newest version of the model comes to the controller as text that is no JSON. */
static void send_broken_model(struct sim *sim)
{
    struct fake_exchange *watch = sim->controllers[0].network.first;
    auto_free char *text = jx_canonical(sim_get(sim, SIM_MODEL));
    const char *spec = strstr(text, "\"spec\":{") + strlen("\"spec\":{");
    auto_free char *event =
        mem_format("{\"type\":\"MODIFIED\",\"object\":%.*s,%s}\n", (int)(spec - text), text, spec);

    while (!strstr(watch->url, "/churnmodels") || !strstr(watch->url, "watch="))
        watch = watch->next;
    network_write(watch, span_of(event));
}

/* Nothing is decided about a model that cannot be read, and its batches wait until it can be. */
static void test_a_model_that_is_no_json(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_finish_everything(sim);
    sim->hooks = (struct sim_hooks){ .on_event = lose_event };
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'seed':7}}"), 200);
    sim_run(sim, SECOND);
    sim->hooks = (struct sim_hooks){ 0 };
    send_broken_model(sim);
    sim_create_batch(sim, "week-1");
    sim_run(sim, 60 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Ready"),
                        "False WaitingForModel");
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'seed':8}}"), 200);
    sim_finish_everything(sim);
    assert_int_equal(jx_int(jx_get(sim_get(sim, SIM_MODEL), "status", NULL), "trainingsRun", -1),
                     2);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_job_for_a_model_that_is_gone),
        cmocka_unit_test(test_no_job_for_a_model_that_is_being_deleted),
        cmocka_unit_test(test_no_job_for_a_model_that_was_made_again),
        cmocka_unit_test(test_own_deletion_is_waited_for),
        cmocka_unit_test(test_no_batch_for_a_model_that_is_gone),
        cmocka_unit_test(test_a_job_that_is_being_deleted_is_not_ours),
        cmocka_unit_test(test_a_training_that_endangers_a_batch),
        cmocka_unit_test(test_a_model_that_is_no_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
