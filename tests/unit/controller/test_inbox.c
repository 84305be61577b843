/* Goal: exactly one batch for every new file of an inbox, whatever happens to the controller.
 * Method: files come into the folder of a small world; time passes in polls; what was made is
 * counted, also after kills between any two writes. */
#include "contract/identity.h"
#include "world.h"

#define MODEL     "ChurnModel", "m"
#define FOLDER    "file:///data/weekly/in/"
#define POLL_MS   60000
#define SETTLE_MS 10000

static void begin(struct world *world, const char *more)
{
    auto_free char *patch =
        mem_format("{\"inbox\": {\"uri\": \"" FOLDER "\", %s\"template\": {\"output\": {\"uri\": "
                   "\"file:///out/\"}, \"reasons\": 1}}}",
                   more);
    world_init_trained(world);
    world_edit(world, MODEL, patch);
}

static void settle_after(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    world_settle(world);
}

/* The folder is looked at, and once more after the files had time to change. */
static void poll(struct world *world)
{
    settle_after(world, POLL_MS);
    settle_after(world, SETTLE_MS);
}

static const json_t *inbox(const struct world *world)
{
    return jx_get(world_get(world, MODEL), "status", "inbox", NULL);
}

/* "a.csv b.csv": the files that batches were made for, oldest batch first. */
static const char *scored(struct world *world)
{
    const char *key, *text = "";
    json_t *object;
    json_object_foreach(world->objects, key, object)
    {
        const char *uri = jx_string(object, "spec", "input", "uri", NULL);
        if (strncmp(key, "ChurnBatch/", 11) == 0)
            text =
                arena_format(&world->arena, "%s%s%s", text, *text ? " " : "", uri + strlen(FOLDER));
    }
    return text;
}

static void test_a_file_becomes_a_batch(void **state)
{
    (void)state;
    struct world world;
    char name[IDENTITY_NAME];
    begin(&world, "");
    world_settle(&world);
    assert_int_equal(jx_int(inbox(&world), "created", -1), 0);
    world_drop_file(&world, "07", "Week 7.csv");
    settle_after(&world, POLL_MS);
    assert_int_equal(world.batches_created, 0); /* it may still change */
    settle_after(&world, SETTLE_MS);
    assert_int_equal(world.batches_created, 1);
    identity_inbox_batch("m", FOLDER "Week 7.csv", "g07", name);
    assert_int_equal(strncmp(name, "m-week-7-", 9), 0);
    const json_t *batch = world_get(&world, "ChurnBatch", name);
    assert_string_equal(jx_string(batch, "spec", "input", "uri", NULL), FOLDER "Week 7.csv");
    assert_string_equal(jx_string(batch, "spec", "input", "generation", NULL), "g07");
    assert_string_equal(jx_string(batch, "spec", "modelRef", "name", NULL), "m");
    assert_string_equal(jx_string(batch, "spec", "output", "uri", NULL), "file:///out/");
    assert_int_equal(jx_int(json_object_get(batch, "spec"), "reasons", 0), 1);
    assert_string_equal(job_owner_uid(batch), "uid-ChurnModel-m");
    assert_string_equal(world_status(&world, MODEL, "inbox", "lastFile", NULL), "Week 7.csv");
    assert_string_equal(world_status(&world, MODEL, "inbox", "highWaterMark", NULL),
                        "2026-01-01T00:00:07.000000000Z");
    assert_int_equal(jx_int(inbox(&world), "created", 0), 1);
    assert_int_equal(jx_int(inbox(&world), "active", 0), 1);
    assert_null(json_object_get(inbox(&world), "pending"));
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(jx_int(inbox(&world), "active", -1), 0);
    poll(&world);
    poll(&world);
    assert_int_equal(world.batches_created, 1);
    assert_false(world_step(&world, MODEL));
    world_release(&world);
}

/* Whoever says that a file came is not believed, but the folder is looked at. */
static void test_a_push_is_a_look(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world_settle(&world);
    settle_after(&world, 1000);
    world_drop_file(&world, "07", "w7.csv");
    settle_after(&world, 1000);
    assert_int_equal(world.inbox_facts[0].file_count, 0);
    world.inbox_facts[0].pushed_ms = world.now_ms;
    world_settle(&world);
    assert_int_equal(world.inbox_facts[0].file_count, 1);
    assert_int_equal(world.inbox_facts[0].checked_ms, world.now_ms);
    settle_after(&world, SETTLE_MS);
    assert_int_equal(world.batches_created, 1);
    world.inbox_facts[0].pushed_ms = world.now_ms; /* again, with nothing new */
    world_settle(&world);
    assert_int_equal(world.batches_created, 1);
    world_release(&world);
}

/* An object is whole when it is there: one look is enough. Who may look is said by the model's
 * credentials, or by the controller's settings. */
static void test_a_bucket(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *credentials, *secret; /* secret "": nobody may look */
    } cases[] = {
        { "gs://ours/weekly/", "null", NULL },
        { "gs://theirs/weekly/", "null", "" },
        { "gs://oursandmore/weekly/", "null", "" },
        { "s3://ours/weekly/", "null", "" },
        { "s3://other/weekly/", "{\"secretRef\": {\"name\": \"bucket-key\"}}", "bucket-key" },
        { "gs://ours/weekly/", "{\"secretRef\": {\"name\": \"bucket-key\"}}", "bucket-key" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        begin(&world, "");
        auto_free char *patch = mem_format("{\"inbox\": {\"uri\": \"%s\"}, \"credentials\": %s}",
                                           cases[i].uri, cases[i].credentials);
        world_edit(&world, MODEL, patch);
        world_settle(&world);
        bool denied = cases[i].secret && !*cases[i].secret;
        CASE(cases[i].uri, denied == (strcmp(world_condition(&world, MODEL, "Stalled"),
                                             "True NotVisibleToController") == 0));
        CASE(cases[i].uri, !denied || strstr(world_message(&world, "ChurnModel", "m", "Stalled"),
                                             "--allowed-uri"));
        CASE(cases[i].uri, denied || !cases[i].secret == !world.secret);
        CASE(cases[i].uri, !world.secret || strcmp(world.secret, cases[i].secret) == 0);
        world_drop_file(&world, "07", "w7.csv");
        settle_after(&world, POLL_MS);
        CASE(cases[i].uri, world.batches_created == !denied);
        world_release(&world);
    }
}

/* What was there before, and what came then. */
static void test_existing_files(void **state)
{
    (void)state;
    static const struct {
        const char *existing, *at_first, *later;
    } cases[] = {
        { "", "", "c.csv" },
        { "\"existing\": \"Ignore\", ", "", "c.csv" },
        { "\"existing\": \"Latest\", ", "b.csv", "b.csv c.csv" },
        { "\"existing\": \"All\", ", "a.csv b.csv", "a.csv b.csv c.csv" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        begin(&world, cases[i].existing);
        world_drop_file(&world, "02", "b.csv");
        world_drop_file(&world, "01", "a.csv");
        world_settle(&world);
        settle_after(&world, SETTLE_MS);
        CASE(cases[i].existing, strcmp(scored(&world), cases[i].at_first) == 0);
        world_drop_file(&world, "03", "c.csv");
        poll(&world);
        CASE(cases[i].existing, strcmp(scored(&world), cases[i].later) == 0);
        world_release(&world);
    }
}

/* The controller looks for the first time when the model has been there for a while. */
static void test_files_that_come_before_the_first_look(void **state)
{
    (void)state;
    static const struct {
        const char *existing, *scored; /* scored: first */
        int many;                      /* that came since */
    } cases[] = {
        { "Ignore", "c.csv d.csv", 0 },
        { "Latest", "b.csv c.csv d.csv", 0 },
        { "All", "a.csv b.csv c.csv d.csv", 0 },
        { "Ignore", "c.csv d.csv many-00.csv", INBOX_FILES }, /* more than one answer has */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        auto_free char *spec = mem_format(
            "{\"image\": \"" TRAINER "\", \"data\": {\"uri\": \"file:///data/h.csv\", \"target\": "
            "\"Exited\", \"id\": \"Id\"}, \"artifacts\": {\"uri\": \"file:///data/models/\"}, "
            "\"inbox\": {\"uri\": \"" FOLDER "\", \"existing\": \"%s\", \"maxActive\": 64, "
            "\"template\": {\"output\": {\"uri\": \"file:///out/\"}}}}",
            cases[i].existing);
        world_init(&world);
        world_drop_file(&world, "01", "a.csv");
        world.now_ms += 2500;
        world_drop_file(&world, "02", "b.csv"); /* in the second of its making */
        world_add(&world, MODEL, spec);
        world_drop_file(&world, "03", "c.csv");
        world_drop_file(&world, "04", "d.csv");
        for (int file = 0; file < cases[i].many; file++) {
            auto_free char *name = mem_format("many-%02d.csv", file);
            world_drop_file(&world, "05", name);
        }
        world.now_ms += 60000;
        world_settle(&world);
        poll(&world);
        size_t length = strlen(cases[i].scored) + (cases[i].many == 0);
        CASE(cases[i].existing, strncmp(scored(&world), cases[i].scored, length) == 0);
        world_release(&world);
    }
}

/* A file that came with the model, after a listing for the model's generation before. */
static void test_an_old_listing_does_not_say_what_was_there(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world.inbox_facts[true] =
        (struct inbox_fact){ .uri = FOLDER, .newest = true, .checked_ms = world.now_ms };
    world_drop_file(&world, "01", "a.csv");
    world.now_ms += 1000;
    world_settle(&world);
    poll(&world);
    poll(&world);
    assert_int_equal(world.batches_created, 0);
    world_release(&world);
}

/* Files with equal times, with older times than one that was taken, uploaded again. */
static void test_what_is_new(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "\"maxActive\": 64, ");
    world_settle(&world);
    world_drop_file(&world, "05", "b.csv");
    poll(&world);
    world_drop_file(&world, "05", "a.csv");
    world_drop_file(&world, "04", "late.csv"); /* a slow upload that was renamed at its end */
    poll(&world);
    assert_string_equal(scored(&world), "b.csv late.csv a.csv");
    world_drop_file(&world, "06", "b.csv");
    poll(&world);
    assert_string_equal(scored(&world), "b.csv late.csv a.csv b.csv");
    assert_int_equal(world.batches_created, 4);
    world_release(&world);
}

/* A folder with more files than are remembered: those that were there stay done with. */
static void test_many_old_files(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "\"maxActive\": 64, \"keep\": 0, ");
    for (int i = 0; i < 100; i++) {
        auto_free char *name = mem_format("old-%03d.csv", i);
        world_drop_file(&world, "01", name);
    }
    world_settle(&world);
    poll(&world);
    assert_int_equal(world.batches_created, 0);
    for (int i = 0; i < 50; i++) {
        auto_free char *name = mem_format("new-%02d.csv", i);
        world_drop_file(&world, "02", name);
    }
    for (int i = 0; i < 4; i++)
        poll(&world);
    assert_int_equal(world.batches_created, 50);
    assert_int_equal(json_array_size(json_object_get(inbox(&world), "taken")), INBOX_FILES);
    world_release(&world);
}

static void test_few_at_a_time_oldest_first(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "\"maxActive\": 2, ");
    world_settle(&world);
    world_drop_file(&world, "03", "c.csv");
    world_drop_file(&world, "01", "a.csv");
    world_drop_file(&world, "02", "b.csv");
    poll(&world);
    assert_string_equal(scored(&world), "a.csv b.csv");
    assert_int_equal(jx_int(inbox(&world), "active", 0), 2);
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(scored(&world), "a.csv b.csv c.csv");
    assert_int_equal(jx_int(inbox(&world), "active", 0), 2);
    world_release(&world);
}

/* A file whose upload has not ended is left, and those that came after it. */
static void test_a_growing_file(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world_settle(&world);
    world_drop_file(&world, "01", "a.csv");
    settle_after(&world, POLL_MS);
    for (int i = 0; i < 3; i++) { /* it grows between any two looks */
        world.inbox[0].key = "2026-01-01T00:00:02.000000000Z a.csv";
        world.inbox[0].generation = arena_format(&world.arena, "grown-%d", i);
        world.inbox[0].since_ms = 0;
        settle_after(&world, SETTLE_MS);
        assert_int_equal(world.batches_created, 0);
    }
    settle_after(&world, SETTLE_MS);
    assert_int_equal(world.batches_created, 1);
    world_release(&world);
}

static void test_finished_batches_go(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "\"keep\": 1, ");
    world_settle(&world);
    world_drop_file(&world, "01", "a.csv");
    poll(&world);
    world_drop_file(&world, "02", "b.csv");
    poll(&world);
    world_drop_file(&world, "03", "c.csv");
    poll(&world);
    assert_string_equal(scored(&world), "a.csv b.csv c.csv");
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.batches_deleted, 0);
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(scored(&world), "b.csv c.csv");
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(scored(&world), "c.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 3); /* what is deleted is not new */
    world_release(&world);
}

/* Something else keeps a batch from going: it is told once, and counts no more. */
static void test_batches_that_are_held(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "\"keep\": 1, \"maxActive\": 1, ");
    world_settle(&world);
    world.slow_deletion = true;
    for (int i = 1; i < 5; i++) {
        auto_free char *second = mem_format("%02d", i), *name = mem_format("%d.csv", i);
        world_drop_file(&world, second, name);
        poll(&world);
        world_succeed(&world);
        world_settle(&world);
        assert_int_equal(world.batches_deleted, i - 1);
    }
    world_drop_file(&world, "05", "5.csv");
    world_drop_file(&world, "06", "6.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 5);
    char name[IDENTITY_NAME];
    identity_inbox_batch("m", FOLDER "5.csv", "g05", name);
    json_object_set_new(json_object_get(world_get(&world, "ChurnBatch", name), "metadata"),
                        "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
    world_settle(&world);
    assert_int_equal(world.batches_created, 6);
    world_release(&world);
}

static void test_suspended_and_removed(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world_settle(&world);
    world_edit(&world, MODEL, "{\"suspend\": true}");
    world_drop_file(&world, "01", "a.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 0);
    world_edit(&world, MODEL, "{\"suspend\": false}");
    poll(&world);
    assert_int_equal(world.batches_created, 1);
    world_edit(&world, MODEL, "{\"inbox\": null}");
    world_drop_file(&world, "02", "b.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 1);
    assert_null(inbox(&world));
    world_release(&world);
}

/* Another folder begins anew; the counts go on. */
static void test_another_folder(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world_settle(&world);
    world_drop_file(&world, "01", "a.csv");
    poll(&world);
    world.inbox_count = 0;
    world_drop_file(&world, "01", "b.csv");
    world_edit(&world, MODEL, "{\"inbox\": {\"uri\": \"file:///data/weekly/other/\"}}");
    poll(&world);
    assert_int_equal(world.batches_created, 1);
    world_drop_file(&world, "02", "c.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 2);
    assert_int_equal(jx_int(inbox(&world), "created", 0), 2);
    assert_string_equal(world_status(&world, MODEL, "inbox", "uri", NULL),
                        "file:///data/weekly/other/");
    world_release(&world);
}

static void test_trouble(void **state)
{
    (void)state;
    struct world world;
    begin(&world, "");
    world_settle(&world);
    world.listing_fails = true;
    poll(&world);
    assert_string_equal(world_condition(&world, MODEL, "Reconciling"), "True FolderUnreadable");
    assert_string_equal(world_condition(&world, MODEL, "Ready"), "True Trained");
    int writes = world.status_writes;
    for (int i = 0; i < 3; i++) /* nothing is said again while it lasts */
        poll(&world);
    assert_int_equal(world.status_writes, writes);
    world.listing_fails = false;
    world.refuses_batches = true;
    world_drop_file(&world, "01", "a.csv");
    poll(&world);
    assert_int_equal(world.batches_created, 0);
    assert_string_equal(world_condition(&world, MODEL, "Stalled"), "True BatchRejected");
    world.refuses_batches = false;
    settle_after(&world, POLL_MS);
    assert_int_equal(world.batches_created, 1);
    world_edit(&world, MODEL, "{\"inbox\": {\"uri\": \"file:///elsewhere/\"}}");
    world_settle(&world);
    assert_string_equal(world_condition(&world, MODEL, "Stalled"), "True NotVisibleToController");
    world_release(&world);
}

static void test_invalid_specs(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *message;
    } cases[] = {
        { "{\"inbox\": {\"uri\": \"file:///data/weekly/x.csv\"}}", "spec.inbox.uri: must" },
        { "{\"inbox\": {\"maxActive\": 0}}", "spec.inbox.maxActive: must be an integer from 1" },
        { "{\"inbox\": {\"template\": {\"output\": {\"uri\": \"file:///out/x.csv\"}}}}",
          "spec.inbox.template.output.uri: must name a folder" },
        { "{\"inbox\": {\"template\": {\"podTemplate\": {}}}}",
          "spec.inbox.template: unknown member \"podTemplate\"" },
        { "{\"inbox\": {\"template\": null}}", "spec.inbox.template: is required" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        begin(&world, "");
        world_settle(&world);
        world_edit(&world, MODEL, cases[i].patch);
        world_settle(&world);
        const char *message = world_message(&world, MODEL, "Stalled");
        if (strncmp(message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\"", cases[i].patch, message);
        world_release(&world);
    }
}

/* Three files come, one of them again; then the controller is killed before write `kill`. */
static bool tell(struct world *world, int kill)
{
    bool killed = false;
    begin(world, "\"maxActive\": 2, \"keep\": 1, ");
    world->budget = kill;
    for (int scene = 0; scene < 12; scene++) {
        if (scene == 2)
            world_drop_file(world, "02", "b.csv");
        if (scene == 2 || scene == 5)
            world_drop_file(world, scene == 2 ? "01" : "05", "a.csv");
        if (scene == 5)
            world_drop_file(world, "03", "c.csv");
        if (scene > 5 && world_running(world))
            world_succeed(world);
        poll(world);
        if (!world->killed)
            continue;
        killed = true;
        world_restart(world);
        poll(world);
    }
    return killed;
}

static void test_killed_before_any_write(void **state)
{
    (void)state;
    bool killed = true;
    int kill = 0;
    for (; killed; kill++) {
        struct world world;
        auto_free char *name = mem_format("kill before write %d", kill);
        killed = tell(&world, kill);
        CASE(name, world.batches_created == 4);
        CASE(name, jx_int(inbox(&world), "created", 0) == 4);
        CASE(name, jx_int(inbox(&world), "active", -1) == 0);
        CASE(name, world.batches_deleted == 3);
        CASE(name, !json_object_get(inbox(&world), "pending"));
        world_release(&world);
    }
    assert_true(kill > 20);
}

/* A user deletes a batch that a process made right before its end: that file is done with. */
static void test_a_batch_is_wanted_before_it_is_made(void **state)
{
    (void)state;
    struct world world;
    char name[IDENTITY_NAME];
    begin(&world, "\"maxActive\": 1, ");
    world_settle(&world);
    world_drop_file(&world, "01", "a.csv");
    world.budget = 1;
    poll(&world);
    assert_true(world.killed);
    world_restart(&world);
    poll(&world);
    identity_inbox_batch("m", FOLDER "a.csv", "g01", name);
    assert_int_equal(world.batches_created, 1);
    world_remove(&world, "ChurnBatch", name);
    poll(&world);
    poll(&world);
    assert_int_equal(world.batches_created, 1);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_becomes_a_batch),
        cmocka_unit_test(test_a_push_is_a_look),
        cmocka_unit_test(test_a_bucket),
        cmocka_unit_test(test_existing_files),
        cmocka_unit_test(test_files_that_come_before_the_first_look),
        cmocka_unit_test(test_an_old_listing_does_not_say_what_was_there),
        cmocka_unit_test(test_what_is_new),
        cmocka_unit_test(test_many_old_files),
        cmocka_unit_test(test_few_at_a_time_oldest_first),
        cmocka_unit_test(test_a_growing_file),
        cmocka_unit_test(test_finished_batches_go),
        cmocka_unit_test(test_batches_that_are_held),
        cmocka_unit_test(test_suspended_and_removed),
        cmocka_unit_test(test_another_folder),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_invalid_specs),
        cmocka_unit_test(test_killed_before_any_write),
        cmocka_unit_test(test_a_batch_is_wanted_before_it_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
