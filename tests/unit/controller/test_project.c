/* Goal: what the cache keeps of an object is enough to decide by, and no more; pods are boiled
 * down to what became of their Job.
 * Method: objects as the API server sends them, with what is expected to remain. */
#include "unit.h"

#include "base/limits.h"
#include "base/prune.h"
#include "project.h"

static json_t *parse(const char *text)
{
    struct err err;
    json_t *value = jx_parse(span_of(text), LIMIT_JSON_DOCUMENT, "test", &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static void expect(const char *name, json_t *take_found, const char *expected)
{
    auto_json json_t *found = take_found, *wanted = parse(expected);
    auto_free char *left = jx_canonical(found), *right = jx_canonical(wanted);
    if (strcmp(left, right) != 0)
        fail_msg("%s: %s, not %s", name, left, right);
}

#define CONDITION                                                                                  \
    "{\"type\": \"Complete\", \"status\": \"True\", \"reason\": \"Scored\", \"message\": \"\", "   \
    "\"lastTransitionTime\": \"2026-01-01T00:00:00Z\"}"

/* What is parsed of an object when it comes. */
static json_t *parse_read(const char *text, const char *const *paths)
{
    auto_buf struct buf storage = { .maximum = LIMIT_JSON_DOCUMENT };
    struct span read = pick(span_of(text), paths, &storage);
    struct err err;
    json_t *value = jx_parse(read, LIMIT_JSON_DOCUMENT, "test", &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

#define KEPT_METADATA                                                                              \
    "\"name\":\"m\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"generation\":3," \
    "\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"deletionTimestamp\":\"2026-01-02T00:00:"     \
    "00Z\""

static void test_models(void **state)
{
    (void)state;
    auto_buf struct buf storage = { .maximum = LIMIT_JSON_DOCUMENT };
    struct span kept = project_model(
        span_of("{\"apiVersion\":\"x\",\"metadata\":{\"labels\":{\"l\":\"1\"}," KEPT_METADATA
                ",\"managedFields\":[]},\"spec\":{ \"a\":1.0},\"status\":{\"history\":[{}]},"
                "\"kind\":\"k\"}"),
        &storage);
    assert_true(span_equals(kept, "{\"metadata\":{" KEPT_METADATA "},\"spec\":{ \"a\":1.0},"
                                  "\"status\":{\"history\":[{}]}}"));
}

#define BATCH(generation, seen, shards)                                                            \
    "{\"metadata\": {\"name\": \"b\", \"generation\": " #generation ", \"managedFields\": [], "    \
    "\"ownerReferences\": [{}]}, \"spec\": {\"a\": 1, \"ttlSecondsAfterFinished\": 9}, "           \
    "\"status\": {\"observedGeneration\": " #seen ", \"rows\": {\"read\": 1}, " shards             \
    "\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}, " CONDITION "]}}"

static void test_batches(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool over;
    } cases[] = {
        { "finished", BATCH(2, 2, ""), true },
        { "parts are gone", BATCH(2, 2, "\"shards\": {\"discarding\": false}, "), true },
        { "edited since", BATCH(3, 2, ""), false },
        { "parts are being removed", BATCH(2, 2, "\"shards\": {\"discarding\": true}, "), false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf storage = { .maximum = LIMIT_JSON_DOCUMENT };
        auto_json json_t *object = parse_read(cases[i].text, project_batch_reads);
        auto_json json_t *whole = parse(cases[i].text);
        struct span text = project_batch(span_of(cases[i].text), object, &storage);
        auto_json json_t *kept = jx_parse(text, LIMIT_JSON_DOCUMENT, cases[i].name, NULL);
        CASE(cases[i].name, batch_is_over(object) == cases[i].over);
        json_object_del(json_object_get(whole, "metadata"), "managedFields");
        json_object_del(json_object_get(whole, "metadata"), "ownerReferences");
        auto_free char *rest = jx_canonical(whole);
        expect(cases[i].name, TAKE(kept),
               cases[i].over ? "{\"metadata\": {\"name\": \"b\", \"generation\": 2}, \"spec\": "
                               "{\"ttlSecondsAfterFinished\": 9}, \"status\": "
                               "{\"observedGeneration\": 2, \"conditions\": [" CONDITION "]}}"
                             : rest);
    }
}

/* What a reconciler sees of a Job that the cache has kept; all of it is what it was before. */
static struct job_view keep_job(const json_t *job, struct arena *arena)
{
    auto_buf struct buf blob = { .maximum = LIMIT_JSON_DOCUMENT };
    struct job_view before, kept;

    job_view_decode(job, arena, &before);
    job_view_pack(&before, &blob);
    job_view_unpack((struct span){ blob.data, blob.length }, arena, &kept);
#define SAME_TEXT(member)                                                                          \
    assert_true((before.member == NULL) == (kept.member == NULL));                                 \
    assert_true(!kept.member ||                                                                    \
                (kept.member != before.member && strcmp(kept.member, before.member) == 0))
    assert_true(!kept.name && !kept.uid && !kept.resource_version);
    SAME_TEXT(owner_uid);
    SAME_TEXT(run_key);
    SAME_TEXT(template_hash);
    SAME_TEXT(keep_versions);
    SAME_TEXT(reason);
    SAME_TEXT(message);
    assert_int_equal(kept.attempt, before.attempt);
    assert_int_equal(kept.state, before.state);
    assert_int_equal(kept.active, before.active);
    assert_int_equal(kept.ready, before.ready);
    assert_int_equal(kept.succeeded, before.succeeded);
    assert_int_equal(kept.failed_indexes, before.failed_indexes);
    assert_int_equal(kept.started_ms, before.started_ms);
    assert_int_equal(kept.suspended, before.suspended);
    assert_int_equal(kept.ttl_seconds.set, before.ttl_seconds.set);
    assert_int_equal(kept.ttl_seconds.value, before.ttl_seconds.value);
    assert_int_equal(kept.deleting, before.deleting);
    return kept;
}

static void test_jobs(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    auto_json json_t *job = parse_read(
        "{\"metadata\": {\"name\": \"j\", \"uid\": \"u\", \"labels\": {\"churnops.io/run\": \"r\", "
        "\"other\": \"x\"}, \"annotations\": {\"churnops.io/attempt\": \"2\", "
        "\"churnops.io/template\": \"t\", \"churnops.io/keep-versions\": \"\"}, "
        "\"ownerReferences\": [{\"apiVersion\": "
        "\"churnops.io/v1alpha1\", \"kind\": \"ChurnModel\", \"name\": \"m\", \"uid\": \"o\", "
        "\"controller\": true}]}, \"spec\": {\"suspend\": true, \"ttlSecondsAfterFinished\": 9}, "
        "\"status\": "
        "{\"startTime\": \"2026-01-01T00:00:00Z\", \"active\": 1, \"ready\": 1, \"conditions\": "
        "[{\"type\": "
        "\"FailureTarget\", \"status\": \"True\"}, {\"type\": \"Complete\", \"status\": "
        "\"False\"}]}}",
        project_job_reads);
    struct job_view view = keep_job(job, &arena);
    assert_string_equal(view.owner_uid, "o");
    assert_string_equal(view.keep_versions, "");
    assert_string_equal(view.run_key, "r");
    assert_string_equal(view.template_hash, "t");
    assert_int_equal(view.attempt, 2);
    assert_int_equal(view.active, 1);
    assert_int_equal(view.ready, 1);
    assert_true(view.suspended);
    assert_int_equal(view.ttl_seconds.value, 9);
    assert_int_equal(view.state, JOB_UNFINISHED); /* neither condition counts */
    assert_true(view.started_ms == 1767225600000);
    json_array_append_new(
        json_object_get(json_object_get(job, "status"), "conditions"),
        json_pack("{ss ss ss}", "type", "Failed", "status", "True", "reason", "DeadlineExceeded"));
    view = keep_job(job, &arena);
    assert_int_equal(view.state, JOB_FAILED);
    assert_string_equal(view.reason, "DeadlineExceeded");
}

static void test_strangers(void **state)
{
    (void)state;
    auto_json json_t *job =
        parse_read("{\"metadata\": {\"ownerReferences\": [{\"apiVersion\": \"batch/v1\", \"kind\": "
                   "\"CronJob\", \"uid\": \"o\", \"controller\": true}, {\"apiVersion\": "
                   "\"churnops.io/v1alpha1\", \"kind\": \"ChurnModel\", \"uid\": \"p\"}]}}",
                   project_job_reads);
    assert_null(job_owner_uid(job));
}

#define POD(state)                                                                                 \
    "{\"status\": {\"containerStatuses\": [{\"name\": \"istio\", \"state\": {}}, {\"name\": "      \
    "\"churn\", \"state\": {" state "}}]}}"
#define ENDED(code, time, reason, message)                                                         \
    POD("\"terminated\": {\"exitCode\": " #code ", \"finishedAt\": \"2026-01-01T00:00:" time       \
        "Z\", \"reason\": \"" reason "\", \"message\": \"" message "\"}")

static bool ended_so(const struct pod_end *end, const char *result)
{
    return result ? end->ended && strcmp(end->result, result) == 0 : !end->ended;
}

static void test_pods(void **state)
{
    (void)state;
    static const struct {
        const char *name, *items;
        const char *succeeded, *failed; /* results; NULL: no pod ended so */
        int64_t exit_code;              /* of the failed one */
        const char *trouble;
    } cases[] = {
        { "not known", NULL, NULL, NULL, 0, NULL },
        { "none", "[]", NULL, NULL, 0, "there is no pod: kubectl describe job j says why" },
        { "one", "[" ENDED(65, "01", "Error", "bad") "]", NULL, "bad", 65, NULL },
        { "the last one",
          "[" ENDED(69, "03", "Error", "third") ", " ENDED(69, "02", "Error", "second") "]", NULL,
          "third", 69, NULL },
        { "success counts",
          "[" ENDED(0, "01", "Completed", "done") ", " ENDED(143, "09", "Error", "stopped") "]",
          "done", "stopped", 143, NULL },
        { "who stopped the others",
          "[" ENDED(143, "09", "Error", "a") ", " ENDED(65, "01", "Error", "bad") ", " ENDED(
              143, "09", "Error", "b") "]",
          NULL, "bad", 65, NULL },
        { "memory", "[" ENDED(137, "01", "OOMKilled", "") "]", NULL, "", 137, NULL },
        { "no image",
          "[" POD("\"waiting\": {\"reason\": \"ErrImagePull\", \"message\": \"not found\"}") "]",
          NULL, NULL, 0, "ErrImagePull: not found" },
        { "no node",
          "[{\"status\": {\"conditions\": [{\"type\": \"PodScheduled\", \"status\": \"False\", "
          "\"reason\": \"Unschedulable\", \"message\": \"0/3 nodes\"}]}}]",
          NULL, NULL, 0, "Unschedulable: 0/3 nodes" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        auto_free char *text = mem_format("{\"items\": %s}", cases[i].items ?: "null");
        auto_json json_t *list = parse_read(text, project_pods_reads);
        struct pods_fact fact;
        pods_fact_decode("j", jx_get(list, "items", NULL), &arena, &fact);
        CASE(cases[i].name, ended_so(&fact.succeeded, cases[i].succeeded));
        CASE(cases[i].name, ended_so(&fact.failed, cases[i].failed));
        CASE(cases[i].name, fact.failed.exit_code == cases[i].exit_code);
        CASE(cases[i].name, fact.failed.out_of_memory == (cases[i].exit_code == 137));
        CASE(cases[i].name,
             cases[i].trouble ? strcmp(fact.trouble, cases[i].trouble) == 0 : fact.trouble == NULL);
    }
}

static void test_indexes(void **state)
{
    (void)state;
    static const struct {
        const char *failed;
        int64_t count;
    } cases[] = { { "", 0 },          { "3", 1 }, { "0,2", 2 }, { "1-3", 3 },
                  { "0-1,4,7-9", 6 }, { "x", 0 }, { "2-1", 0 } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        auto_free char *text =
            mem_format("{\"metadata\": {\"name\": \"j\"}, \"status\": {\"failedIndexes\": \"%s\", "
                       "\"succeeded\": 4}}",
                       cases[i].failed);
        auto_json json_t *job = parse_read(text, project_job_reads);
        struct job_view view = keep_job(job, &arena);
        CASE(cases[i].failed, view.failed_indexes == cases[i].count);
        CASE(cases[i].failed, view.succeeded == 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_jobs),   cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_pods),   cmocka_unit_test(test_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
