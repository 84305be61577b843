/* Goal: status has all conditions from the first write on, tells when a digest changed, and is not
 * written for every batch that asks. Method: a small world (world.h). */
#include "world.h"

#define MODEL "ChurnModel", "m"
#define BATCH "ChurnBatch", "b"

static void assert_conditions(struct world *world, const char *kind, const char *name,
                              const char *const *types)
{
    while (world->status_writes == 0)
        assert_true(world_step(world, kind, name));
    const json_t *conditions = jx_get(world_get(world, kind, name), "status", "conditions", NULL);
    for (size_t i = 0; types[i]; i++)
        CASE(types[i], world_condition(world, kind, name, types[i])[0] != '\0');
    for (size_t i = 0; i < json_array_size(conditions); i++)
        assert_int_equal(jx_int(json_array_get(conditions, i), "observedGeneration", 0), 1);
}

static void test_all_conditions_come_at_once(void **state)
{
    (void)state;
    static const char *const of_model[] = { "Ready",       "ImageResolved", "Trained", "Promoted",
                                            "Reconciling", "Stalled",       NULL };
    static const char *const of_batch[] = { "Ready",       "Complete", "Failed",    "ModelReady",
                                            "Reconciling", "Stalled",  "Suspended", NULL };
    struct world world;
    world_init(&world);
    world_add_model(&world);
    assert_conditions(&world, MODEL, of_model);
    world_release(&world);
    world_init(&world);
    world_add_batch(&world, "b");
    assert_conditions(&world, BATCH, of_batch);
    world_release(&world);
}

/* When the digest changed last, not when it was asked for last. */
static void test_when_the_image_changed(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    const char *first =
        arena_strdup(&world.arena, world_status(&world, MODEL, "image", "resolvedAt", NULL));
    world.now_ms += 400000;
    world_settle(&world);
    assert_string_equal(world_status(&world, MODEL, "image", "resolvedAt", NULL), first);
    world.trainer_digest = DIGEST_B;
    world.now_ms += 400000;
    world_settle(&world);
    assert_string_not_equal(world_status(&world, MODEL, "image", "resolvedAt", NULL), first);
    assert_string_equal(world_status(&world, MODEL, "image", "shortDigest", NULL),
                        "sha256:bbbbbbbbbbbb");
    world_release(&world);
}

static int64_t skipped(const struct world *world)
{
    return jx_int(json_object_get(world_get(world, MODEL), "status"), "trainingsSkipped", 0);
}

/* At most one write a second, and none is left out. */
static void test_many_who_ask(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "a");
    world_settle(&world);
    assert_int_equal(skipped(&world), 1);
    world_add_batch(&world, "b");
    world_add_batch(&world, "c");
    world_settle(&world);
    assert_int_equal(skipped(&world), 1);
    world.now_ms += 1000;
    world_settle(&world);
    assert_int_equal(skipped(&world), 3);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_conditions_come_at_once),
        cmocka_unit_test(test_when_the_image_changed),
        cmocka_unit_test(test_many_who_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
