/* Goal: the shell carries out what the reconcilers decide, exactly once, whatever happens between
 * it and the API server.
 * Method: whole controllers on a simulated cluster (sim/simulation.h): runs to the end, then the
 * same runs with a crash before and after every single write, conflicts, refusals and outages. */
#include "sim/simulation.h"

#define SECOND 1000

/* --- runs ------------------------------------------------------------------------- */

static int64_t trainings(struct sim *sim)
{
    return jx_int(jx_get(sim_get(sim, SIM_MODEL), "status", NULL), "trainingsRun", -1);
}

static void test_a_training_and_a_batch(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "False Training");
    sim_pod_succeeds(sim);
    sim_run(sim, SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    assert_int_equal(sim->writes, 3); /* status, Job, status */

    writes = sim->writes;
    sim_create_batch(sim, "week-1");
    sim_run(sim, SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 2);
    sim_pod_succeeds(sim);
    sim_run(sim, 3 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    assert_int_equal(trainings(sim), 1);
    assert_in_range(sim->writes - writes, 3, 4); /* and the model's Skipped */
    sim_free(sim);
}

static void test_at_rest_nothing_is_written(void **state)
{
    struct sim *sim = sim_begin();
    unsigned writes;

    (void)state;
    sim_create_model(sim);
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    writes = sim->writes;
    sim_run(sim, 11 * 60 * SECOND); /* more than one poll of the image, and one watch */
    assert_int_equal(sim->writes, writes);
    sim_free(sim);
}

static void test_a_moved_tag_trains_once(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_finish_everything(sim);
    sim_move_tag(sim, "trainer:stable", "2");
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    assert_int_equal(trainings(sim), 2);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    assert_int_equal(sim_count(sim, SIM_JOBS), 3);
    sim_free(sim);
}

static void test_a_spec_change_supersedes_the_training(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_int_equal(sim->pod_count, 1);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'seed':7}}"), 200);
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained");
    assert_int_equal(sim_count(sim, SIM_JOBS), 1); /* the first one was deleted */
    sim_free(sim);
}

/* What deletes a Job names the very Job, and waits for its pods. */
static enum sim_fate count_safe_deletions(void *context, struct sim_controller *controller,
                                          struct fake_exchange *exchange)
{
    unsigned *count = context;

    (void)controller;
    if (strcmp(exchange->method, "DELETE") == 0 && strstr(exchange->body, "\"uid\":") &&
        strstr(exchange->body, "\"Foreground\""))
        ++*count;
    return SIM_PASSES;
}

static void test_only_the_very_job_is_deleted(void **state)
{
    struct sim *sim = sim_begin();
    unsigned count = 0;

    (void)state;
    sim->hooks = (struct sim_hooks){ .on_write = count_safe_deletions, .context = &count };
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'seed':7}}"), 200);
    sim_finish_everything(sim);
    assert_int_equal(count, 1);
    sim_free(sim);
}

/* Every answer of this registry is older than the poll interval when it arrives. */
static void test_a_registry_slower_than_the_poll_interval(void **state)
{
    struct sim *sim = sim_begin();
    struct registry_mode slow = { .kind = REGISTRY_SLOW, .delay_ms = 5 * SECOND };
    int64_t writes;

    (void)state;
    front_set_registry(&sim->front, &slow);
    sim_create_model(sim);
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'imagePollInterval':'1s'}}"), 200);
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    writes = sim->writes;
    sim_move_tag(sim, "trainer:stable", "2");
    sim_finish_everything(sim);
    assert_int_equal(trainings(sim), 2);
    assert_true(sim->writes - writes <= 3);
    sim_free(sim);
}

static void delete_jobs(struct sim *sim)
{
    json_t *list auto_json = json_incref((json_t *)sim_get(sim, SIM_JOBS));
    const json_t *job;
    size_t i;

    json_array_foreach(jx_get(list, "items", NULL), i, job)
    {
        const char *name = jx_string(job, "metadata", "name", NULL);
        char *path auto_free = mem_format("%s/%s", SIM_JOBS, name);

        assert_int_equal(sim_ask(sim, "DELETE", path, NULL), 200);
    }
}

static void test_deleted_jobs_do_not_run_again(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    delete_jobs(sim);
    sim_finish_everything(sim);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    assert_int_equal(trainings(sim), 1);
    sim_free(sim);
}

/* A batch names a version that nobody needed so far. The training at work may delete it; one that
 * takes its place keeps it. */
static void test_a_version_that_is_safe_wakes_who_waits(void **state)
{
    struct sim *sim = sim_begin();
    char *first auto_free = sim_train_past_first(sim);
    char *body auto_free = mem_format("{'spec':{'modelVersion':'%s'}}", first);

    (void)state;
    sim_create_batch(sim, "week-1");
    assert_int_equal(sim_ask(sim, "PATCH", SIM_BATCHES "/week-1", body), 200);
    sim_run(sim, 5 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "ModelReady"),
                        "False ModelTraining");
    assert_int_equal(sim_ask(sim, "PATCH", SIM_MODEL, "{'spec':{'activeDeadlineSeconds':60}}"),
                     200);
    sim_settle(sim);
    sim_end_stopping_pods(sim);
    sim_run(sim, 5 * SECOND);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Reconciling"), "True Training");
    assert_string_not_equal(sim_condition(sim, SIM_BATCHES "/week-1", "ModelReady"),
                            "False ModelTraining"); /* its folder is looked at */
    sim_free(sim);
}

/* --- crashes ------------------------------------------------------------------------ */

struct crash {
    unsigned before;  /* writes that still pass */
    bool carried_out; /* the last one reaches the server, its answer is lost */
    bool crashed;
};

static enum sim_fate crash_at_write(void *context, struct sim_controller *controller,
                                    struct fake_exchange *exchange)
{
    struct crash *crash = context;

    (void)exchange;
    if (crash->crashed || crash->before-- > 0)
        return SIM_PASSES;
    crash->crashed = true;
    controller->paused = true; /* nothing of it runs any more */
    return crash->carried_out ? SIM_PASSES : SIM_IS_LOST;
}

static void run_with_crash(unsigned write, bool carried_out, unsigned *ret_writes)
{
    struct sim *sim = sim_begin();
    struct crash crash = { .before = write, .carried_out = carried_out };

    sim->hooks = (struct sim_hooks){ .on_write = crash_at_write, .context = &crash };
    sim_create_model(sim);
    sim_create_batch(sim, "week-1");
    for (int i = 0; i < 80; i++) {
        sim_run(sim, SECOND);
        if (crash.crashed && sim->controllers[0].sim) {
            sim_kill_controller(sim, 0);
            sim_start_controller(sim, 1);
        }
        while (sim->pod_count > 0)
            sim_pod_succeeds(sim);
    }
    if (strcmp(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored") != 0 ||
        trainings(sim) != 1 || sim_count(sim, SIM_JOBS) != 2)
        fail_msg("crash at write %u (%s): batch %s, %d trainings, %zu jobs", write,
                 carried_out ? "carried out" : "lost",
                 sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), (int)trainings(sim),
                 sim_count(sim, SIM_JOBS));
    *ret_writes = sim->writes;
    sim_free(sim);
}

static void test_a_crash_at_every_write(void **state)
{
    unsigned writes = 1, ignored;

    (void)state;
    for (unsigned write = 0; write < writes; write++) {
        run_with_crash(write, false, write == 0 ? &writes : &ignored);
        run_with_crash(write, true, &ignored);
    }
    assert_true(writes >= 6);
}

/* --- conflicts and refusals -------------------------------------------------------------- */

/* Somebody edits the object right before our first status write. */
static enum sim_fate edit_before_status(void *context, struct sim_controller *controller,
                                        struct fake_exchange *exchange)
{
    struct sim *sim = context;

    (void)controller;
    if (strstr(exchange->url, "/status")) {
        sim->hooks.on_write = NULL;
        assert_int_equal(
            sim_ask(sim, "PATCH", SIM_MODEL, "{'metadata':{'labels':{'team':'risk'}}}"), 200);
    }
    return SIM_PASSES;
}

static void test_a_conflict_is_decided_again(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim->hooks = (struct sim_hooks){ .on_write = edit_before_status, .context = sim };
    sim_create_model(sim);
    sim_run(sim, SECOND);
    assert_null(sim->hooks.on_write);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Ready"), "False Training");
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    assert_int_equal(sim->writes, 3); /* the one that failed, status, Job */
    sim_free(sim);
}

static void test_trouble_passes(void **state)
{
    static const char *const faults[] = {
        "{'verb':'create','resource':'jobs','action':'status','code':503,'count':3}",
        "{'verb':'create','resource':'jobs','action':'status','code':429,'count':2}",
        "{'verb':'patch','resource':'churnmodels','action':'status','code':500,'count':3}",
        "{'verb':'patch','resource':'churnmodels','action':'status','code':404,'count':2}",
        "{'verb':'patch','resource':'churnmodels','action':'drop','count':3}",
        "{'verb':'create','resource':'jobs','action':'drop','count':3}",
        "{'verb':'watch','resource':'*','action':'status','code':410,'count':3}",
        "{'verb':'event','resource':'*','action':'drop','count':5}",
        "{'verb':'list','resource':'*','action':'status','code':429,'count':5}",
        "{'verb':'list','resource':'churnmodels','action':'status','code':404,'count':5}",
        "{'verb':'*','resource':'events','action':'status','code':403,'count':100}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct sim *sim = sim_new(1);

        sim_add_fault(sim, faults[i]);
        sim_start_controller(sim, 0);
        sim_create_model(sim);
        sim_finish_everything(sim);
        CASE(faults[i], strcmp(sim_condition(sim, SIM_MODEL, "Ready"), "True Trained") == 0);
        CASE(faults[i], sim_count(sim, SIM_JOBS) == 1);
        sim_free(sim);
    }
}

/* The watch of models goes silent after the model was seen, that of Jobs does not: nothing may be
 * decided from the model as it was before our own write. */
static void test_own_writes_are_waited_for(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_add_fault(sim,
                  "{'verb':'event','resource':'churnmodels','action':'stall','skip':1,'count':1}");
    sim_create_model(sim);
    sim_run(sim, 3 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 1);
    sim_pod_succeeds(sim);
    sim_run(sim, 20 * SECOND);
    assert_int_equal(sim->writes, 2); /* status and Job; no attempt from the old state */
    sim_free(sim);
}

static void test_a_refused_job_is_told(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_add_fault(sim,
                  "{'verb':'create','resource':'jobs','action':'status','code':403,'count':1}");
    sim_create_model(sim);
    sim_run(sim, 2 * SECOND);
    assert_int_equal(sim_count(sim, SIM_JOBS), 0);
    assert_string_equal(sim_condition(sim, SIM_MODEL, "Stalled"), "True JobRejected");
    sim_free(sim);
}

static size_t count_our_events(struct sim *sim)
{
    const json_t *events =
        jx_get(sim_get(sim, "/apis/events.k8s.io/v1/namespaces/default/events"), "items", NULL);
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *by = jx_string(json_array_get(events, i), "reportingController", NULL);

        count += by && strcmp(by, "churnops.io/churn-controller") == 0;
    }
    return count;
}

/* A decision that is in status is told and counted, though its Job comes later. */
static void test_a_late_job_loses_no_event(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_finish_everything(sim);
    sim_add_fault(sim,
                  "{'verb':'create','resource':'jobs','action':'status','code':503,'count':2}");
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    assert_int_equal(jx_int(jx_get(sim_get(sim, SIM_MODEL), "status", NULL), "trainingsSkipped", 0),
                     1);
    /* First, Trained, Promoted and Skipped of the model, Running and Scored of the batch */
    assert_int_equal(count_our_events(sim), 6);
    sim_free(sim);
}

static void test_a_clock_that_jumps_back(void **state)
{
    struct sim *sim = sim_begin();

    (void)state;
    sim_create_model(sim);
    sim_finish_everything(sim);
    sim->wall_offset_ms = -24 * 3600 * SECOND;
    sim_move_tag(sim, "trainer:stable", "2");
    sim_run(sim, 6 * 60 * SECOND); /* a poll later */
    sim_finish_everything(sim);
    assert_int_equal(trainings(sim), 2);
    sim_create_batch(sim, "week-1");
    sim_finish_everything(sim);
    assert_string_equal(sim_condition(sim, SIM_BATCHES "/week-1", "Complete"), "True Scored");
    assert_int_equal(jx_int(jx_get(sim_get(sim, SIM_MODEL), "status", NULL), "trainingsSkipped", 0),
                     1);
    sim_free(sim);
}

/* --- figures ---------------------------------------------------------------------------------- */

static void expect_requests(const char *text, const char *verb, const char *resource, int code,
                            int count)
{
    auto_free char *line =
        mem_format("churn_api_requests_total{verb=\"%s\",resource=\"%s\",code=\"%d\"} %d\n", verb,
                   resource, code, count);

    CASE(line, strstr(text, line));
}

static void test_snapshot(void **state)
{
    struct sim *sim = sim_begin();
    struct metrics metrics;
    struct buf text auto_buf;

    (void)state;
    sim_create_model(sim);
    sim_finish_everything(sim);
    manager_snapshot(sim->controllers[0].manager, &metrics);
    assert_true(metrics.leader && metrics.ready);
    assert_int_equal(metrics.jobs_created[OBJECT_MODEL], 1);
    assert_int_equal(metrics.caches[OBJECT_JOB].entries, 1);
    assert_int_equal(metrics.events_dropped, 0);
    buf_init(&text, LIMIT_HTTP_BODY);
    metrics_render(&metrics, &text);
    assert_non_null(strstr(buf_text(&text),
                           "churn_decisions_total{kind=\"ChurnModel\",decision=\"First\"} 1\n"));
    assert_non_null(
        strstr(buf_text(&text), "churn_runs_total{kind=\"ChurnModel\",outcome=\"Trained\"} 1\n"));
    expect_requests(buf_text(&text), "list", "jobs", 200, 1);
    expect_requests(buf_text(&text), "create", "jobs", 201, 1);
    expect_requests(buf_text(&text), "patch", "churnmodels", 200, 2);
    expect_requests(buf_text(&text), "create", "leases", 201, 1);
    expect_requests(buf_text(&text), "list", "pods", 200, 1);
    assert_non_null(strstr(buf_text(&text), "churn_lookups_total{of=\"image\"} 1\n"));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_training_and_a_batch),
        cmocka_unit_test(test_at_rest_nothing_is_written),
        cmocka_unit_test(test_a_moved_tag_trains_once),
        cmocka_unit_test(test_a_spec_change_supersedes_the_training),
        cmocka_unit_test(test_only_the_very_job_is_deleted),
        cmocka_unit_test(test_a_registry_slower_than_the_poll_interval),
        cmocka_unit_test(test_deleted_jobs_do_not_run_again),
        cmocka_unit_test(test_a_version_that_is_safe_wakes_who_waits),
        cmocka_unit_test(test_a_crash_at_every_write),
        cmocka_unit_test(test_a_conflict_is_decided_again),
        cmocka_unit_test(test_trouble_passes),
        cmocka_unit_test(test_own_writes_are_waited_for),
        cmocka_unit_test(test_a_refused_job_is_told),
        cmocka_unit_test(test_a_late_job_loses_no_event),
        cmocka_unit_test(test_a_clock_that_jumps_back),
        cmocka_unit_test(test_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
