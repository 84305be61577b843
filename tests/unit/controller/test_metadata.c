/* Goal: Jobs and pods bear the labels by which people and tools find them, and what podTemplate
 * says; what the resource itself bears stays with it. Method: a model and a batch with labels and
 * annotations of their own, and the Jobs made of them. */
#include "world.h"

#include "job_builder.h"

static void decorate(struct world *world, const char *kind, const char *name)
{
    json_t *object = world_get(world, kind, name), *metadata = json_object_get(object, "metadata");
    json_object_set_new(metadata, "labels", json_pack("{ss}", "team", "risk"));
    json_object_set_new(metadata, "annotations", json_pack("{ss}", "note", "mine"));
    world_edit(world, kind, name,
               "{\"podTemplate\": {\"labels\": {\"tier\": \"batch\"}, \"annotations\": "
               "{\"example.com/owner\": \"marketing\"}}}");
}

static void check(const json_t *metadata, const char *component, const char *batch, const char *run)
{
    const json_t *labels = json_object_get(metadata, "labels");
    const struct {
        const char *name, *value;
    } expected[] = {
        { "app.kubernetes.io/name", "churn-operator" },
        { "app.kubernetes.io/part-of", "churn-operator" },
        { "app.kubernetes.io/managed-by", "churn-controller" },
        { "app.kubernetes.io/component", component },
        { LABEL_MODEL, "m" },
        { LABEL_BATCH, batch },
        { LABEL_RUN, run },
        { "tier", "batch" },
        { "team", NULL },
    };
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const char *found = json_string_value(json_object_get(labels, expected[i].name));
        if (!expected[i].value)
            CASE(expected[i].name, found == NULL);
        else
            CASE(expected[i].name, found && strcmp(found, expected[i].value) == 0);
        count += expected[i].value != NULL;
    }
    assert_int_equal(json_object_size(labels), count);
    assert_string_equal(jx_string(metadata, "annotations", "example.com/owner", NULL), "marketing");
    assert_null(jx_get(metadata, "annotations", "note", NULL));
}

static void check_job(const struct world *world, const char *component, const char *batch,
                      const char *run)
{
    const json_t *job = world_get(world, "Job", world_running(world));
    assert_non_null(job);
    check(json_object_get(job, "metadata"), component, batch, run);
    check(jx_get(job, "spec", "template", "metadata", NULL), component, batch, run);
}

static void test_labels_and_annotations(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    decorate(&world, "ChurnModel", "m");
    world_settle(&world);
    check_job(&world, "trainer", NULL,
              world_status(&world, "ChurnModel", "m", "training", "runKey", NULL));
    world_succeed(&world);
    world_settle(&world);
    world_add_batch(&world, "w1");
    decorate(&world, "ChurnBatch", "w1");
    world_settle(&world);
    const json_t *job = world_get(&world, "Job", world_running(&world));
    check_job(&world, "scorer", "w1", jx_string(job, "metadata", "labels", LABEL_RUN, NULL));
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_and_annotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
