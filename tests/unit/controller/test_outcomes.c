/* Goal: however a Job ends, its owner's status says why in words that help.
 * Method: trainings in a small world that end in every way a pod and a Job can end. */
#include "world.h"

#define MODEL "ChurnModel", "m"

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, MODEL, type);
}

static void start(struct world *world)
{
    world_init(world);
    world_add_model(world);
    world_settle(world);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int exit_code;
        const char *text, *reason, *message;
    } cases[] = {
        { "result document", 65,
          "{\"outcome\": \"Failed\", \"exitCode\": 65, \"reason\": \"DataInvalid\", \"message\": "
          "\"h.csv line 17: 12 fields, header has 13\"}",
          "DataInvalid", "h.csv line 17: 12 fields, header has 13" },
        { "tail of a log", 64, "starting\nusage: --job FILE\n", "UsageError",
          "exit code 64: usage: --job FILE" },
        { "no message", 66, NULL, "InputNotFound",
          "exit code 66: an input does not exist or has changed" },
        { "unknown code", 3, "panic", "Internal", "exit code 3: panic" },
        { "memory", 137, NULL, "OutOfMemory", "killed for lack of memory" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start(&world);
        world_fail(&world, cases[i].exit_code, cases[i].text);
        world_settle(&world);
        const char *message = world_status(&world, MODEL, "lastTraining", "message", NULL);
        CASE(cases[i].name, strcmp(world_status(&world, MODEL, "lastTraining", "reason", NULL),
                                   cases[i].reason) == 0);
        CASE(cases[i].name, strncmp(message, cases[i].message, strlen(cases[i].message)) == 0);
        CASE(cases[i].name,
             strcmp(world_status(&world, MODEL, "lastTraining", "outcome", NULL), "Failed") == 0);
        CASE(cases[i].name, strncmp(condition(&world, "Stalled"), "True", 4) == 0);
        CASE(cases[i].name, strncmp(condition(&world, "Ready"), "False", 5) == 0);
        CASE(cases[i].name, world.created == 1 && world.warnings == 1);
        world_edit(&world, MODEL, "{\"retrain\": {\"token\": \"again\"}}");
        world_settle(&world);
        CASE(cases[i].name, world.created == 2);
        CASE(cases[i].name, strcmp(condition(&world, "Stalled"), "False Healthy") == 0);
        world_release(&world);
    }
}

/* What a program says in its log fits the status, and is one line, whatever it is. */
static void test_hostile_last_words(void **state)
{
    (void)state;
    struct world world;
    char words[4000];
    memset(words, 'x', sizeof(words));
    memcpy(words, "early\n\033[2J", 10);
    words[sizeof(words) - 1] = '\0';
    start(&world);
    world_fail(&world, 70, words);
    world_settle(&world); /* the status can be read again */
    const char *message = world_status(&world, MODEL, "lastTraining", "message", NULL);
    assert_int_equal(strlen(message), 1024);
    assert_int_equal(strncmp(message, "exit code 70:  [2Jxxx", 21), 0);
    world_edit(&world, MODEL, "{\"retrain\": {\"token\": \"again\"}}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_memory_limit_is_named(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_edit(&world, MODEL,
               "{\"podTemplate\": {\"resources\": {\"limits\": {\"memory\": \"1Gi\"}}}}");
    world_settle(&world);
    world_fail(&world, 137, NULL);
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "message", NULL),
                        "killed at its memory limit: raise "
                        "spec.podTemplate.resources.limits.memory (1Gi)");
    world_release(&world);
}

static void test_failed_jobs_without_pods(void **state)
{
    (void)state;
    static const struct {
        const char *job, *reason;
    } cases[] = {
        { "DeadlineExceeded", "DeadlineExceeded" },
        { "BackoffLimitExceeded", "BackoffLimitExceeded" },
        { "PodFailurePolicy", "JobFailed" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start(&world);
        world_end(&world, "Failed", cases[i].job, "why");
        world_settle(&world);
        CASE(cases[i].job, strcmp(world_status(&world, MODEL, "lastTraining", "reason", NULL),
                                  cases[i].reason) == 0);
        world_release(&world);
    }
}

static void test_pod_that_does_not_start(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *name = world_running(&world);
    json_object_set_new(json_object_get(world_get(&world, "Job", name), "status"), "ready",
                        json_integer(0));
    json_object_set_new(world.pods, name,
                        json_pack("[{s{s[{ss s{s{ss ss}}}]}}]", "status", "containerStatuses",
                                  "name", "churn", "state", "waiting", "reason", "ImagePullBackOff",
                                  "message", "no such image"));
    world_step(&world, MODEL);
    assert_string_equal(condition(&world, "Reconciling"), "True Training");
    world.now_ms += 10000;
    world_step(&world, MODEL); /* asks for the pods */
    world_step(&world, MODEL);
    assert_string_equal(condition(&world, "Reconciling"), "True PodNotReady");
    assert_non_null(
        strstr(world_message(&world, MODEL, "Reconciling"), "ImagePullBackOff: no such image"));
    world_release(&world);
}

/* The result of a run is lost after its owner was suspended: the next Job comes when it is resumed.
 */
static void check_lost_while_suspended(struct world *world, const char *kind, const char *name)
{
    int created = world->created;
    world_edit(world, kind, name, "{\"suspend\": true}");
    world_end(world, "Complete", "CompletionsReached", "");
    world_settle(world);
    assert_int_equal(world->created, created);
    world_edit(world, kind, name, "{\"suspend\": false}");
    world_settle(world);
    assert_int_equal(world->created, created + 1);
    world_succeed(world);
    world_settle(world);
    assert_null(world_running(world));
}

static void test_a_result_is_lost_while_suspended(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    check_lost_while_suspended(&world, MODEL);
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    world_add_batch(&world, "b");
    world_settle(&world);
    check_lost_while_suspended(&world, "ChurnBatch", "b");
    assert_string_equal(world_condition(&world, "ChurnBatch", "b", "Complete"), "True Scored");
    world_release(&world);
}

/* One write, and the run goes on with the other shards; another Job begins anew. */
static void test_a_failed_shard_is_told_while_others_work(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, "ChurnBatch", "b", "{\"shards\": 3}");
    world_settle(&world);
    json_t *job = json_object_get(world_get(&world, "Job", world_running(&world)), "status");
    json_object_set_new(job, "failedIndexes", json_string("1"));
    json_object_set_new(job, "succeeded", json_integer(1));
    int writes = world.status_writes;
    world_settle(&world);
    const json_t *shards = jx_get(world_get(&world, "ChurnBatch", "b"), "status", "shards", NULL);
    assert_int_equal(jx_int(shards, "failed", 0), 1);
    assert_int_equal(jx_int(shards, "succeeded", 0), 1);
    assert_string_equal(world_condition(&world, "ChurnBatch", "b", "Ready"), "False Running");
    assert_int_equal(world.status_writes, writes + 1);
    json_object_set_new(job, "succeeded", json_integer(2)); /* which is no trouble */
    world_settle(&world);
    assert_int_equal(world.status_writes, writes + 1);
    world_edit(&world, "ChurnBatch", "b", "{\"suspend\": true}");
    world_settle(&world);
    world_edit(&world, "ChurnBatch", "b", "{\"suspend\": false}");
    world_settle(&world);
    shards = jx_get(world_get(&world, "ChurnBatch", "b"), "status", "shards", NULL);
    assert_int_equal(jx_int(shards, "failed", -1), 0);
    world_release(&world);
}

/* What the cache lacks may be there all the same: only the API server can say that it is gone. */
static void test_a_job_that_is_not_seen_is_asked_about(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_remove(&world, "Job", world_running(&world));
    assert_true(world_step(&world, MODEL));
    assert_int_equal(world.created, 1);
    assert_non_null(world.job_fact.name);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_hostile_last_words),
        cmocka_unit_test(test_memory_limit_is_named),
        cmocka_unit_test(test_failed_jobs_without_pods),
        cmocka_unit_test(test_pod_that_does_not_start),
        cmocka_unit_test(test_a_result_is_lost_while_suspended),
        cmocka_unit_test(test_a_failed_shard_is_told_while_others_work),
        cmocka_unit_test(test_a_job_that_is_not_seen_is_asked_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
