/* Goal: the Jobs of a ChurnBatch: what they carry for queues, how long they stay.
 * Method: as test_reconcile_batch.c. */
#include "world.h"

#define BATCH "ChurnBatch", "b"

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, BATCH, type);
}

/* With Kueue's label the Job's own suspend field is Kueue's: we leave it alone, and say that the
 * Job waits; our suspend deletes the Job, and another attempt goes on. */
static void test_a_queued_job(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, BATCH,
               "{\"podTemplate\": {\"labels\": {\"kueue.x-k8s.io/queue-name\": \"nightly\", "
               "\"kueue.x-k8s.io/priority-class\": \"low\"}}}");
    world_settle(&world);
    json_t *job = world_get(&world, "Job", world_running(&world));
    const json_t *metadata[] = { json_object_get(job, "metadata"),
                                 jx_get(job, "spec", "template", "metadata", NULL) };
    for (size_t i = 0; i < ARRAY_SIZE(metadata); i++) {
        assert_string_equal(jx_string(metadata[i], "labels", "kueue.x-k8s.io/queue-name", NULL),
                            "nightly");
        assert_string_equal(jx_string(metadata[i], "labels", "kueue.x-k8s.io/priority-class", NULL),
                            "low");
    }
    assert_null(jx_get(job, "spec", "suspend", NULL));
    json_object_set_new(json_object_get(job, "spec"), "suspend", json_true());
    world_settle(&world);
    assert_int_equal(world.deleted, 0);
    assert_string_equal(condition(&world, "Reconciling"), "True Pending");
    assert_non_null(strstr(world_message(&world, BATCH, "Reconciling"), "queue"));
    world_edit(&world, BATCH, "{\"suspend\": true}");
    world_settle(&world);
    assert_null(world_running(&world));
    world_edit(&world, BATCH, "{\"suspend\": false}");
    world_settle(&world);
    assert_non_null(world_running(&world));
    assert_int_equal(jx_int(json_object_get(world_get(&world, BATCH), "status"), "attempt", 0), 2);
    world_release(&world);
}

/* The Job may go once its outcome is in status, and not before; the batch stays. */
static void test_time_to_live(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, "{\"ttlSecondsAfterFinished\": 60}");
    world_settle(&world);
    const char *name = arena_strdup(&world.arena, world_running(&world));
    const json_t *spec = json_object_get(world_get(&world, "Job", name), "spec");
    assert_null(json_object_get(spec, "ttlSecondsAfterFinished"));
    world_succeed(&world);
    world.budget = 0; /* killed before the outcome is written */
    world_settle(&world);
    assert_null(json_object_get(spec, "ttlSecondsAfterFinished"));
    world_restart(&world);
    world.budget = 1; /* killed after it */
    world_settle(&world);
    assert_string_equal(condition(&world, "Complete"), "True Scored");
    assert_null(json_object_get(spec, "ttlSecondsAfterFinished"));
    world_restart(&world);
    world_settle(&world);
    assert_int_equal(jx_int(spec, "ttlSecondsAfterFinished", -1), 60);
    world_edit(&world, BATCH, "{\"ttlSecondsAfterFinished\": 0}");
    world_settle(&world);
    assert_int_equal(jx_int(spec, "ttlSecondsAfterFinished", -1), 0);
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_int_equal(world.expired, 2);
    world_remove(&world, "Job", name);
    world_settle(&world);
    assert_string_equal(condition(&world, "Complete"), "True Scored");
    assert_int_equal(world.created, 1);
    world_edit(&world, BATCH, "{\"ttlSecondsAfterFinished\": null}");
    world_settle(&world);
    assert_int_equal(world.created, 1);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queued_job),
        cmocka_unit_test(test_time_to_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
