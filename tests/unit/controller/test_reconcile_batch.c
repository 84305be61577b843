/* Goal: every decision about a ChurnBatch, from the freshness check to the outcome.
 * Method: a small world plays API server, registry and programs; each case changes one
 * thing, lets the world come to rest, and looks at status, Jobs and Events. */
#include "world.h"

#define MODEL      "ChurnModel", "m"
#define BATCH      "ChurnBatch", "b"
#define OTHER      "ChurnBatch", "c"
#define POLL_MS    300001
#define CURRENT    "{\"freshness\": \"Current\"}"
#define SCORED_YES "True Scored"

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, BATCH, type);
}

static int64_t model_int(const struct world *world, const char *member)
{
    return jx_int(json_object_get(world_get(world, MODEL), "status"), member, -1);
}

static void start(struct world *world)
{
    world_init_trained(world);
    world_add_batch(world, "b");
    world_settle(world);
}

static const char *document(const struct world *world)
{
    return jx_string(world_get(world, "Job", world_running(world)), "spec", "template", "metadata",
                     "annotations", "churnops.io/job", NULL);
}

static void test_scored(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    while (world_step(&world, BATCH))
        ;
    assert_int_equal(world.created, 1);
    assert_int_equal(world.status_writes, 1);
    assert_int_equal(world.events, 1);
    assert_int_equal(world.asked, 1);
    assert_string_equal(world_running(&world), world_status(&world, BATCH, "job", NULL));
    assert_string_equal(condition(&world, "Ready"), "False Running");
    assert_string_equal(condition(&world, "ModelReady"), "True ModelFresh");
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), DIGEST_A);
    assert_string_equal(world_status(&world, BATCH, "training", "action", NULL), "Skipped");
    assert_string_equal(world_status(&world, BATCH, "output", "uri", NULL), "file:///out/b.csv");
    world_settle(&world);
    assert_int_equal(model_int(&world, "trainingsSkipped"), 1);
    world.status_writes = world.events = 0;
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.status_writes, 1);
    assert_int_equal(world.events, 1);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    assert_string_equal(condition(&world, "Complete"), SCORED_YES);
    assert_string_equal(condition(&world, "Failed"), "False NotFailed");
    assert_string_equal(condition(&world, "Reconciling"), "False Idle");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_string_equal(world_status(&world, BATCH, "output", "manifestURI", NULL),
                        "file:///out/b.csv.manifest.json");
    assert_int_equal(jx_int(jx_get(world_get(&world, BATCH), "status", "rows", NULL), "scored", 0),
                     4);
    world_release(&world);
}

/* What is wrong with the model, and what the batch says while it waits. */
static void test_waits_for_the_model(void **state)
{
    (void)state;
    static const struct {
        const char *name, *model, *freshness, *reason;
        bool exists, trained;
    } cases[] = {
        { "absent", "{}", "Latest", "False ModelNotFound", false, false },
        { "suspended", "{\"suspend\": true}", "Latest", "False ModelSuspended", true, true },
        { "untrained", "{}", "Latest", "False ModelTraining", true, false },
        { "untrained, Current", "{}", "Current", "False ModelNotTrained", true, false },
        { "invalid", "{\"seed\": -1}", "Latest", "False SpecInvalid", true, true },
        { "spec changed", "{\"seed\": 7}", "Latest", "False ModelTraining", true, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init(&world);
        if (cases[i].exists)
            world_add_model(&world);
        world_settle(&world);
        if (cases[i].trained)
            world_succeed(&world);
        world_settle(&world);
        if (cases[i].exists)
            world_edit(&world, MODEL, cases[i].model);
        world_add_batch(&world, "b");
        auto_free char *patch = mem_format("{\"freshness\": \"%s\"}", cases[i].freshness);
        world_edit(&world, BATCH, patch);
        world_settle(&world);
        if (strcmp(condition(&world, "ModelReady"), cases[i].reason) != 0)
            fail_msg("%s: %s", cases[i].name, condition(&world, "ModelReady"));
        CASE(cases[i].name, strcmp(condition(&world, "Ready"), "False WaitingForModel") == 0);
        CASE(cases[i].name, world_status(&world, BATCH, "job", NULL)[0] == '\0');
        world_release(&world);
    }
}

static void test_current_takes_what_is_there(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.trainer_digest = DIGEST_B;
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, CURRENT);
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_int_equal(model_int(&world, "trainingsSkipped"), 0);
    assert_string_equal(condition(&world, "ModelReady"), "True UsingCurrent");
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), "");
    world_release(&world);
}

static void test_moved_tag_is_noticed(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.trainer_digest = DIGEST_B; /* long before the next poll */
    world_add_batch(&world, "b");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_non_null(strstr(document(&world), "Train"));
    assert_string_equal(condition(&world, "ModelReady"), "False ModelTraining");
    assert_string_equal(world_status(&world, BATCH, "training", "reason", NULL),
                        "ImageDigestChanged");
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), DIGEST_B);
    assert_string_equal(world_status(&world, BATCH, "training", "action", NULL), "Started");
    assert_string_equal(world_status(&world, BATCH, "model", "imageDigest", NULL), DIGEST_B);
    assert_int_equal(model_int(&world, "trainingsSkipped"), 0);
    world_release(&world);
}

static void test_tag_moves_again_while_it_waits(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.trainer_digest = DIGEST_B;
    world_add_batch(&world, "b");
    world_settle(&world);
    world.trainer_digest = DIGEST_S;
    world.now_ms += POLL_MS;
    world_settle(&world);
    world_succeed(&world); /* the training with B */
    world_settle(&world);
    assert_non_null(strstr(document(&world), "Train"));
    world_succeed(&world); /* the training with the third digest */
    world_settle(&world);
    assert_int_equal(world.created, 3);
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), DIGEST_S);
    world_release(&world);
}

/* And the model opens its registry in another way, in which nobody asked before. */
static void test_pull_secrets_change_while_it_waits(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.trainer_digest = DIGEST_B;
    world_add_batch(&world, "b");
    world_settle(&world);
    world_edit(&world, MODEL, "{\"imagePullSecrets\": [{\"name\": \"new\"}]}");
    world.trainer_digest = DIGEST_S;
    world_settle(&world);
    world_succeed(&world); /* the training with B, which was made again with the secret */
    world_settle(&world);
    world_succeed(&world); /* the training with the third digest */
    world_settle(&world);
    assert_int_equal(world.created, 4);
    assert_non_null(strstr(document(&world), "Score"));
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), DIGEST_S);
    world_release(&world);
}

static void test_failed_training_uses_previous(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.trainer_digest = DIGEST_B;
    world_add_batch(&world, "b");
    world_settle(&world);
    world_fail(&world, 65, "bad");
    world_settle(&world);
    assert_string_equal(condition(&world, "ModelReady"), "True UsingPrevious");
    assert_string_equal(world_status(&world, BATCH, "model", "imageDigest", NULL), DIGEST_A);
    assert_int_equal(world.warnings, 2); /* of the model, and of the batch */
    world_release(&world);
}

/* What the model's status says is about an older spec than the one that is there. */
static void test_waits_until_the_model_has_seen_its_spec(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_edit(&world, MODEL, "{\"backoffLimit\": 1}");
    world_add_batch(&world, "b");
    while (world_step(&world, BATCH))
        ;
    assert_int_equal(world.created, 0);
    assert_string_equal(condition(&world, "Ready"), "False WaitingForModel");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world_release(&world);
}

static void test_failed_first_training_waits(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_add_batch(&world, "b");
    world_settle(&world);
    world_fail(&world, 65, "bad");
    world_settle(&world);
    assert_string_equal(condition(&world, "ModelReady"), "False ModelNotTrained");
    assert_int_equal(world.created, 1);
    world_release(&world);
}

static void test_registry_down(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.registry = IMAGE_UNREACHABLE;
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"image\": \"registry.test/scorer@" DIGEST_S "\"}");
    world_settle(&world);
    assert_string_equal(condition(&world, "ModelReady"), "False RegistryUnreachable");
    assert_int_equal(world.created, 0);
    for (int i = 0; i < 60; i++) {
        world.now_ms += 1000;
        world_settle(&world);
    }
    assert_int_equal(world.created, 1);
    assert_string_equal(condition(&world, "ModelReady"), "True RegistryUnreachable");
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), DIGEST_A);
    world_release(&world);
}

static void test_no_check_without_image_trigger(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_edit(&world, MODEL, "{\"retrain\": {\"on\": [\"Spec\"]}}");
    world.registry = IMAGE_UNREACHABLE;
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"image\": \"registry.test/scorer@" DIGEST_S "\"}");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_string_equal(world_status(&world, BATCH, "requiredDigest", NULL), "");
    world_release(&world);
}

static void test_newest_file_is_fixed(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.newest = "file:///data/weekly/in/w7.csv";
    world.generation = "g7";
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"input\": {\"uri\": \"file:///data/weekly/in/\"}}");
    world_settle(&world);
    assert_string_equal(world_status(&world, BATCH, "input", "uri", NULL), world.newest);
    assert_non_null(strstr(document(&world), "\"generation\":\"g7\""));
    const char *name = world_running(&world);
    world_remove(&world, "Job", name);
    world.newest = "file:///data/weekly/in/w8.csv";
    world.generation = "g8";
    world.now_ms += 60000;
    world_settle(&world);
    assert_non_null(strstr(document(&world), "\"generation\":\"g7\""));
    world_release(&world);
}

static void test_younger_waits_for_the_output(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"output\": {\"uri\": \"file:///out/x.csv\"}}");
    world.now_ms += 1000;
    world_add_batch(&world, "c");
    world_edit(&world, OTHER, "{\"output\": {\"uri\": \"file:///out/x.csv\"}}");
    while (world_step(&world, OTHER)) /* the younger comes first, and waits all the same */
        ;
    assert_int_equal(world.created, 0);
    assert_string_equal(world_condition(&world, OTHER, "Reconciling"), "True OutputInUse");
    assert_string_equal(world_condition(&world, OTHER, "Ready"), "False Pending");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    world_release(&world);
}

/* An older batch that failed comes back while a younger one writes to the same output. */
static void test_a_started_rival_goes_first(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"output\": {\"uri\": \"file:///out/x.csv\"}}");
    world_settle(&world);
    world_fail(&world, 66, "b.csv: no such file");
    world_settle(&world);
    world.now_ms += 1000;
    world_add_batch(&world, "c");
    world_edit(&world, OTHER, "{\"output\": {\"uri\": \"file:///out/x.csv\"}}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_edit(&world, BATCH, "{\"retryToken\": \"1\"}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(condition(&world, "Reconciling"), "True OutputInUse");
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 3);
    world_release(&world);
}

/* A program says what it wrote, not where: that was decided. */
static void test_results_do_not_move_the_output(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *job = world_running(&world);
    world_succeed(&world);
    json_t *status = json_array_get(json_object_get(world.pods, job), 0);
    status = json_array_get(jx_get(status, "status", "containerStatuses", NULL), 0);
    json_object_set_new(
        json_object_get(json_object_get(status, "state"), "terminated"), "message",
        json_string("{\"outcome\": \"Scored\", \"model\": {\"version\": \"0123456789abcdef\", "
                    "\"uri\": \"file:///m/\"}, \"input\": {\"uri\": \"file:///other.csv\"}, "
                    "\"output\": {\"uri\": \"file:///etc/passwd\"}, \"rows\": {\"read\": 1, "
                    "\"scored\": 1, \"rejected\": 0}, \"scores\": {\"aboveThreshold\": 0}}"));
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    assert_string_equal(world_status(&world, BATCH, "output", "uri", NULL), "file:///out/b.csv");
    assert_string_equal(world_status(&world, BATCH, "input", "uri", NULL), "file:///data/b.csv");
    world_release(&world);
}

static void test_finished_is_final(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *job = arena_strdup(&world.arena, world_running(&world));
    world_succeed(&world);
    world_settle(&world);
    world_remove(&world, "Job", job);
    world_restart(&world);
    world.trainer_digest = DIGEST_B;
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    assert_false(world_step(&world, BATCH));
    world_release(&world);
}

static void test_suspend_and_resume(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *first = arena_strdup(&world.arena, world_running(&world));
    world_edit(&world, BATCH, "{\"suspend\": true}");
    world_settle(&world);
    assert_null(world_running(&world));
    assert_string_equal(condition(&world, "Suspended"), "True Suspended");
    assert_string_equal(condition(&world, "Ready"), "False Suspended");
    world_edit(&world, BATCH, "{\"suspend\": false}");
    world_settle(&world);
    assert_string_not_equal(world_running(&world), first);
    assert_string_equal(condition(&world, "Suspended"), "False NotSuspended");
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    world_release(&world);
}

static void test_suspended_from_the_start(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"suspend\": true}");
    world_settle(&world);
    assert_int_equal(world.created, 0);
    assert_string_equal(condition(&world, "Ready"), "False Suspended");
    world_release(&world);
}

static void test_lost_results(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_end(&world, "Complete", "CompletionsReached", "");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_end(&world, "Complete", "CompletionsReached", "");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(condition(&world, "Failed"), "True ResultLost");
    world_release(&world);
}

static void test_ends_without_its_model(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_remove(&world, MODEL);
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    world_release(&world);
}

/* A file that came before the batch is in the listing that the batch is decided by. */
static void test_listing_is_newer_than_the_batch(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world.newest = "file:///data/weekly/in/w7.csv";
    world.generation = "g7";
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"input\": {\"uri\": \"file:///data/weekly/in/\"}}");
    world_settle(&world);
    world.newest = "file:///data/weekly/in/w8.csv";
    world.generation = "g8";
    world.now_ms += 1000;
    world_add_batch(&world, "c");
    world_edit(&world, OTHER, "{\"input\": {\"uri\": \"file:///data/weekly/in/\"}}");
    world_settle(&world);
    assert_string_equal(world_status(&world, OTHER, "input", "uri", NULL), world.newest);
    world_release(&world);
}

static void test_pod_settings_come_from_the_model(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_edit(&world, MODEL,
               "{\"podTemplate\": {\"nodeSelector\": {\"disk\": \"ssd\"}}, \"imagePullSecrets\": "
               "[{\"name\": \"regcred\"}]}");
    world_add_batch(&world, "b");
    world_settle(&world);
    const json_t *pod =
        jx_get(world_get(&world, "Job", world_running(&world)), "spec", "template", "spec", NULL);
    assert_string_equal(jx_string(pod, "nodeSelector", "disk", NULL), "ssd");
    assert_int_equal(json_array_size(json_object_get(pod, "imagePullSecrets")), 1);
    world_edit(&world, MODEL, "{\"podTemplate\": {\"nodeSelector\": {\"disk\": \"hdd\"}}}");
    world_settle(&world);
    assert_int_equal(world.deleted, 0);
    world_release(&world);
}

static void test_invalid_specs(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *message;
    } cases[] = {
        { "{\"threshold\": \"high\"}", "spec.threshold: must be Auto or a decimal number" },
        { "{\"threshold\": \"1.5\"}", "spec.threshold: must be Auto or a decimal number" },
        { "{\"reasons\": 21}", "spec.reasons: " },
        { "{\"maxRejected\": \"2\"}", "spec.maxRejected: " },
        { "{\"output\": {\"uri\": \"http://x/y\"}}",
          "spec.output.uri: must begin with file://, gs:// or s3://" },
        { "{\"output\": {\"uri\": \"s3://x/y\"}}", "spec.output.uri: is no usable URI: " },
        { "{\"modelRef\": {\"name\": \"A_B\"}}", "spec.modelRef.name: must be a name" },
        { "{\"colour\": 2}", "spec: unknown member \"colour\"" },
        { "{\"shards\": 257}", "spec.shards: must be an integer from 0 to 256" },
        { "{\"modelVersion\": \"latest\"}", "spec.modelVersion: must be" },
        { "{\"input\": {\"uri\": \"file:///data/weekly/in/\", \"generation\": \"7\"}}",
          "spec.input.generation: must not be given with a folder" },
        { "{\"input\": {\"uri\": \"file:///elsewhere/\"}}",
          "spec.input.uri: must be a folder below a --file-root" },
        { "{\"input\": {\"uri\": \"s3://elsewhere/in/\"}}",
          "spec.input.uri: must be a folder below an --allowed-uri of the controller, or opened by "
          "spec.credentials, or a file" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        const char *message = world_message(&world, BATCH, "Stalled");
        if (strncmp(message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\"", cases[i].patch, message);
        CASE(cases[i].patch, world.created == 0);
        CASE(cases[i].patch, strcmp(condition(&world, "Ready"), "False Pending") == 0);
        world_release(&world);
    }
}

/* A listing that fails (a network policy, a right that the controller lacks) says nothing about
 * the file: the scorer sees whether it is there. */
static void test_a_listing_that_fails_blocks_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch, *ready;
        int created;
    } cases[] = {
        { "version", "{\"modelVersion\": \"0123456789abcdef\"}", "False Running", 1 },
        { "shards", "{\"shards\": 2, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}",
          "False Running", 1 },
        { "size decides", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}",
          "False Pending", 0 },
        { "a folder has to be listed",
          "{\"shards\": 2, \"input\": {\"uri\": \"file:///data/weekly/\"}}", "False Pending", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world_edit(&world, "ChurnModel", "m",
                   "{\"artifacts\": {\"uri\": \"file:///data/weekly/models/\"}}");
        world_settle(&world);
        world.created = 0;
        world.listing_fails = true;
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        CASE(cases[i].name, strcmp(condition(&world, "Ready"), cases[i].ready) == 0);
        CASE(cases[i].name, world.created == cases[i].created);
        world_release(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scored),
        cmocka_unit_test(test_waits_for_the_model),
        cmocka_unit_test(test_current_takes_what_is_there),
        cmocka_unit_test(test_moved_tag_is_noticed),
        cmocka_unit_test(test_tag_moves_again_while_it_waits),
        cmocka_unit_test(test_pull_secrets_change_while_it_waits),
        cmocka_unit_test(test_failed_training_uses_previous),
        cmocka_unit_test(test_waits_until_the_model_has_seen_its_spec),
        cmocka_unit_test(test_failed_first_training_waits),
        cmocka_unit_test(test_registry_down),
        cmocka_unit_test(test_no_check_without_image_trigger),
        cmocka_unit_test(test_newest_file_is_fixed),
        cmocka_unit_test(test_younger_waits_for_the_output),
        cmocka_unit_test(test_a_started_rival_goes_first),
        cmocka_unit_test(test_results_do_not_move_the_output),
        cmocka_unit_test(test_finished_is_final),
        cmocka_unit_test(test_suspend_and_resume),
        cmocka_unit_test(test_suspended_from_the_start),
        cmocka_unit_test(test_lost_results),
        cmocka_unit_test(test_ends_without_its_model),
        cmocka_unit_test(test_listing_is_newer_than_the_batch),
        cmocka_unit_test(test_pod_settings_come_from_the_model),
        cmocka_unit_test(test_invalid_specs),
        cmocka_unit_test(test_a_listing_that_fails_blocks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
