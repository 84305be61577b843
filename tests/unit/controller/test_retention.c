/* Goal: no training deletes a version that is in use, pinned, or named by an unfinished batch, also
 * when it was named after the training began.
 * Method: a small world; a training keeps what its Job says, which is compared with what is used.
 */
#include "world.h"

#include "job_builder.h"

#define MODEL "ChurnModel", "m"
#define BATCH "ChurnBatch", "b"

static const char *text_of(struct world *world, const char *text)
{
    return arena_strdup(&world->arena, text);
}

static void train_again(struct world *world, int seed)
{
    auto_free char *patch = mem_format("{\"seed\": %d}", seed);
    world_edit(world, MODEL, patch);
    world_settle(world);
}

/* Three versions, of which the last one is in use, and a training at work. */
static void start(struct world *world, const char *ret_versions[3])
{
    world_init(world);
    world->folder_uri = "file:///data/weekly/models/bank.m/";
    world_add_model(world);
    world_edit(world, MODEL, "{\"artifacts\": {\"uri\": \"file:///data/weekly/models/\"}}");
    world_settle(world);
    for (int i = 0; i < 3; i++) {
        world_succeed(world);
        world_settle(world);
        ret_versions[i] = text_of(world, world_status(world, MODEL, "model", "version", NULL));
        train_again(world, i + 1);
    }
}

/* The same, and the training has ended. */
static void start_at_rest(struct world *world, const char *ret_versions[3])
{
    start(world, ret_versions);
    world_succeed(world);
    world_settle(world);
}

/* What the training at work keeps: its document and its annotation say the same. */
static bool keeps(const struct world *world, const char *version)
{
    const json_t *job = world_get(world, "Job", world_running(world));
    const char *kept = jx_string(job, "metadata", "annotations", ANNOTATION_KEEP, NULL);
    const char *document =
        jx_string(job, "spec", "template", "metadata", "annotations", JOB_ANNOTATION, NULL);
    bool is_kept = strstr(kept, version) != NULL;
    struct err err;
    auto_json json_t *parsed = jx_parse(span_of(document), 65536, "job", &err);
    auto_free char *list = jx_canonical(json_object_get(parsed, "keepVersions"));
    assert_int_equal(is_kept, strstr(list, version) != NULL);
    return is_kept;
}

static void pin(struct world *world, const char *version)
{
    auto_free char *patch = mem_format("{\"pinnedVersion\": \"%s\"}", version);
    world_edit(world, MODEL, patch);
    world_settle(world);
}

static void add_batch_of(struct world *world, const char *version)
{
    auto_free char *patch = mem_format("{\"modelVersion\": \"%s\"}", version);
    world_add_batch(world, "b");
    world_edit(world, BATCH, patch);
    world_settle(world);
}

/* The training begins anew with a Job that keeps it, and until the old one is gone the pinned
 * version is not used: it may not be there any more then. */
static void test_a_pin_during_a_training(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    const char *old = text_of(&world, world_running(&world));
    assert_false(keeps(&world, versions[0]));
    world.slow_deletion = true;
    pin(&world, versions[0]);
    assert_string_equal(world_status(&world, MODEL, "model", "version", NULL), versions[2]);
    assert_string_equal(world_condition(&world, MODEL, "Reconciling"), "True CheckingVersion");
    world_remove(&world, "Job", old);
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "model", "version", NULL), versions[0]);
    assert_string_not_equal(world_running(&world), old);
    assert_true(keeps(&world, versions[0]));
    assert_int_equal(jx_int(json_object_get(world_get(&world, MODEL), "status"), "trainingsRun", 0),
                     4);
    world_release(&world);
}

/* Nothing is there that the training could delete: it goes on. */
static void test_a_pin_of_nothing_during_a_training(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    world.missing = "file:///data/weekly/models/bank.m/0123456789abcdef/";
    pin(&world, "0123456789abcdef");
    assert_int_equal(world.deleted, 0);
    assert_string_equal(world_condition(&world, MODEL, "Stalled"), "True VersionNotFound");
    assert_string_equal(world_condition(&world, MODEL, "Reconciling"), "True Training");
    assert_string_equal(world_status(&world, MODEL, "model", "version", NULL), versions[2]);
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(world_condition(&world, MODEL, "Stalled"), "True VersionNotFound");
    assert_string_equal(world_status(&world, MODEL, "model", "version", NULL), versions[2]);
    world_release(&world);
}

/* The training of a controller that wrote no list of versions beside its document. */
static void test_the_champion_of_an_older_controller(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    const char *trainer = text_of(&world, world_running(&world));
    json_object_del(jx_get(world_get(&world, "Job", trainer), "metadata", "annotations", NULL),
                    ANNOTATION_KEEP);
    add_batch_of(&world, versions[2]);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "True UsingPinned");
    assert_int_equal(world.deleted, 0);
    assert_non_null(world_get(&world, "Job", trainer));
    world_release(&world);
}

/* The newest version, though it was made long ago: to the trainer it is an old one. */
static void test_a_version_that_was_made_again(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    pin(&world, versions[1]);
    auto_free char *result =
        mem_format("{\"outcome\": \"Reused\", \"model\": {\"version\": \"%s\"}, \"metrics\": "
                   "[{\"name\": \"auc\", \"value\": \"0.9\"}]}",
                   versions[0]);
    world_report(&world, result);
    world_settle(&world);
    train_again(&world, 9);
    const char *trainer = text_of(&world, world_running(&world));
    assert_true(keeps(&world, versions[0]));
    pin(&world, "");
    assert_string_equal(world_status(&world, MODEL, "model", "version", NULL), versions[0]);
    assert_string_equal(world_running(&world), trainer);
    world_release(&world);
}

static void test_a_pin_of_what_is_kept(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    pin(&world, versions[2]);
    pin(&world, "");
    assert_int_equal(world.deleted, 0);
    assert_int_equal(world.created, 4);
    world_release(&world);
}

/* What the end of the pin brings back. */
static void test_the_version_before_the_pin(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    pin(&world, versions[0]);
    for (int i = 0; i < 2; i++) {
        world_succeed(&world);
        world_settle(&world);
        train_again(&world, 10 + i);
        assert_true(keeps(&world, versions[2]));
        assert_true(keeps(&world, versions[0]));
        assert_false(keeps(&world, versions[1]));
    }
    world_release(&world);
}

/* A batch that was there before the training does not wait for it. */
static void test_a_batch_before_a_training(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start_at_rest(&world, versions);
    add_batch_of(&world, versions[0]);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "True UsingPinned");
    train_again(&world, 9);
    world_succeed(&world); /* the batch */
    world_settle(&world);
    assert_string_equal(world_condition(&world, BATCH, "Complete"), "True Scored");
    assert_true(keeps(&world, versions[0]));
    assert_int_equal(world.deleted, 0);
    world_release(&world);
}

/* It may start as soon as it wants, whatever is trained meanwhile. */
static void test_a_suspended_batch_before_a_training(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start_at_rest(&world, versions);
    world_add_batch(&world, "b");
    auto_free char *patch =
        mem_format("{\"suspend\": true, \"modelVersion\": \"%s\"}", versions[0]);
    world_edit(&world, BATCH, patch);
    world_settle(&world);
    train_again(&world, 9);
    assert_true(keeps(&world, versions[0]));
    world_edit(&world, BATCH, "{\"suspend\": false}");
    world_settle(&world);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "True UsingPinned");
    assert_int_equal(world.deleted, 0);
    world_release(&world);
}

/* A batch that comes later waits for the end of the training, which goes on. */
static void test_a_batch_during_a_training(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    add_batch_of(&world, versions[0]);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "False ModelTraining");
    auto_free char *message =
        mem_format("Job %s, which trains the model, may delete version %s; it is waited for",
                   world_running(&world), versions[0]);
    assert_string_equal(world_message(&world, BATCH, "ModelReady"), message);
    assert_int_equal(world.deleted, 0);
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "True UsingPinned");
    assert_string_equal(world_status(&world, BATCH, "model", "version", NULL), versions[0]);
    world_release(&world);
}

static void test_a_batch_of_the_version_in_use(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start(&world, versions);
    add_batch_of(&world, versions[2]);
    assert_string_equal(world_condition(&world, BATCH, "ModelReady"), "True UsingPinned");
    assert_int_equal(world.deleted, 0);
    world_release(&world);
}

/* A Job that was made before the batch was seen, which began before the Job was seen. */
static void test_a_batch_that_runs_all_the_same(void **state)
{
    (void)state;
    struct world world;
    const char *versions[3];
    start_at_rest(&world, versions);
    add_batch_of(&world, versions[0]);
    const char *scorer = text_of(&world, world_running(&world));
    world_edit(&world, MODEL, "{\"seed\": 9}");
    world_settle(&world);
    const char *trainer = text_of(&world, world_last_job(&world));
    assert_string_not_equal(trainer, scorer);
    json_object_set_new(jx_get(world_get(&world, "Job", trainer), "metadata", "annotations", NULL),
                        ANNOTATION_KEEP, json_string(versions[2]));
    world_settle(&world);
    assert_null(world_get(&world, "Job", trainer));
    const char *kept = jx_string(world_get(&world, "Job", world_last_job(&world)), "metadata",
                                 "annotations", ANNOTATION_KEEP, NULL);
    assert_non_null(strstr(kept, versions[0]));
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pin_during_a_training),
        cmocka_unit_test(test_a_pin_of_nothing_during_a_training),
        cmocka_unit_test(test_the_champion_of_an_older_controller),
        cmocka_unit_test(test_a_version_that_was_made_again),
        cmocka_unit_test(test_a_pin_of_what_is_kept),
        cmocka_unit_test(test_the_version_before_the_pin),
        cmocka_unit_test(test_a_batch_before_a_training),
        cmocka_unit_test(test_a_suspended_batch_before_a_training),
        cmocka_unit_test(test_a_batch_during_a_training),
        cmocka_unit_test(test_a_batch_of_the_version_in_use),
        cmocka_unit_test(test_a_batch_that_runs_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
