/* Goal: a pinned version is used, whatever is trained; without the pin the newest version is
 * judged. Method: a small world with two or three versions; the pin is set, moved and taken away,
 * the version's folder is there or not, the controller may look or not. */
#include "world.h"

#include "contract/job.h"

#define MODEL "ChurnModel", "m"
#define OTHER "0123456789abcdef" /* a version that no training made */

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, MODEL, type);
}

static const char *version_in_use(struct world *world)
{
    return arena_strdup(&world->arena, world_status(world, MODEL, "model", "version", NULL));
}

static const json_t *newest(const struct world *world)
{
    return json_array_get(
        jx_get(json_object_get(world_get(world, MODEL), "status"), "history", NULL), 0);
}

static const char *figure_in_use(const struct world *world)
{
    const json_t *metrics =
        json_object_get(json_object_get(world_get(world, MODEL), "status"), "metrics");
    const char *value = jx_string(json_array_get(metrics, 0), "value", NULL);
    return value ? value : "";
}

static void train_again(struct world *world, int seed)
{
    auto_free char *patch = mem_format("{\"seed\": %d}", seed);
    world_edit(world, MODEL, patch);
    world_settle(world);
    world_succeed(world);
    world_settle(world);
}

static void pin(struct world *world, const char *version)
{
    auto_free char *patch = mem_format("{\"pinnedVersion\": \"%s\"}", version);
    world_edit(world, MODEL, patch);
    world_settle(world);
}

/* Two versions, the second one in use; their folders are where the controller may look. */
static void start(struct world *world, const char **ret_first, const char **ret_second)
{
    world_init(world);
    world->folder_uri = "file:///data/weekly/models/bank.m/";
    world_add_model(world);
    world_edit(world, MODEL, "{\"artifacts\": {\"uri\": \"file:///data/weekly/models/\"}}");
    world_settle(world);
    world_succeed(world);
    world_settle(world);
    *ret_first = version_in_use(world);
    world->auc = "0.88";
    train_again(world, 1);
    *ret_second = version_in_use(world);
    assert_string_not_equal(*ret_first, *ret_second);
}

static void test_roll_back(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    int writes = world.status_writes;
    pin(&world, first);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(figure_in_use(&world), "0.87");
    assert_string_equal(world_status(&world, MODEL, "model", "imageDigest", NULL), DIGEST_A);
    assert_string_equal(condition(&world, "Ready"), "True Pinned");
    assert_string_equal(condition(&world, "Promoted"), "False RolledBack");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_string_equal(world.last_event, "RolledBack");
    assert_int_equal(world.status_writes, writes + 1);
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_trainings_go_on_but_are_not_used(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    pin(&world, first);
    world.auc = "0.9";
    world.champion_auc = "0.87";
    train_again(&world, 2);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(jx_string(newest(&world), "outcome", NULL), "Pinned");
    assert_string_equal(condition(&world, "Promoted"), "False Pinned");
    assert_string_equal(condition(&world, "Trained"), "True Trained");
    assert_string_equal(condition(&world, "Ready"), "True Pinned");
    assert_non_null(strstr(world_message(&world, MODEL, "Promoted"), "auc 0.9"));
    world_release(&world);
}

/* What the pin held back is judged when it goes. */
static void test_without_the_pin_the_newest_is_judged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *challenger, *outcome, *event;
    } cases[] = { { "better", "0.9", "Promoted", "Promoted" },
                  { "worse", "0.8", "Kept", "Unpinned" } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        const char *first, *second;
        start(&world, &first, &second);
        pin(&world, first);
        world.auc = cases[i].challenger;
        world.champion_auc = "0.87";
        train_again(&world, 2);
        const char *third = arena_strdup(&world.arena, jx_string(newest(&world), "version", NULL));
        pin(&world, "");
        CASE(cases[i].name,
             strcmp(jx_string(newest(&world), "outcome", NULL), cases[i].outcome) == 0);
        CASE(cases[i].name, strcmp(world.last_event, cases[i].event) == 0);
        bool promoted = strcmp(cases[i].outcome, "Promoted") == 0;
        CASE(cases[i].name, strcmp(version_in_use(&world), promoted ? third : second) == 0);
        CASE(cases[i].name, strcmp(condition(&world, "Ready"), "True Trained") == 0);
        CASE(cases[i].name, world.created == 3);
        world_release(&world);
    }
}

/* Pinning and letting go ends where not pinning would have. */
static void test_without_the_pin_the_newest_promoted_version_is_in_use_again(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    pin(&world, first);
    pin(&world, "");
    assert_string_equal(version_in_use(&world), second);
    assert_string_equal(figure_in_use(&world), "0.88");
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    assert_string_equal(condition(&world, "Promoted"), "True Unpinned");
    world.auc = "0.86";
    world.champion_auc = "0.88";
    train_again(&world, 2);
    assert_string_equal(version_in_use(&world), second);
    assert_string_equal(jx_string(newest(&world), "champion", NULL), second);
    assert_string_equal(condition(&world, "Promoted"), "False Kept");
    world_release(&world);
}

/* A comparison with a version that is not in use any more says nothing about the one that is. */
static void test_a_comparison_with_another_version_does_not_count(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    pin(&world, first);
    world.auc = "0.8";
    world.champion_auc = "0.87";
    train_again(&world, 2);
    pin(&world, second);
    pin(&world, "");
    assert_string_equal(jx_string(newest(&world), "outcome", NULL), "Promoted");
    assert_null(strstr(world_message(&world, MODEL, "Promoted"), "0.87"));
    world_release(&world);
}

/* A version that history does not name (any more) is looked for in its folder. */
static void test_a_version_outside_of_history(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world_edit(&world, MODEL, "{\"historyLimit\": 1}");
    pin(&world, first);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(figure_in_use(&world), "");
    auto_free char *uri = mem_format("file:///data/weekly/models/bank.m/%s/", first);
    assert_string_equal(world_status(&world, MODEL, "model", "uri", NULL), uri);
    assert_string_equal(condition(&world, "Ready"), "True Pinned");
    world_release(&world);
}

static void test_a_version_that_is_not_there(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world.missing = "file:///data/weekly/models/bank.m/" OTHER "/model.json";
    pin(&world, OTHER);
    assert_string_equal(condition(&world, "Stalled"), "True VersionNotFound");
    assert_string_equal(world_message(&world, MODEL, "Stalled"),
                        "spec.pinnedVersion: file:///data/weekly/models/bank.m/" OTHER
                        "/model.json does not exist");
    assert_string_equal(version_in_use(&world), second);
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    world_add_batch(&world, "w1"); /* scores with what is there */
    world_settle(&world);
    assert_string_equal(world_status(&world, "ChurnBatch", "w1", "model", "version", NULL), second);
    world_succeed(&world);
    /* trainings go on, and the trouble is still told while one is at work */
    world_edit(&world, MODEL, "{\"seed\": 5}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Reconciling"), "True Training");
    assert_string_equal(condition(&world, "Stalled"), "True VersionNotFound");
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(version_in_use(&world), second);
    assert_string_equal(jx_string(newest(&world), "outcome", NULL), "Pinned");
    world.missing = NULL; /* somebody restores it: nothing else is needed */
    world.now_ms += 31000;
    world_settle(&world);
    assert_string_equal(version_in_use(&world), OTHER);
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    world_release(&world);
}

static void test_a_deleted_version_of_history(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world.missing =
        arena_format(&world.arena, "file:///data/weekly/models/bank.m/%s/model.json", first);
    pin(&world, first);
    assert_string_equal(condition(&world, "Stalled"), "True VersionNotFound");
    assert_string_equal(version_in_use(&world), second);
    pin(&world, "");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_string_equal(version_in_use(&world), second);
    world_release(&world);
}

/* Whoever is asked does not answer as it should: what batches need is not for the controller to
 * judge. */
static void test_a_folder_that_cannot_be_listed(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world.listing_fails = true;
    pin(&world, first);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(condition(&world, "Ready"), "True Pinned");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    world_release(&world);
}

/* Where the controller cannot look, the scorer says whether it is there. */
static void test_where_the_controller_cannot_look(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_edit(&world, MODEL, "{\"pinnedVersion\": \"" OTHER "\"}");
    world_settle(&world);
    assert_string_equal(version_in_use(&world), OTHER);
    assert_string_equal(condition(&world, "Ready"), "True Pinned");
    assert_non_null(world_running(&world)); /* the first training */
    world_add_batch(&world, "w1");
    world_settle(&world);
    assert_string_equal(world_status(&world, "ChurnBatch", "w1", "model", "version", NULL), OTHER);
    world_release(&world);
}

/* A batch does not check the image of a pinned model, nor wait for its trainings, but for the pin.
 */
static void test_batches_of_a_pinned_model(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world.missing = "file:///data/weekly/models/bank.m/" OTHER "/model.json";
    pin(&world, OTHER);
    assert_string_equal(condition(&world, "Stalled"), "True VersionNotFound");
    auto_free char *patch = mem_format("{\"pinnedVersion\": \"%s\"}", first);
    world_edit(&world, MODEL, patch);
    world_add_batch(&world, "w1");
    while (world_step(&world, "ChurnBatch", "w1"))
        ;
    assert_string_equal(world_condition(&world, "ChurnBatch", "w1", "ModelReady"),
                        "False CheckingVersion");
    world.trainer_digest = DIGEST_B;
    world_settle(&world);
    assert_string_equal(world_condition(&world, "ChurnBatch", "w1", "ModelReady"),
                        "True UsingPinned");
    assert_string_equal(world_status(&world, "ChurnBatch", "w1", "model", "version", NULL), first);
    assert_string_equal(world_status(&world, "ChurnBatch", "w1", "requiredDigest", NULL), "");
    world_release(&world);
}

static void test_the_pinned_version_is_kept(void **state)
{
    (void)state;
    struct world world;
    const char *first, *second;
    start(&world, &first, &second);
    world.missing = "file:///data/weekly/models/bank.m/" OTHER "/model.json";
    pin(&world, OTHER);
    world_edit(&world, MODEL, "{\"seed\": 3}");
    world_settle(&world);
    struct err err;
    const char *text = jx_string(world_get(&world, "Job", world_running(&world)), "spec",
                                 "template", "metadata", "annotations", JOB_ANNOTATION, NULL);
    auto_json json_t *document = jx_parse(span_of(text), 65536, "job", &err);
    const json_t *kept = json_object_get(document, "keepVersions");
    assert_int_equal(json_array_size(kept), 2);
    assert_string_equal(json_string_value(json_array_get(kept, 0)), OTHER);
    assert_string_equal(json_string_value(json_array_get(kept, 1)), second);
    world_release(&world);
}

static void test_what_is_no_version(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    pin(&world, "latest");
    assert_string_equal(condition(&world, "Stalled"), "True SpecInvalid");
    assert_int_equal(
        strncmp(world_message(&world, MODEL, "Stalled"), "spec.pinnedVersion: must", 24), 0);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll_back),
        cmocka_unit_test(test_trainings_go_on_but_are_not_used),
        cmocka_unit_test(test_without_the_pin_the_newest_is_judged),
        cmocka_unit_test(test_without_the_pin_the_newest_promoted_version_is_in_use_again),
        cmocka_unit_test(test_a_comparison_with_another_version_does_not_count),
        cmocka_unit_test(test_a_version_outside_of_history),
        cmocka_unit_test(test_a_version_that_is_not_there),
        cmocka_unit_test(test_a_deleted_version_of_history),
        cmocka_unit_test(test_a_folder_that_cannot_be_listed),
        cmocka_unit_test(test_where_the_controller_cannot_look),
        cmocka_unit_test(test_batches_of_a_pinned_model),
        cmocka_unit_test(test_the_pinned_version_is_kept),
        cmocka_unit_test(test_what_is_no_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
