/* Goal: the Jobs of a ChurnBatch: with which version they score, what they carry for queues, how
 * long they stay, and how several pods make one output. Method: as test_reconcile_batch.c. */
#include "contract/job.h"
#include "world.h"

#define MODEL "ChurnModel", "m"
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

/* --- versions ------------------------------------------------------------ */

#define PIN         "0123456789abcdef"
#define PINNED_FILE "file:///data/weekly/models/bank.m/" PIN "/model.json"

static void start_pinned(struct world *world, const char *artifacts, const char *missing)
{
    auto_free char *patch = mem_format("{\"artifacts\": {\"uri\": \"%s\"}}", artifacts);
    world_init_trained(world);
    world->missing = missing;
    world->trainer_digest = DIGEST_B; /* no freshness check: nobody notices */
    world_edit(world, "ChurnModel", "m", patch);
    world_add_batch(world, "b");
    world_edit(world, BATCH, "{\"modelVersion\": \"" PIN "\"}");
    world_settle(world);
}

static void test_a_pinned_version(void **state)
{
    (void)state;
    static const struct {
        const char *name, *artifacts, *missing, *model_ready;
        int created;
    } cases[] = {
        { "there", "file:///data/weekly/models/", NULL, "True UsingPinned", 1 },
        { "not there", "file:///data/weekly/models/", PINNED_FILE, "False VersionNotFound", 0 },
        { "only the scorer can see", "file:///data/models/", NULL, "True UsingPinned", 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        start_pinned(&world, cases[i].artifacts, cases[i].missing);
        CASE(cases[i].name, strcmp(condition(&world, "ModelReady"), cases[i].model_ready) == 0);
        CASE(cases[i].name, world.created == cases[i].created);
        if (cases[i].created) {
            auto_free char *uri = mem_format("%sbank.m/" PIN "/", cases[i].artifacts);
            CASE(cases[i].name,
                 strcmp(world_status(&world, BATCH, "model", "uri", NULL), uri) == 0);
            CASE(cases[i].name,
                 strcmp(world_status(&world, BATCH, "model", "version", NULL), PIN) == 0);
        }
        world_release(&world);
    }
}

/* The folder of a version may be restored: the batch looks again by itself. */
static void test_a_version_that_comes_later(void **state)
{
    (void)state;
    struct world world;
    start_pinned(&world, "file:///data/weekly/models/", PINNED_FILE);
    assert_string_equal(condition(&world, "Ready"), "False WaitingForModel");
    assert_non_null(strstr(world_message(&world, BATCH, "ModelReady"), PINNED_FILE));
    world.missing = NULL;
    world.now_ms += 30000;
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    world_release(&world);
}

/* A version that is in use needs no look at its folder. */
static void test_the_current_version_pinned(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    auto_free char *patch =
        mem_format("{\"modelVersion\": \"%s\"}",
                   world_status(&world, "ChurnModel", "m", "model", "version", NULL));
    world_add_batch(&world, "b");
    world_edit(&world, BATCH, patch);
    world_settle(&world);
    assert_string_equal(condition(&world, "ModelReady"), "True UsingPinned");
    assert_string_equal(world_status(&world, BATCH, "model", "imageDigest", NULL), DIGEST_A);
    assert_int_equal(world.folder_count, 0);
    world_release(&world);
}

/* --- drift --------------------------------------------------------------- */

static void end_with_drift(struct world *world, int64_t rows, const char *psi)
{
    const char *job = arena_strdup(&world->arena, world_running(world));
    world_succeed(world);
    json_t *pod = json_array_get(json_object_get(world->pods, job), 0);
    json_t *container = json_array_get(jx_get(pod, "status", "containerStatuses", NULL), 0);
    json_object_set_new(
        jx_get(container, "state", "terminated", NULL), "message",
        json_sprintf(
            "{\"outcome\": \"Scored\", \"model\": {\"version\": \"" PIN "\"}, \"input\": {}, "
            "\"output\": {\"uri\": \"file:///out/b.csv\"}, \"rows\": {\"read\": %" PRId64
            ", \"scored\": %" PRId64 ", \"rejected\": 0}, \"scores\": {\"aboveThreshold\": 0}, "
            "\"drift\": {\"max\": \"%s\", \"feature\": \"Age\", \"features\": [{\"name\": "
            "\"Age\", \"psi\": \"%s\"}]}}",
            rows, rows, psi, psi));
    world_settle(world);
}

static void test_drift_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch;
        int64_t rows;
        const char *psi;
        int warnings;
    } cases[] = {
        { "as it was", "{}", 1000, "0.0999", 0 },
        { "shifted", "{}", 1000, "0.1", 1 },
        { "few rows say little", "{}", 199, "0.5", 0 },
        { "never", "{\"drift\": {\"warn\": \"\"}}", 1000, "0.5", 0 },
        { "later", "{\"drift\": {\"warn\": \"0.6\"}}", 1000, "0.5", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        end_with_drift(&world, cases[i].rows, cases[i].psi);
        CASE(cases[i].name, world.warnings == cases[i].warnings);
        CASE(cases[i].name,
             strcmp(world_status(&world, BATCH, "drift", "max", NULL), cases[i].psi) == 0);
        CASE(cases[i].name, strcmp(condition(&world, "Complete"), "True Scored") == 0);
        world_release(&world);
    }
}

static void test_too_much_drift(void **state)
{
    (void)state;
    struct world world;
    world_init_trained(&world);
    world_add_batch(&world, "b");
    world_settle(&world);
    world_fail(&world, 65,
               "{\"outcome\": \"Failed\", \"exitCode\": 65, \"reason\": \"DriftExceeded\", "
               "\"message\": \"column Age: PSI 0.5\"}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Failed"), "True DriftExceeded");
    assert_string_equal(world.last_event, "DriftExceeded");
    assert_int_equal(world.warnings, 1);
    world_release(&world);
}

/* --- shards -------------------------------------------------------------- */

static json_t *job_spec(const struct world *world)
{
    return json_object_get(world_get(world, "Job", world_running(world)), "spec");
}

/* The job document of the Job at work. */
static json_t *document(const struct world *world)
{
    const char *text =
        jx_string(job_spec(world), "template", "metadata", "annotations", JOB_ANNOTATION, NULL);
    return jx_parse(span_of(text), strlen(text), "document", NULL);
}

static int64_t shards(const struct world *world, const char *member)
{
    return jx_int(jx_get(world_get(world, BATCH), "status", "shards", NULL), member, -1);
}

static void start_shards(struct world *world, const char *patch)
{
    world_init_trained(world);
    world_add_batch(world, "b");
    world_edit(world, BATCH, patch);
    world_settle(world);
}

static void test_shards_are_composed(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 40, \"backoffLimit\": 2}");
    auto_json json_t *score = document(&world);
    const json_t *spec = job_spec(&world);
    assert_string_equal(jx_string(spec, "completionMode", NULL), "Indexed");
    assert_int_equal(jx_int(spec, "completions", 0), 40);
    assert_int_equal(jx_int(spec, "parallelism", 0), 32);
    assert_int_equal(jx_int(spec, "backoffLimitPerIndex", 0), 2);
    assert_int_equal(jx_int(spec, "maxFailedIndexes", -1), 0);
    assert_null(json_object_get(spec, "backoffLimit"));
    assert_int_equal(jx_int(json_object_get(score, "shard"), "count", 0), 40);
    assert_int_equal(shards(&world, "total"), 40);
    assert_int_equal(shards(&world, "succeeded"), 0);
    world_succeed(&world);
    world_settle(&world);
    auto_json json_t *compose = document(&world);
    assert_int_equal(shards(&world, "succeeded"), 40);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    assert_non_null(strstr(world_running(&world), "b-c"));
    assert_null(json_object_get(job_spec(&world), "completionMode"));
    assert_string_equal(jx_string(compose, "kind", NULL), "Compose");
    assert_int_equal(jx_int(json_object_get(compose, "shard"), "count", 0), 40);
    const char *parts = jx_string(compose, "parts", NULL);
    assert_int_equal(strncmp(parts, "file:///out/b.csv.parts/", 24), 0);
    json_object_set_new(compose, "kind", json_string("Score")); /* the rest is the same */
    json_object_del(compose, "parts");
    assert_true(json_equal(score, compose));
    world_succeed(&world);
    world_settle(&world);
    assert_string_equal(condition(&world, "Complete"), "True Scored");
    assert_int_equal(world.created, 2);
    assert_int_equal(world.status_writes, 3 + 1); /* one is the model's: Skipped */
    world_release(&world);
}

/* How many shards a file gets. */
static void test_shards_by_size(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch;
        int64_t bytes, total; /* total -1: not sharded */
    } cases[] = {
        { "small", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}",
          268435456, -1 },
        { "larger", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}",
          268435457, 2 },
        { "folder", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/\"}}", 805306368,
          3 },
        { "huge", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}",
          INT64_MAX / 2, 256 },
        { "compressed", "{\"shards\": 0, \"input\": {\"uri\": \"file:///data/weekly/a.csv.gz\"}}",
          805306368, -1 },
        { "compressed all the same",
          "{\"shards\": 4, \"input\": {\"uri\": \"file:///data/weekly/a.csv.zst\"}}", 0, -1 },
        { "as asked", "{\"shards\": 4, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}", 0,
          4 },
        { "not visible", "{\"shards\": 4}", 0, 4 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world.newest = "file:///data/weekly/w7.csv";
        world.generation = "g7";
        world.bytes = cases[i].bytes;
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        CASE(cases[i].name, shards(&world, "total") == cases[i].total);
        CASE(cases[i].name, world.created == 1);
        world_release(&world);
    }
}

static void test_size_has_to_be_visible(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 0}");
    assert_string_equal(condition(&world, "Stalled"), "True NotVisibleToController");
    assert_non_null(strstr(world_message(&world, BATCH, "Stalled"), "with spec.shards 0"));
    world_edit(&world, BATCH, "{\"shards\": 2}");
    world_settle(&world);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    world_release(&world);
}

/* All pods read the same: what a look at the file found is what they are told. */
static void test_shards_have_a_generation(void **state)
{
    (void)state;
    static const struct {
        const char *patch, *generation;
    } cases[] = {
        { "{\"shards\": 2, \"input\": {\"uri\": \"file:///data/weekly/a.csv\"}}", "seen" },
        { "{\"shards\": 2, \"input\": {\"uri\": \"file:///data/weekly/a.csv\", \"generation\": "
          "\"given\"}}",
          "given" },
        { "{\"shards\": 1, \"input\": {\"uri\": \"file:///data/weekly/a.csv\", \"generation\": "
          "\"given\"}}",
          "given" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world.generation = "seen";
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        auto_json json_t *job = document(&world);
        assert_string_equal(jx_string(job, "input", "generation", NULL), cases[i].generation);
        assert_string_equal(world_status(&world, BATCH, "input", "generation", NULL),
                            cases[i].generation);
        world_release(&world);
    }
}

static void fail_shard(struct world *world, const char *failed)
{
    const char *job = arena_strdup(&world->arena, world_running(world));
    world_fail(world, 65,
               "{\"outcome\": \"Failed\", \"exitCode\": 65, \"reason\": \"DataInvalid\", "
               "\"message\": \"b.csv line 17: 12 fields, header has 13\"}");
    json_t *status = json_object_get(world_get(world, "Job", job), "status");
    json_object_set_new(status, "failedIndexes", json_string(failed));
    json_object_set_new(status, "succeeded", json_integer(1));
}

/* A run that failed leaves no parts behind, and is Failed at once. */
static void test_parts_of_a_failed_run_are_removed(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 3, \"ttlSecondsAfterFinished\": 60}");
    fail_shard(&world, "1");
    world_settle(&world);
    assert_string_equal(condition(&world, "Failed"), "True DataInvalid");
    assert_non_null(strstr(world_message(&world, BATCH, "Failed"), "line 17"));
    assert_int_equal(shards(&world, "succeeded"), 1);
    assert_int_equal(shards(&world, "failed"), 1);
    auto_json json_t *discard = document(&world);
    assert_string_equal(jx_string(discard, "kind", NULL), "Compose");
    assert_true(jx_bool(discard, "discard", false));
    assert_int_equal(world.expired, 0); /* not before all is over */
    world_succeed(&world);
    world_settle(&world);
    assert_null(jx_get(world_get(&world, BATCH), "status", "shards", "discarding", NULL));
    assert_string_equal(condition(&world, "Failed"), "True DataInvalid");
    assert_int_equal(world.created, 2);
    assert_int_equal(world.expired, 2);
    assert_false(world_step(&world, BATCH));
    world_release(&world);
}

/* Another try waits until the parts of the one before are gone: they may be the same. */
static void test_another_try_waits_for_the_removal(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 3}");
    fail_shard(&world, "");
    world_settle(&world);
    assert_int_equal(shards(&world, "failed"), 1);
    const char *discard = arena_strdup(&world.arena, world_running(&world));
    world_edit(&world, BATCH, "{\"retryToken\": \"2\"}");
    world_settle(&world);
    assert_string_equal(world_running(&world), discard);
    assert_string_equal(condition(&world, "Ready"), "False Pending");
    assert_string_equal(condition(&world, "Failed"), "True DataInvalid");
    world_succeed(&world);
    world_settle(&world);
    assert_int_equal(world.created, 3);
    assert_string_equal(condition(&world, "Ready"), "False Running");
    assert_string_equal(condition(&world, "Failed"), "False NotFailed");
    assert_int_equal(shards(&world, "succeeded"), 0);
    world_release(&world);
}

/* A removal that fails is told, and does not change what became of the run. */
static void test_a_failed_removal(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 3}");
    world_end(&world, "Failed", "DeadlineExceeded", "too late");
    world_settle(&world);
    assert_int_equal(shards(&world, "failed"), 0);
    world_fail(&world, 77, "permission denied");
    world.warnings = 0;
    world_settle(&world);
    assert_int_equal(world.warnings, 1);
    assert_string_equal(condition(&world, "Failed"), "True DeadlineExceeded");
    assert_int_equal(world.created, 2);
    world_release(&world);
}

static void test_suspended_between_shards_and_output(void **state)
{
    (void)state;
    struct world world;
    start_shards(&world, "{\"shards\": 3}");
    world_succeed(&world);
    world_settle(&world);
    world_edit(&world, BATCH, "{\"suspend\": true}");
    world_settle(&world);
    assert_null(world_running(&world));
    world_edit(&world, BATCH, "{\"suspend\": false}");
    world_settle(&world);
    auto_json json_t *compose = document(&world);
    assert_string_equal(jx_string(compose, "kind", NULL), "Compose");
    assert_int_equal(world.created, 3); /* the shards are not scored again */
    world_release(&world);
}

/* What the pods of the Job that was made last have of the model or of the batch itself. */
static const char *pods_of_last_job(struct world *world)
{
    const json_t *pod =
        jx_get(world_get(world, "Job", world_last_job(world)), "spec", "template", "spec", NULL);
    const json_t *secret = json_array_get(json_object_get(pod, "imagePullSecrets"), 0);
    bool has_credentials = false;
    const json_t *volumes = json_object_get(pod, "volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const char *name = jx_string(json_array_get(volumes, i), "secret", "secretName", NULL);
        has_credentials |= name && strcmp(name, "bucket-key") == 0;
    }
    return arena_format(&world->arena, "%d %s %d",
                        (int)jx_int(json_object_get(pod, "securityContext"), "runAsUser", 0),
                        secret ? jx_string(secret, "name", NULL) : "none", has_credentials);
}

/* All Jobs of a run are alike, though the model was edited and deleted since it was decided. */
static void test_later_jobs_without_the_model(void **state)
{
    (void)state;
    static const struct {
        const char *name, *patch, *pods;
        int fails; /* the exit code of the first Job; -1: it is lost */
        char letter;
    } cases[] = {
        { "lost", "{}", "5 regcred 1", -1, 's' },
        { "lost, with settings of its own", "{\"podTemplate\": {\"runAsUser\": 7}}", "7 regcred 1",
          -1, 's' },
        { "composed", "{\"shards\": 2}", "5 regcred 1", 0, 'c' },
        { "composed, with settings of its own",
          "{\"shards\": 2, \"podTemplate\": {\"runAsUser\": 7}, \"credentials\": {\"secretRef\": "
          "{\"name\": \"mine\"}}}",
          "7 regcred 0", 0, 'c' },
        { "parts removed", "{\"shards\": 2}", "5 regcred 1", 65, 'c' },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world world;
        world_init_trained(&world);
        world_edit(&world, MODEL,
                   "{\"podTemplate\": {\"runAsUser\": 5}, \"imagePullSecrets\": [{\"name\": "
                   "\"regcred\"}], \"credentials\": {\"secretRef\": {\"name\": "
                   "\"bucket-key\"}}}");
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, cases[i].patch);
        world_settle(&world);
        CASE(cases[i].name, strcmp(pods_of_last_job(&world), cases[i].pods) == 0);
        world_edit(&world, MODEL, "{\"podTemplate\": {\"runAsUser\": 6}}");
        world_settle(&world);
        world_remove(&world, MODEL);
        if (cases[i].fails < 0)
            world_remove(&world, "Job", world_running(&world));
        else if (cases[i].fails > 0)
            world_fail(&world, cases[i].fails, "bad");
        else
            world_succeed(&world);
        world_settle(&world);
        CASE(cases[i].name, world.created == 2);
        auto_free char *prefix = mem_format("b-%c", cases[i].letter);
        CASE(cases[i].name, strncmp(world_last_job(&world), prefix, 3) == 0);
        CASE(cases[i].name, strcmp(pods_of_last_job(&world), cases[i].pods) == 0);
        world_succeed(&world);
        world_settle(&world);
        CASE(cases[i].name, world.created == 2);
        world_release(&world);
    }
}

/* The run was decided by a version that did not record what pods have of the model; one of this
 * version has recorded that they have nothing. */
static void test_later_jobs_of_an_older_controller(void **state)
{
    (void)state;
    for (int recorded = 0; recorded < 2; recorded++) {
        struct world world;
        world_init_trained(&world);
        world_add_batch(&world, "b");
        world_edit(&world, BATCH, "{\"shards\": 2}");
        world_settle(&world);
        if (!recorded)
            json_object_del(json_object_get(world_get(&world, BATCH), "status"), "pods");
        world_edit(&world, MODEL, "{\"podTemplate\": {\"runAsUser\": 5}}");
        world_succeed(&world);
        world_settle(&world);
        assert_int_equal(world.created, 2);
        assert_string_equal(pods_of_last_job(&world), recorded ? "0 none 0" : "5 none 0");
        world_release(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queued_job),
        cmocka_unit_test(test_time_to_live),
        cmocka_unit_test(test_a_pinned_version),
        cmocka_unit_test(test_a_version_that_comes_later),
        cmocka_unit_test(test_the_current_version_pinned),
        cmocka_unit_test(test_drift_is_told),
        cmocka_unit_test(test_too_much_drift),
        cmocka_unit_test(test_shards_are_composed),
        cmocka_unit_test(test_shards_by_size),
        cmocka_unit_test(test_size_has_to_be_visible),
        cmocka_unit_test(test_shards_have_a_generation),
        cmocka_unit_test(test_parts_of_a_failed_run_are_removed),
        cmocka_unit_test(test_another_try_waits_for_the_removal),
        cmocka_unit_test(test_a_failed_removal),
        cmocka_unit_test(test_suspended_between_shards_and_output),
        cmocka_unit_test(test_later_jobs_without_the_model),
        cmocka_unit_test(test_later_jobs_of_an_older_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
