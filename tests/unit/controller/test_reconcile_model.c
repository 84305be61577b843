/* Goal: every decision about a ChurnModel, from the first training to a lost result.
 * Method: a small world plays API server, registry and trainer; each case changes one
 * thing, lets the world come to rest, and looks at status, Jobs and Events. */
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

static void train(struct world *world)
{
    start(world);
    world_succeed(world);
    world_settle(world);
}

static int64_t status_int(const struct world *world, const char *member)
{
    return jx_int(json_object_get(world_get(world, MODEL), "status"), member, -1);
}

static void test_first_training(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    assert_int_equal(world.created, 1);
    assert_int_equal(world.status_writes, 1);
    assert_int_equal(world.events, 1);
    assert_string_equal(world_running(&world),
                        world_status(&world, MODEL, "training", "job", NULL));
    assert_string_equal(world_status(&world, MODEL, "lastDecision", "reason", NULL), "First");
    assert_string_equal(world_status(&world, MODEL, "training", "data", "uri", NULL),
                        "file:///data/history.csv");
    assert_string_equal(condition(&world, "Ready"), "False Training");
    assert_string_equal(condition(&world, "Reconciling"), "True Training");
    assert_string_equal(condition(&world, "Trained"), "Unknown NotTrained");
    assert_string_equal(condition(&world, "ImageResolved"), "True Resolved");
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.status_writes, 2);
    assert_int_equal(world.events, 3);
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    assert_string_equal(condition(&world, "Reconciling"), "False Idle");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_int_equal(strlen(world_status(&world, MODEL, "model", "version", NULL)), 16);
    assert_int_equal(status_int(&world, "trainingsRun"), 1);
    world_release(&world);
}

/* What is edited after a training, and the decision that follows ("" for none). */
static void test_decisions(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch, *digest, *reason;
    } cases[] = {
        { "nothing", "{}", DIGEST_A, "" },
        { "tag moved", "{}", DIGEST_B, "ImageDigestChanged" },
        { "tag moved, not asked for", "{\"retrain\": {\"on\": [\"Spec\"]}}", DIGEST_B, "" },
        { "seed", "{\"seed\": 7}", DIGEST_A, "SpecChanged" },
        { "default written out", "{\"seed\": 42, \"algorithm\": \"Auto\"}", DIGEST_A, "" },
        { "parameter", "{\"parameters\": {\"max_depth\": \"3\"}}", DIGEST_A, "SpecChanged" },
        { "spec, not asked for", "{\"seed\": 7, \"retrain\": {\"on\": []}}", DIGEST_A, "" },
        { "token", "{\"retrain\": {\"token\": \"again\"}}", DIGEST_A, "Token" },
        { "token, nothing else", "{\"retrain\": {\"token\": \"again\", \"on\": []}}", DIGEST_B,
          "Token" },
        { "deadline", "{\"activeDeadlineSeconds\": 60}", DIGEST_A, "" },
        { "pod template", "{\"podTemplate\": {\"priorityClassName\": \"low\"}}", DIGEST_A, "" },
        { "artifacts", "{\"artifacts\": {\"uri\": \"file:///other/\"}}", DIGEST_A, "" },
        { "pinned to the same", "{\"image\": \"registry.test/trainer@" DIGEST_A "\"}", DIGEST_A,
          "" },
        { "pinned to another", "{\"image\": \"registry.test/trainer@" DIGEST_B "\"}", DIGEST_A,
          "ImageDigestChanged" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        train(&world);
        world.trainer_digest = cases[i].digest;
        world.now_ms += 300001;
        world_edit(&world, MODEL, cases[i].patch);
        world_settle(&world);
        bool trains = cases[i].reason[0] != '\0';
        CASE(cases[i].name, world.created == (trains ? 2 : 1));
        CASE(cases[i].name, strcmp(world_status(&world, MODEL, "lastDecision", "reason", NULL),
                                   trains ? cases[i].reason : "First") == 0);
        CASE(cases[i].name, status_int(&world, "observedGeneration") == 2);
        if (trains)
            world_succeed(&world);
        world_settle(&world);
        CASE(cases[i].name, world.created == (trains ? 2 : 1));
        world_release(&world);
    }
}

static void test_skipped_is_counted_when_asked(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    world_settle(&world);
    assert_int_equal(world.status_writes, 2);
    world.asked = 3;
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "lastDecision", "action", NULL), "Skipped");
    assert_string_equal(world_status(&world, MODEL, "lastDecision", "reason", NULL),
                        "ImageDigestUnchanged");
    assert_int_equal(status_int(&world, "trainingsSkipped"), 3);
    world.asked = 1; /* within a second: later */
    world_settle(&world);
    assert_int_equal(status_int(&world, "trainingsSkipped"), 3);
    world.now_ms += 1000;
    world_settle(&world);
    assert_int_equal(status_int(&world, "trainingsSkipped"), 4);
    assert_int_equal(world.status_writes, 4);
    world_release(&world);
}

/* What was skipped within the second before a training counts, and the training stays the last
 * decision. */
static void test_skipped_before_a_training_is_counted_with_it(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    world_settle(&world);
    world.asked = 1;
    world_settle(&world);
    world.asked = 1;
    world_settle(&world);
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_int_equal(status_int(&world, "trainingsSkipped"), 2);
    world_succeed(&world);
    world.now_ms += 5000;
    world_settle(&world);
    assert_int_equal(status_int(&world, "trainingsSkipped"), 2);
    assert_string_equal(world_status(&world, MODEL, "lastDecision", "reason", NULL), "SpecChanged");
    world_release(&world);
}

static void test_tag_moves_during_a_training(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.trainer_digest = DIGEST_B;
    world.now_ms += 300001;
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_string_equal(world_status(&world, MODEL, "image", "digest", NULL), DIGEST_B);
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_status(&world, MODEL, "model", "imageDigest", NULL), DIGEST_A);
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_status(&world, MODEL, "model", "imageDigest", NULL), DIGEST_B);
    world_release(&world);
}

static void test_spec_change_supersedes(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.slow_deletion = true;
    const char *old = arena_strdup(&world.arena, world_running(&world));
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_int_equal(world.deleted, 1);
    assert_int_equal(world.created, 1); /* not before the old one is gone */
    assert_string_not_equal(world_status(&world, MODEL, "training", "job", NULL), old);
    world_remove(&world, "Job", old);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_running(&world),
                        world_status(&world, MODEL, "training", "job", NULL));
    world_release(&world);
}

/* The Job ended before the edit was seen: its outcome counts, then the edit does. */
static void test_an_outcome_comes_before_an_edit(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_succeed(&world);
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "outcome", NULL), "Trained");
    assert_string_equal(world_status(&world, MODEL, "lastDecision", "reason", NULL), "SpecChanged");
    assert_int_equal(status_int(&world, "trainingsRun"), 2);
    assert_int_equal(world.deleted, 0);
    world_release(&world);
}

static void test_superseded_by_going_back(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_edit(&world, MODEL, "{\"seed\": 42}");
    world_settle(&world);
    assert_null(world_running(&world));
    assert_int_equal(world.created, 2);
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    world_release(&world);
}

static void test_other_image_supersedes(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_edit(&world, MODEL, "{\"image\": \"registry.test/other:1\"}");
    world_settle(&world);
    assert_int_equal(world.deleted, 1);
    assert_int_equal(world.created, 2);
    const json_t *job = world_get(&world, "Job", world_running(&world));
    const json_t *container =
        json_array_get(jx_get(job, "spec", "template", "spec", "containers", NULL), 0);
    assert_string_equal(jx_string(container, "image", NULL), "registry.test/other@" DIGEST_S);
    world_release(&world);
}

static void test_same_inputs_again_make_another_job(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    static const char *const digests[] = { DIGEST_B, DIGEST_A };
    for (size_t i = 0; i < 2; i++) {
        world.trainer_digest = digests[i];
        world.now_ms += 300001;
        world_settle(&world);
        world_succeed(&world);
        world_settle(&world);
    }
    assert_int_equal(world.created, 3);
    assert_int_equal(
        jx_int(jx_get(world_get(&world, MODEL), "status", "training", NULL), "attempt", 0), 2);
    world_release(&world);
}

/* A cluster without CEL lets a name through that folders and labels cannot be made from. */
static void test_names_with_dots(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add(&world, "ChurnModel", "a.b",
              "{\"image\": \"" TRAINER "\", \"data\": {\"uri\": \"file:///h.csv\", \"target\": "
              "\"t\", \"id\": \"i\"}, \"artifacts\": {\"uri\": \"file:///models/\"}}");
    world_add_batch(&world, "c.d");
    world_settle(&world);
    assert_int_equal(world.created, 0);
    assert_string_equal(world_condition(&world, "ChurnModel", "a.b", "Stalled"),
                        "True SpecInvalid");
    assert_string_equal(world_condition(&world, "ChurnBatch", "c.d", "Stalled"),
                        "True SpecInvalid");
    assert_int_equal(
        strncmp(world_message(&world, "ChurnBatch", "c.d", "Stalled"), "metadata.name: must", 19),
        0);
    world_release(&world);
}

static void test_previous_version_stays(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    world_fail(&world, 65, "bad");
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True UsingPrevious");
    assert_string_equal(condition(&world, "Trained"), "False DataInvalid");
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
    assert_string_equal(world.last_event, "Recovered");
    world_end(&world, "Complete", "CompletionsReached", "");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "reason", NULL), "ResultLost");
    world_release(&world);
}

static void test_vanished_jobs(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *name = arena_strdup(&world.arena, world_running(&world));
    world_remove(&world, "Job", name);
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(world_running(&world), name);
    world_succeed(&world);
    world_settle(&world);
    world_remove(&world, "Job", name); /* its outcome is in status: nothing runs again */
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_suspend_and_resume(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *first = arena_strdup(&world.arena, world_running(&world));
    world_edit(&world, MODEL, "{\"suspend\": true}");
    world_settle(&world);
    assert_null(world_running(&world));
    assert_string_equal(condition(&world, "Ready"), "False Suspended");
    assert_string_equal(condition(&world, "Reconciling"), "False Suspended");
    world.now_ms += 300001;
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world_edit(&world, MODEL, "{\"suspend\": false}");
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_not_equal(world_running(&world), first);
    assert_int_equal(status_int(&world, "trainingsRun"), 1);
    world_release(&world);
}

static void test_pod_settings_replace_the_job(void **state)
{
    (void)state;
    static const char *const patches[] = {
        "{\"podTemplate\": {\"nodeSelector\": {\"disk\": \"ssd\"}}}",
        "{\"imagePullSecrets\": [{\"name\": \"regcred\"}]}",
        "{\"activeDeadlineSeconds\": 60}",
        "{\"backoffLimit\": 0}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world world;
        start(&world);
        const char *run = world_status(&world, MODEL, "training", "runKey", NULL);
        run = arena_strdup(&world.arena, run);
        world_edit(&world, MODEL, patches[i]);
        world_settle(&world);
        CASE(patches[i], world.created == 2 && world.deleted == 1);
        CASE(patches[i], strcmp(run, world_status(&world, MODEL, "training", "runKey", NULL)) == 0);
        CASE(patches[i], world_jobs(&world) == 1);
        world_release(&world);
    }
}

static void test_invalid_specs(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *message, *cure;
    } cases[] = {
        { "{\"data\": {\"uri\": \"ftp://bank/h.csv\"}}",
          "spec.data.uri: must begin with file://, gs:// or s3://",
          "{\"data\": {\"uri\": \"file:///data/history.csv\"}}" },
        { "{\"data\": {\"drop\": [\"Exited\"]}}", "spec.data.drop[0]: must not be data.target",
          "{\"data\": {\"drop\": null}}" },
        { "{\"data\": {\"sensitive\": [\"Exited\"]}}",
          "spec.data.sensitive[0]: must be neither data.target nor data.id",
          "{\"data\": {\"sensitive\": null}}" },
        { "{\"data\": {\"id\": \"Exited\"}}", "spec.data.id: must be another column",
          "{\"data\": {\"id\": \"CustomerId\"}}" },
        { "{\"parameters\": {\"depth\": \"3\"}}",
          "spec.parameters.depth: must be a parameter of Auto", "{\"parameters\": null}" },
        { "{\"parameters\": {\"max_depth\": \"2.5\"}}",
          "spec.parameters.max_depth: must be an integer from 1 to 10", "{\"parameters\": null}" },
        { "{\"validation\": {\"holdout\": \"0.9\"}}",
          "spec.validation.holdout: ", "{\"validation\": null}" },
        { "{\"artifacts\": {\"uri\": \"file:///data/models\"}}",
          "spec.artifacts.uri: must name a folder",
          "{\"artifacts\": {\"uri\": \"file:///data/models/\"}}" },
        { "{\"schedule\": \"0 3 * * 0\"}", "spec: unknown member \"schedule\"",
          "{\"schedule\": null}" },
        { "{\"imagePollInterval\": \"1ms\"}",
          "spec.imagePollInterval: ", "{\"imagePollInterval\": null}" },
        { "{\"retrain\": {\"on\": [\"Date\"]}}",
          "spec.retrain.on[0]: must be ImageDigest, Spec, Data or Schedule",
          "{\"retrain\": null}" },
        { "{\"podTemplate\": {\"labels\": {\"churnops.io/run\": \"x\"}}}",
          "spec.podTemplate.labels: must not set churnops.io/run", "{\"podTemplate\": null}" },
        { "{\"podTemplate\": {\"resources\": {\"limits\": {\"cpu\": \"many\"}}}}",
          "spec.podTemplate.resources.limits.cpu: must be a quantity", "{\"podTemplate\": null}" },
        { "{\"data\": {\"uri\": \"file:///elsewhere/\"}}",
          "spec.data.uri: must be a folder below a --file-root",
          "{\"data\": {\"uri\": \"file:///data/history.csv\"}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init(&world);
        world_add_model(&world);
        world_edit(&world, MODEL, cases[i].patch);
        world_settle(&world);
        const char *message = world_message(&world, MODEL, "Stalled");
        if (strncmp(message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\"", cases[i].patch, message);
        CASE(cases[i].patch, world.created == 0);
        world_edit(&world, MODEL, cases[i].cure);
        world_settle(&world);
        CASE(cases[i].patch, world.created == 1);
        CASE(cases[i].patch, strcmp(condition(&world, "Stalled"), "False Healthy") == 0);
        world_release(&world);
    }
}

static void test_registry_fails_from_the_start(void **state)
{
    (void)state;
    static const struct {
        enum image_error error;
        const char *reason;
    } cases[] = {
        { IMAGE_UNREACHABLE, "RegistryUnreachable" },
        { IMAGE_DENIED, "RegistryDenied" },
        { IMAGE_NOT_FOUND, "ImageNotFound" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init(&world);
        world.registry = cases[i].error;
        world_add_model(&world);
        world_settle(&world);
        auto_free char *expected = mem_format("False %s", cases[i].reason);
        CASE(cases[i].reason, strcmp(condition(&world, "ImageResolved"), expected) == 0);
        CASE(cases[i].reason, strcmp(condition(&world, "Ready"), expected) == 0);
        world.registry = IMAGE_OK;
        world.now_ms += 1000;
        world_settle(&world);
        CASE(cases[i].reason, world.created == 1);
        world_release(&world);
    }
}

/* Registry and folder need longer for an answer than it is good for. */
static void test_slow_look_ups(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch;
    } cases[] = {
        { "registry", "{\"imagePollInterval\": \"1s\"}" },
        { "folder", "{\"data\": {\"uri\": \"file:///data/weekly/in/\"}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init(&world);
        world.look_up_ms = 20000;
        world.newest = "file:///data/weekly/in/h.csv";
        world.generation = "7";
        world_add_model(&world);
        world_edit(&world, MODEL, cases[i].patch);
        world_settle(&world);
        CASE(cases[i].name, world.created == 1);
        world_release(&world);
    }
}

static void test_last_known_digest_after_a_minute(void **state)
{
    (void)state;
    struct world world;
    train(&world);
    world.registry = IMAGE_UNREACHABLE;
    world.now_ms += 300001;
    world_settle(&world);
    int writes = world.status_writes;
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_string_equal(condition(&world, "ImageResolved"), "True Resolved");
    assert_string_equal(condition(&world, "Reconciling"), "True RegistryUnreachable");
    assert_int_equal(world.status_writes, writes + 1);
    world.now_ms += 60000;
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(condition(&world, "ImageResolved"), "False RegistryUnreachable");
    world_release(&world);
}

static void test_folder(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_edit(&world, MODEL, "{\"data\": {\"uri\": \"file:///data/weekly/in/\"}}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Reconciling"), "True FolderEmpty");
    world.listing_fails = true;
    world.now_ms += 30000;
    world_settle(&world);
    assert_string_equal(condition(&world, "Reconciling"), "True FolderUnreadable");
    world.listing_fails = false;
    world.newest = "file:///data/weekly/in/w2.csv";
    world.generation = "2";
    world.now_ms += 30000;
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "training", "data", "uri", NULL), world.newest);
    world.newest = "file:///data/weekly/in/w3.csv"; /* too late for this run */
    world_remove(&world, "Job", world_running(&world));
    world.now_ms += 30000;
    world_settle(&world);
    assert_non_null(
        strstr(jx_string(world_get(&world, "Job", world_running(&world)), "spec", "template",
                         "metadata", "annotations", "churnops.io/job", NULL),
               "w2.csv"));
    world_release(&world);
}

static void test_refused_job(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.refuses_jobs = true;
    world_add_model(&world);
    world_settle(&world);
    assert_string_equal(condition(&world, "Stalled"), "True JobRejected");
    assert_string_equal(world_message(&world, MODEL, "Stalled"), "spec.template: Invalid value");
    world.refuses_jobs = false;
    world_edit(&world, MODEL, "{\"podTemplate\": {}}");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    world_release(&world);
}

static void test_deleted_model_is_left_alone(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    json_object_set_new(json_object_get(world_get(&world, MODEL), "metadata"), "deletionTimestamp",
                        json_string("2026-01-01T00:00:00Z"));
    world_succeed(&world);
    assert_false(world_step(&world, MODEL));
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_training),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_skipped_is_counted_when_asked),
        cmocka_unit_test(test_skipped_before_a_training_is_counted_with_it),
        cmocka_unit_test(test_tag_moves_during_a_training),
        cmocka_unit_test(test_spec_change_supersedes),
        cmocka_unit_test(test_an_outcome_comes_before_an_edit),
        cmocka_unit_test(test_superseded_by_going_back),
        cmocka_unit_test(test_other_image_supersedes),
        cmocka_unit_test(test_same_inputs_again_make_another_job),
        cmocka_unit_test(test_names_with_dots),
        cmocka_unit_test(test_previous_version_stays),
        cmocka_unit_test(test_lost_results),
        cmocka_unit_test(test_vanished_jobs),
        cmocka_unit_test(test_suspend_and_resume),
        cmocka_unit_test(test_pod_settings_replace_the_job),
        cmocka_unit_test(test_invalid_specs),
        cmocka_unit_test(test_registry_fails_from_the_start),
        cmocka_unit_test(test_slow_look_ups),
        cmocka_unit_test(test_last_known_digest_after_a_minute),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_refused_job),
        cmocka_unit_test(test_deleted_model_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
