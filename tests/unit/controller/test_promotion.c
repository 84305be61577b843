/* Goal: which of a model's versions is in use, and why; what a training is told to compare with and
 * to keep.
 * Method: trainings one after the other in a small world whose trainer measures what the test says;
 * status, history, Events and the documents of Jobs are looked at. */
#include "world.h"

#include "contract/job.h"

#define MODEL "ChurnModel", "m"

static const char *condition(struct world *world, const char *type)
{
    return world_condition(world, MODEL, type);
}

/* A model with one version in use, then another edit of its spec. */
static void train(struct world *world, const char *patch)
{
    world_init(world);
    world_add_model(world);
    world_edit(world, MODEL, patch);
    world_settle(world);
    world_succeed(world);
    world_settle(world);
}

/* Another training: of another seed. */
static void train_again(struct world *world, int seed)
{
    auto_free char *patch = mem_format("{\"seed\": %d}", seed);
    world_edit(world, MODEL, patch);
    world_settle(world);
    world_succeed(world);
    world_settle(world);
}

static const json_t *status_of(const struct world *world)
{
    return json_object_get(world_get(world, MODEL), "status");
}

static const json_t *history(const struct world *world, size_t index)
{
    return json_array_get(json_object_get(status_of(world), "history"), index);
}

static const char *version_in_use(const struct world *world)
{
    return arena_strdup((struct arena *)&world->arena,
                        world_status(world, MODEL, "model", "version", NULL));
}

static json_t *document_of(const struct world *world, const char *job)
{
    struct err err;
    const char *text = jx_string(world_get(world, "Job", job), "spec", "template", "metadata",
                                 "annotations", JOB_ANNOTATION, NULL);
    return jx_parse(span_of(text), 65536, "job", &err);
}

static void test_first_version_is_promoted(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    assert_string_equal(condition(&world, "Promoted"), "True Promoted");
    assert_string_equal(world.last_event, "Promoted");
    const json_t *entry = history(&world, 0);
    assert_string_equal(jx_string(entry, "version", NULL), version_in_use(&world));
    assert_string_equal(jx_string(entry, "outcome", NULL), "Promoted");
    assert_string_equal(jx_string(entry, "imageDigest", NULL), DIGEST_A);
    assert_string_equal(
        jx_string(json_array_get(json_object_get(entry, "metrics"), 0), "value", NULL), "0.87");
    assert_null(json_object_get(entry, "champion"));
    world_release(&world);
}

/* One version is in use when the second one is made. */
static void test_judging(void **state)
{
    (void)state;
    static const struct {
        const char *name, *promotion, *challenger, *champion;
        bool promoted;
        const char *message; /* a part of it */
    } cases[] = {
        { "better", "{}", "0.8671", "0.8640", true, "auc 0.8671, version " },
        { "equal", "{}", "0.8640", "0.8640", true, "" },
        { "worse", "{}", "0.8639", "0.8640", false, "auc 0.8639, version " },
        { "the figure of the other", "{}", "0.8639", "0.8640", false, ": 0.8640; " },
        { "better, not enough", "{\"minImprovement\": \"0.01\"}", "0.8739", "0.8640", false,
          "promotion.minImprovement is 0.01" },
        { "just enough in decimals", "{\"minImprovement\": \"0.01\"}", "0.874", "0.864", true, "" },
        { "not compared", "{}", "0.5", NULL, true, "auc 0.5" },
        { "not compared, below the minimum", "{\"minimum\": \"0.75\"}", "0.7499", NULL, false,
          "auc 0.7499 is below promotion.minimum 0.75" },
        { "better, below the minimum", "{\"minimum\": \"0.9\"}", "0.88", "0.8", false,
          "is below promotion.minimum 0.9" },
        { "at the minimum", "{\"minimum\": \"0.88\"}", "0.88", "0.8", true, "" },
        { "a metric that the result lacks", "{\"metric\": \"ks\", \"minimum\": \"0.1\"}", "0.9",
          NULL, false, "has no ks, of which promotion.minimum asks 0.1" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        auto_free char *patch = mem_format("{\"promotion\": %s}", cases[i].promotion);
        train(&world, "{}");
        const char *first = version_in_use(&world);
        world.auc = cases[i].challenger;
        world.champion_auc = cases[i].champion;
        world_edit(&world, MODEL, patch);
        train_again(&world, 7);
        const char *outcome = cases[i].promoted ? "Promoted" : "Kept";
        CASE(cases[i].name, world.created == 2);
        CASE(cases[i].name, (strcmp(version_in_use(&world), first) != 0) == cases[i].promoted);
        CASE(cases[i].name, strcmp(jx_string(history(&world, 0), "outcome", NULL), outcome) == 0);
        CASE(cases[i].name, strcmp(jx_string(history(&world, 0), "champion", NULL), first) == 0);
        CASE(cases[i].name, strcmp(condition(&world, "Promoted"),
                                   cases[i].promoted ? "True Promoted" : "False Kept") == 0);
        CASE(cases[i].name, strcmp(world.last_event, outcome) == 0);
        CASE(cases[i].name,
             strstr(world_message(&world, MODEL, "Promoted"), cases[i].message) != NULL);
        CASE(cases[i].name, strcmp(condition(&world, "Ready"), "True Trained") == 0);
        CASE(cases[i].name, strcmp(condition(&world, "Trained"), "True Trained") == 0);
        const char *figure = jx_string(
            json_array_get(json_object_get(status_of(&world), "metrics"), 0), "value", NULL);
        CASE(cases[i].name, strcmp(figure, cases[i].promoted ? cases[i].challenger : "0.87") == 0);
        world_release(&world);
    }
}

static void test_comparison_is_in_history(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    world.auc = "0.8";
    world.champion_auc = "0.85";
    train_again(&world, 7);
    const json_t *entry = history(&world, 0), *comparison = json_object_get(entry, "comparison");
    assert_string_equal(jx_string(comparison, "metric", NULL), "auc");
    assert_string_equal(jx_string(comparison, "challenger", NULL), "0.8");
    assert_string_equal(jx_string(comparison, "champion", NULL), "0.85");
    assert_int_equal(jx_int(comparison, "rows", 0), 100);
    assert_string_equal(jx_string(history(&world, 1), "outcome", NULL), "Promoted");
    world_release(&world);
}

static void test_first_version_below_the_minimum(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{\"promotion\": {\"minimum\": \"0.9\"}}");
    assert_string_equal(condition(&world, "Ready"), "False Kept");
    assert_string_equal(version_in_use(&world), "");
    world_add_batch(&world, "w1");
    world_settle(&world);
    assert_string_equal(world_condition(&world, "ChurnBatch", "w1", "ModelReady"),
                        "False ModelNotTrained");
    assert_non_null(strstr(world_message(&world, "ChurnBatch", "w1", "ModelReady"),
                           "auc 0.87 is below promotion.minimum 0.9"));
    world.auc = "0.91";
    train_again(&world, 7);
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    assert_non_null(world_running(&world)); /* the batch */
    world_release(&world);
}

/* What was not good enough to be the first is, once the user asks for less. */
static void test_a_lower_minimum(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{\"promotion\": {\"minimum\": \"0.9\"}}");
    assert_string_equal(condition(&world, "Stalled"), "True Kept");
    assert_string_equal(condition(&world, "Reconciling"), "False Idle");
    assert_non_null(strstr(world_message(&world, MODEL, "Stalled"), "change spec.promotion"));
    int events = world.events;
    world_edit(&world, MODEL, "{\"promotion\": {\"minimum\": \"0.88\"}}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Promoted"), "False Kept");
    assert_non_null(strstr(world_message(&world, MODEL, "Stalled"), "promotion.minimum 0.88"));
    assert_int_equal(world.events, events); /* the verdict is no news */
    world_edit(&world, MODEL, "{\"promotion\": {\"minimum\": \"0.8\"}}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Promoted"), "True Promoted");
    assert_string_equal(condition(&world, "Ready"), "True Trained");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    assert_string_equal(jx_string(history(&world, 0), "outcome", NULL), "Promoted");
    assert_string_equal(jx_string(history(&world, 0), "version", NULL), version_in_use(&world));
    assert_int_equal(world.created, 1);
    world_release(&world);
}

/* One that was not better than the version in use stays where it is: there is one to use. */
static void test_a_verdict_is_final_beside_a_version_in_use(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    const char *first = version_in_use(&world);
    world.auc = "0.8";
    world.champion_auc = "0.87";
    train_again(&world, 7);
    world_edit(&world, MODEL, "{\"promotion\": {\"minimum\": \"0.1\"}}");
    world_settle(&world);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(condition(&world, "Promoted"), "False Kept");
    assert_string_equal(condition(&world, "Stalled"), "False Healthy");
    world_release(&world);
}

/* The same content again, which is in use already: it stays, whatever is asked of new ones. */
static void test_the_version_in_use_again(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    const char *first = version_in_use(&world);
    world.trainer_digest = DIGEST_B;
    world.now_ms += 300001;
    world_edit(&world, MODEL, "{\"promotion\": {\"minimum\": \"0.99\"}}");
    world_settle(&world);
    json_t *job = world_get(&world, "Job", world_running(&world));
    assert_non_null(job);
    auto_free char *result = mem_format(
        "{\"outcome\": \"Trained\", \"model\": {\"version\": \"%s\"}, \"metrics\": []}", first);
    world_report(&world, result);
    world_settle(&world);
    assert_string_equal(version_in_use(&world), first);
    assert_string_equal(condition(&world, "Promoted"), "True Promoted");
    assert_int_equal(json_array_size(json_object_get(status_of(&world), "history")), 1);
    world_release(&world);
}

/* Of Jobs that ended so many are left as of versions: the last ones. */
static void test_finished_jobs_are_bounded(void **state)
{
    (void)state;
    struct world world;
    const char *jobs[5];
    train(&world, "{\"historyLimit\": 2}");
    for (int seed = 1; seed <= 4; seed++) {
        jobs[seed] = arena_strdup(&world.arena, world_last_job(&world));
        world.now_ms += 60000;
        train_again(&world, seed);
        assert_int_equal(world_jobs(&world), 2);
        assert_non_null(world_get(&world, "Job", jobs[seed]));
    }
    assert_int_equal(world.created, 5);
    assert_int_equal(world.deleted, 3);
    world_edit(&world, MODEL, "{\"seed\": 9, \"historyLimit\": 1}");
    world_settle(&world);
    assert_int_equal(world_jobs(&world), 2); /* one at work */
    assert_non_null(world_running(&world));
    world_succeed(&world); /* what it made is still to be read */
    world_settle(&world);
    assert_int_equal(world_jobs(&world), 1);
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "outcome", NULL), "Trained");
    world_release(&world);
}

/* The rules are those of the spec when it is valid: until then nothing is judged. */
static void test_an_invalid_spec_judges_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_add_model(&world);
    world_settle(&world);
    world_edit(&world, MODEL, "{\"promotion\": {\"metric\": \"brier\"}}");
    world_settle(&world);
    world_succeed(&world);
    while (world_step(&world, MODEL))
        assert_string_equal(condition(&world, "Stalled"), "True SpecInvalid");
    assert_string_equal(world_status(&world, MODEL, "lastTraining", "outcome", NULL), "Trained");
    assert_string_equal(jx_string(history(&world, 0), "outcome", NULL), "Pending");
    assert_string_equal(version_in_use(&world), "");
    world_edit(&world, MODEL, "{\"promotion\": {\"metric\": \"auc\"}}");
    world_settle(&world);
    assert_string_equal(jx_string(history(&world, 0), "outcome", NULL), "Promoted");
    assert_int_equal(world.created, 1);
    world_release(&world);
}

static void test_history_is_bounded(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{\"historyLimit\": 3}");
    for (int seed = 1; seed <= 4; seed++)
        train_again(&world, seed);
    const json_t *list = json_object_get(status_of(&world), "history");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(jx_string(history(&world, 0), "version", NULL), version_in_use(&world));
    world_edit(&world, MODEL, "{\"historyLimit\": 1}");
    world_settle(&world);
    list = json_object_get(status_of(&world), "history");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(jx_string(history(&world, 0), "version", NULL), version_in_use(&world));
    world_release(&world);
}

/* What the document says is in status before the Job, and is what status says when the Job is made
 * again. */
static void test_the_champion_is_decided_before_the_job(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    const char *first = version_in_use(&world);
    world_edit(&world, MODEL, "{\"seed\": 7}");
    world.budget = 1; /* the status is written, the Job is not */
    world_settle(&world);
    assert_true(world.killed);
    assert_null(world_running(&world));
    assert_string_equal(world_status(&world, MODEL, "training", "champion", "version", NULL),
                        first);
    world_restart(&world);
    world_settle(&world);
    auto_json json_t *document = document_of(&world, world_running(&world));
    assert_string_equal(jx_string(document, "champion", "version", NULL), first);
    assert_string_equal(jx_string(document, "champion", "uri", NULL),
                        world_status(&world, MODEL, "model", "uri", NULL));
    world_release(&world);
}

static void test_what_a_training_is_told(void **state)
{
    (void)state;
    struct world world;
    train(&world, "{}");
    auto_json json_t *plain = document_of(&world, world_last_job(&world));
    assert_null(json_object_get(plain, "keep"));
    assert_null(json_object_get(plain, "keepVersions"));
    assert_null(json_object_get(plain, "champion"));
    assert_null(json_object_get(plain, "promotion"));
    assert_null(jx_get(plain, "artifacts", "keep", NULL));
    const char *first = version_in_use(&world);
    world_add_batch(&world, "w1"); /* unfinished, names the first version */
    world_settle(&world);
    train_again(&world, 7); /* ends the batch's Job, not the training's */
    world_succeed(&world);
    world_settle(&world);
    const char *second = version_in_use(&world);
    assert_string_not_equal(second, first);
    world_add_batch(&world, "w2");
    world_settle(&world);
    world_edit(&world, MODEL,
               "{\"seed\": 8, \"promotion\": {\"metric\": \"ks\"}, \"artifacts\": {\"keep\": 2}}");
    world_settle(&world);
    auto_json json_t *document = document_of(&world, world_last_job(&world));
    const json_t *kept = json_object_get(document, "keepVersions");
    assert_int_equal(jx_int(document, "keep", 0), 2);
    assert_string_equal(jx_string(document, "promotion", "metric", NULL), "ks");
    assert_int_equal(json_array_size(kept), 1);
    assert_string_equal(json_string_value(json_array_get(kept, 0)), second);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_version_is_promoted),
        cmocka_unit_test(test_judging),
        cmocka_unit_test(test_comparison_is_in_history),
        cmocka_unit_test(test_first_version_below_the_minimum),
        cmocka_unit_test(test_a_lower_minimum),
        cmocka_unit_test(test_a_verdict_is_final_beside_a_version_in_use),
        cmocka_unit_test(test_the_version_in_use_again),
        cmocka_unit_test(test_finished_jobs_are_bounded),
        cmocka_unit_test(test_an_invalid_spec_judges_nothing),
        cmocka_unit_test(test_history_is_bounded),
        cmocka_unit_test(test_the_champion_is_decided_before_the_job),
        cmocka_unit_test(test_what_a_training_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
