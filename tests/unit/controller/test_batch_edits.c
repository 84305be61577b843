/* Goal: a batch that was started is edited: nothing happens that it did not ask for, and the user
 * is told; a Failed one is tried again.
 * Method: a batch in a small world, edited while it runs, when it is Complete and when it failed.
 */
#include "world.h"

#define BATCH "ChurnBatch", "b"

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, BATCH, type);
}

static void start(struct world *world)
{
    world_init(world);
    world_add_model(world);
    world_settle(world);
    world_succeed(world);
    world_settle(world);
    world->created = 0;
    world_add_batch(world, "b");
    world_settle(world);
}

static void test_failed_and_tried_again(void **state)
{
    (void)state;
    static const char *const patches[] = {
        "{\"retryToken\": \"1\"}",
        "{\"maxRejected\": \"0.5\"}",
        "{\"podTemplate\": {\"resources\": {\"requests\": {\"memory\": \"4Gi\"}}}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        struct world world;
        start(&world);
        world_fail(&world, 66, "b.csv: no such file");
        world_settle(&world);
        CASE(patches[i], strcmp(condition(&world, "Ready"), "False Failed") == 0);
        CASE(patches[i], strcmp(condition(&world, "Failed"), "True InputNotFound") == 0);
        CASE(patches[i], strcmp(condition(&world, "Stalled"), "True InputNotFound") == 0);
        CASE(patches[i], strcmp(world_message(&world, BATCH, "Failed"),
                                "exit code 66: b.csv: no such file") == 0);
        if (i == 0) /* nothing but status may be needed to know what was tried */
            world_remove(&world, "Job", world_last_job(&world));
        world_edit(&world, BATCH, "{\"suspend\": true}"); /* is no reason to try again */
        world_settle(&world);
        world_edit(&world, BATCH, "{\"suspend\": false}");
        world_settle(&world);
        CASE(patches[i], world.created == 1);
        world_edit(&world, BATCH, patches[i]);
        world_settle(&world);
        CASE(patches[i], world.created == 2);
        CASE(patches[i], strcmp(condition(&world, "Failed"), "False NotFailed") == 0);
        CASE(patches[i], world_status(&world, BATCH, "completionTime", NULL)[0] == '\0');
        world_succeed(&world);
        world_settle(&world);
        CASE(patches[i], strcmp(condition(&world, "Complete"), "True Scored") == 0);
        world_release(&world);
    }
}

static void check_immutable(struct world *world, const char *edit, const char *message)
{
    CASE(edit, strcmp(condition(world, "Stalled"), "True SpecImmutable") == 0);
    if (strncmp(world_message(world, BATCH, "Stalled"), message, strlen(message)) != 0)
        fail_msg("%s: %s", edit, world_message(world, BATCH, "Stalled"));
}

/* While the batch runs, and when it is Complete and its Job is gone. */
static void test_forbidden_edits(void **state)
{
    (void)state;
    static const struct {
        const char *edit, *revert, *message;
    } cases[] = {
        { "{\"reasons\": 5}", "{\"reasons\": null}", "spec.reasons: must not change" },
        { "{\"retryToken\": \"1\"}", "{\"retryToken\": null}", "spec.retryToken: must not change" },
        { "{\"output\": {\"overwrite\": true}}", "{\"output\": {\"overwrite\": null}}",
          "spec.output: must not change" },
        { "{\"freshness\": \"Current\"}", "{\"freshness\": null}",
          "spec.freshness: must not change" },
        { "{\"backoffLimit\": 0}", "{\"backoffLimit\": null}", "spec.backoffLimit: must not" },
        { "{\"image\": \"other:1\"}", "{\"image\": null}", "spec.image: must not change" },
        { "{\"podTemplate\": {\"runAsUser\": 7}}", "{\"podTemplate\": null}",
          "spec.podTemplate: must not change" },
        { "{\"reasons\": -1}", "{\"reasons\": null}", "spec.reasons: must be" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start(&world);
        const char *job = arena_strdup(&world.arena, world_running(&world));
        world_edit(&world, BATCH, cases[i].edit);
        world_settle(&world);
        check_immutable(&world, cases[i].edit, cases[i].message);
        CASE(cases[i].edit, strcmp(condition(&world, "Ready"), "False Running") == 0);
        CASE(cases[i].edit, world.created == 1 && world.deleted == 0);
        world_edit(&world, BATCH, cases[i].revert);
        world_settle(&world);
        CASE(cases[i].edit, strcmp(condition(&world, "Stalled"), "False Healthy") == 0);
        world_succeed(&world);
        world_settle(&world);
        CASE(cases[i].edit, strcmp(condition(&world, "Ready"), "True Complete") == 0);
        world_remove(&world, "Job", job);
        world_edit(&world, BATCH, cases[i].edit);
        world_settle(&world);
        check_immutable(&world, cases[i].edit, cases[i].message);
        CASE(cases[i].edit, strcmp(condition(&world, "Ready"), "True Complete") == 0);
        world_edit(&world, BATCH, cases[i].revert);
        world_settle(&world);
        CASE(cases[i].edit, strcmp(condition(&world, "Stalled"), "False Healthy") == 0);
        CASE(cases[i].edit, world.created == 1);
        world_release(&world);
    }
}

/* An edit that came while the batch ran is ignored, its Job being lost included. */
static void test_nothing_is_made_from_a_forbidden_edit(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *job = arena_strdup(&world.arena, world_running(&world));
    world_edit(&world, BATCH, "{\"reasons\": 5}");
    world_remove(&world, "Job", job);
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world_edit(&world, BATCH, "{\"reasons\": null}");
    world_settle(&world);
    assert_string_equal(world_running(&world), job);
    world_release(&world);
}

/* No other try may be made from such a spec, so the result is looked for as long as it takes. */
static void test_a_result_comes_late_after_a_forbidden_edit(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_edit(&world, BATCH, "{\"reasons\": 5}");
    world_succeed(&world);
    json_t *pods = world.pods;
    world.pods = json_object();
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    assert_in_range(world.requeue_after_ms, 1, 60000);
    assert_int_equal(world.created, 1);
    json_decref(world.pods);
    world.pods = pods;
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "True Complete");
    world_release(&world);
}

/* A Job that goes on is not said to be suspended. */
static void test_suspended_with_a_forbidden_edit(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_edit(&world, BATCH, "{\"reasons\": 5, \"suspend\": true}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Stalled"), "True SpecImmutable");
    assert_string_equal(condition(&world, "Suspended"), "False NotSuspended");
    assert_non_null(world_running(&world));
    world_edit(&world, BATCH, "{\"reasons\": null}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Suspended"), "True Suspended");
    assert_null(world_running(&world));
    world_release(&world);
}

/* Why an edit does not lead to another try. */
static void test_failed_and_made_invalid(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_fail(&world, 66, "b.csv: no such file");
    world_settle(&world);
    world_edit(&world, BATCH, "{\"reasons\": -1}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Stalled"), "True SpecInvalid");
    assert_int_equal(strncmp(world_message(&world, BATCH, "Stalled"), "spec.reasons: must be", 21),
                     0);
    assert_string_equal(condition(&world, "Ready"), "False Failed");
    assert_string_equal(condition(&world, "Failed"), "True InputNotFound");
    world_edit(&world, BATCH, "{\"reasons\": null}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Stalled"), "True InputNotFound");
    assert_int_equal(world.created, 1);
    world_release(&world);
}

/* What was decided is made again as it was decided. */
static void test_a_lost_job_keeps_its_image(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    const char *decided = world_status(&world, BATCH, "image", NULL);
    assert_string_equal(decided, "registry.test/scorer@" DIGEST_S);
    world.other_digest = DIGEST_B;
    world.registry = IMAGE_UNREACHABLE;
    world.now_ms += 600000;
    world_remove(&world, "Job", world_running(&world));
    world_restart(&world);
    world_settle(&world);
    const json_t *job = world_get(&world, "Job", world_running(&world));
    const json_t *container =
        json_array_get(jx_get(job, "spec", "template", "spec", "containers", NULL), 0);
    assert_string_equal(jx_string(container, "image", NULL), "registry.test/scorer@" DIGEST_S);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_and_tried_again),
        cmocka_unit_test(test_forbidden_edits),
        cmocka_unit_test(test_nothing_is_made_from_a_forbidden_edit),
        cmocka_unit_test(test_suspended_with_a_forbidden_edit),
        cmocka_unit_test(test_failed_and_made_invalid),
        cmocka_unit_test(test_a_result_comes_late_after_a_forbidden_edit),
        cmocka_unit_test(test_a_lost_job_keeps_its_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
