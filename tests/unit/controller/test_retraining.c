/* Goal: new data start a training, exactly one for each file and each replacement of it.
 * Method: a model whose folder or file is polled in a small world; the test replaces the file and
 * moves the time. */
#include "world.h"

#include "contract/job.h"

#define MODEL  "ChurnModel", "m"
#define FOLDER "file:///data/weekly/in/"
#define MINUTE INT64_C(60000)

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, MODEL, type);
}

static const char *reason(const struct world *world)
{
    return world_status(world, MODEL, "lastDecision", "reason", NULL);
}

static json_t *document_of(const struct world *world, const char *job)
{
    struct err err;
    const char *text = jx_string(world_get(world, "Job", job), "spec", "template", "metadata",
                                 "annotations", JOB_ANNOTATION, NULL);
    return jx_parse(span_of(text), 65536, "job", &err);
}

static void finish(struct world *world)
{
    world_succeed(world);
    world_settle(world);
}

static void begin(struct world *world, const char *patch)
{
    world_init(world);
    world->newest = FOLDER "w1.csv";
    world->generation = "1";
    world_add_model(world);
    world_edit(world, MODEL, patch);
    world_settle(world);
}

/* A model trained once from w1.csv, which is polled. */
static void start(struct world *world)
{
    begin(world, "{\"data\": {\"uri\": \"" FOLDER "\"}, \"retrain\": {\"on\": [\"Data\"]}}");
    finish(world);
}

static void poll(struct world *world)
{
    world->now_ms += 5 * MINUTE + 1;
    world_settle(world);
}

static void test_new_data(void **state)
{
    (void)state;
    static const struct {
        const char *name, *newest, *generation;
        bool trains;
    } cases[] = {
        { "nothing new", FOLDER "w1.csv", "1", false },
        { "another file", FOLDER "w2.csv", "2", true },
        { "replaced", FOLDER "w1.csv", "2", true },
        { "another file that looks the same", FOLDER "w2.csv", "1", true },
        { "emptied", NULL, NULL, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start(&world);
        assert_int_equal(world.created, 1);
        world.newest = cases[i].newest;
        world.generation = cases[i].generation;
        poll(&world);
        CASE(cases[i].name, world.created == (cases[i].trains ? 2 : 1));
        CASE(cases[i].name, strcmp(reason(&world), cases[i].trains ? "DataChanged" : "First") == 0);
        if (cases[i].trains)
            finish(&world);
        poll(&world);
        CASE(cases[i].name, world.created == (cases[i].trains ? 2 : 1));
        world_release(&world);
    }
}

static void test_the_document_names_the_generation(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.newest = FOLDER "w2.csv";
    world.generation = "2";
    poll(&world);
    auto_json json_t *document = document_of(&world, world_running(&world));
    assert_string_equal(jx_string(document, "data", "uri", NULL), FOLDER "w2.csv");
    assert_string_equal(jx_string(document, "data", "generation", NULL), "2");
    assert_null(jx_get(document, "data", "pollInterval", NULL));
    assert_string_equal(world_status(&world, MODEL, "training", "data", "generation", NULL), "2");
    finish(&world);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "data", "generation", NULL),
                        "2");
    world_release(&world);
}

static void test_without_data_nothing_is_polled(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"" FOLDER "\"}}");
    auto_json json_t *document = document_of(&world, world_running(&world));
    assert_null(jx_get(document, "data", "generation", NULL));
    finish(&world);
    int64_t checked_ms = world.folders[0].checked_ms;
    world.newest = FOLDER "w2.csv";
    poll(&world);
    assert_int_equal(world.created, 1);
    assert_int_equal(world.folders[0].checked_ms, checked_ms);
    world_release(&world);
}

/* Between polls nobody looks; the interval is the user's. */
static void test_poll_interval(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"" FOLDER "\", \"pollInterval\": \"1h\"}, "
                  "\"retrain\": {\"on\": [\"Data\"]}}");
    finish(&world);
    world.generation = "2";
    world.now_ms += 59 * MINUTE;
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world.now_ms += MINUTE + 1;
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

/* An interval shorter than what a listing is good for otherwise. */
static void test_a_short_poll_interval(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"" FOLDER "\", \"pollInterval\": \"5s\"}, "
                  "\"retrain\": {\"on\": [\"Data\"]}}");
    finish(&world);
    assert_in_range(world.requeue_after_ms, 1, 5000);
    world.generation = "2";
    world.now_ms += world.requeue_after_ms;
    world_settle(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

/* Whatever the reason, a training reads what is there now, and that is then not new any more. */
static void test_another_reason_takes_the_newest_file(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"" FOLDER "\"}, \"imagePollInterval\": \"1m\", "
                  "\"retrain\": {\"on\": [\"ImageDigest\", \"Data\"]}}");
    finish(&world);
    world.now_ms += 2 * MINUTE; /* between two polls */
    world.generation = "2";
    world.trainer_digest = DIGEST_B;
    world_settle(&world);
    assert_int_equal(world.created, 2);
    assert_string_equal(reason(&world), "ImageDigestChanged");
    assert_string_equal(world_status(&world, MODEL, "training", "data", "generation", NULL), "2");
    finish(&world);
    poll(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

/* Data that change during a training do not stop it; they are looked at when it ended. */
static void test_data_change_during_a_training(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.generation = "2";
    poll(&world);
    world.generation = "3";
    poll(&world);
    assert_int_equal(world.created, 2);
    assert_int_equal(world.deleted, 0);
    finish(&world);
    poll(&world);
    assert_int_equal(world.created, 3);
    assert_string_equal(world_status(&world, MODEL, "training", "data", "generation", NULL), "3");
    world_release(&world);
}

/* The file was replaced before the trainer read it: that run is over, the next poll starts another.
 */
static void test_data_replaced_too_early(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.generation = "2";
    poll(&world);
    world.generation = "3";
    world_fail(&world, 66,
               "{\"outcome\": \"Failed\", \"exitCode\": 66, \"reason\": \"InputChanged\", "
               "\"message\": \"w1.csv was replaced\"}");
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "reason", NULL),
                        "InputChanged");
    poll(&world);
    assert_int_equal(world.created, 3);
    finish(&world);
    assert_string_equal(condition(&world, "Trained"), "True Trained");
    world_release(&world);
}

static void test_a_file_is_polled_too(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"file:///data/weekly/h.csv\"}, "
                  "\"retrain\": {\"on\": [\"Data\"]}}");
    assert_string_equal(world_status(&world, MODEL, "training", "data", "generation", NULL), "1");
    finish(&world);
    world.generation = "2";
    poll(&world);
    assert_int_equal(world.created, 2);
    finish(&world);
    world.missing = "file:///data/weekly/h.csv";
    poll(&world);
    assert_string_equal(condition(&world, "Reconciling"), "True InputNotFound");
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    int writes = world.status_writes;
    for (int i = 0; i < 5; i++) { /* it stays away: nothing is said again */
        world.now_ms += MINUTE;
        world_settle(&world);
    }
    assert_int_equal(world.status_writes, writes);
    world.missing = NULL;
    world.now_ms += MINUTE;
    world_settle(&world);
    assert_string_equal(condition(&world, "Reconciling"), "False Idle");
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_what_cannot_be_polled(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"retrain\": {\"on\": [\"Data\"]}}"); /* its file is below no root */
    assert_int_equal(world.created, 0);
    assert_string_equal(condition(&world, "Stalled"), "True NotVisibleToController");
    assert_string_equal(world_message(&world, MODEL, "Stalled"),
                        "spec.data.uri: must be below a --file-root of the controller");
    world_release(&world);
    start(&world);
    world.listing_fails = true;
    poll(&world);
    assert_string_equal(condition(&world, "Reconciling"), "True FolderUnreadable");
    world.listing_fails = false;
    world.now_ms += MINUTE;
    world_settle(&world);
    assert_string_equal(condition(&world, "Reconciling"), "False Idle");
    assert_int_equal(world.created, 1);
    world_release(&world);
}

/* A run key has the file in it only with Data: the run at work is another one then. */
static void test_data_as_a_new_reason_supersedes(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "{\"data\": {\"uri\": \"" FOLDER "\"}}");
    world_edit(&world, MODEL, "{\"retrain\": {\"on\": [\"ImageDigest\", \"Spec\", \"Data\"]}}");
    world_settle(&world);
    assert_int_equal(world.deleted, 1);
    assert_int_equal(world.created, 2);
    auto_json json_t *document = document_of(&world, world_running(&world));
    assert_string_equal(jx_string(document, "data", "generation", NULL), "1");
    finish(&world);
    poll(&world);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_a_crash_before_the_job(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.generation = "2";
    world.budget = 1; /* the status is written, the Job is not */
    poll(&world);
    assert_true(world.killed);
    world_restart(&world);
    world.generation = "3";
    world_settle(&world);
    auto_json json_t *document = document_of(&world, world_running(&world));
    assert_string_equal(jx_string(document, "data", "generation", NULL), "2");
    world_release(&world);
}

/* Registry and volume hang, and nothing was said of the model yet. */
static void test_first_looks_that_do_not_end(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_edit(&world, MODEL,
               "{\"data\": {\"uri\": \"" FOLDER "\"}, \"retrain\": {\"on\": [\"Data\"]}}");
    world.images[0] = (struct image_fact){ .reference = TRAINER,
                                           .service_account = "default",
                                           .pending_ms = world.now_ms - 3000 };
    world.folders[0] = (struct folder_fact){ .uri = FOLDER, .pending_ms = world.now_ms - 3000 };
    world.image_count = world.folder_count = 1;
    assert_true(world_step(&world, MODEL));
    assert_string_equal(condition(&world, "Reconciling"), "True Resolving");
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_data),
        cmocka_unit_test(test_the_document_names_the_generation),
        cmocka_unit_test(test_without_data_nothing_is_polled),
        cmocka_unit_test(test_poll_interval),
        cmocka_unit_test(test_a_short_poll_interval),
        cmocka_unit_test(test_another_reason_takes_the_newest_file),
        cmocka_unit_test(test_data_change_during_a_training),
        cmocka_unit_test(test_data_replaced_too_early),
        cmocka_unit_test(test_a_file_is_polled_too),
        cmocka_unit_test(test_what_cannot_be_polled),
        cmocka_unit_test(test_first_looks_that_do_not_end),
        cmocka_unit_test(test_data_as_a_new_reason_supersedes),
        cmocka_unit_test(test_a_crash_before_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
