/* Goal: identities stay what they are, and change with what they stand for.
 * Method: fixed vectors; then one edit at a time. */
#include "unit.h"

#include "base/limits.h"
#include "contract/identity.h"
#include "contract/job.h"

#define TRAIN                                                                                      \
    "\"version\": 1, \"kind\": \"Train\", \"model\": \"bank/m\", \"artifacts\": {\"uri\": "        \
    "\"file:///models/\"}"
#define DATA "\"data\": {\"uri\": \"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\"}"

static void training_key(const char *members, char ret_key[IDENTITY_KEY])
{
    auto_arena struct arena arena = { 0 };
    struct err err;
    struct train_job job;
    auto_free char *text = mem_format("{" TRAIN ", %s}", members);
    auto_json json_t *document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "test", &err);
    if (!document || train_job_decode(document, &arena, &job, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    identity_training_spec(&job.training, ret_key);
}

static void test_fixed_vectors(void **state)
{
    (void)state;
    char spec[IDENTITY_KEY], run[IDENTITY_KEY], name[IDENTITY_NAME];
    training_key(DATA, spec);
    assert_string_equal(spec, "8b7d06782c83c51d4e0ccc4b4672e6eb");
    identity_training_run(spec, "", &(struct training_inputs){ .image_digest = "sha256:aa" }, run);
    assert_string_equal(run, "7e0c73b273e8855381c151d1f3b4ba03");
    identity_batch_run(spec, "1", run);
    assert_string_equal(run, "c73c175b4bd6e11c01aa40feb8ee6656");
    identity_job_name("retail-bank", 't', "uid", spec, 1, name);
    assert_string_equal(name, "retail-bank-tf228c93f1a");
}

static void test_training_spec(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        bool same;
    } cases[] = {
        { DATA, true },
        { DATA ", \"algorithm\": \"Auto\", \"seed\": 42, \"validation\": {}", true },
        { DATA ", \"validation\": {\"folds\": 5, \"holdout\": \"0.2\"}, \"parameters\": {}", true },
        { DATA ", \"runKey\": \"0123456789abcdef0123456789abcdef\"", true },
        { DATA ", \"keep\": 9, \"promotion\": {\"metric\": \"f1\"}", true },
        { "\"data\": {\"uri\": \"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\", "
          "\"generation\": \"1-2-3\"}",
          true },
        { "\"data\": {\"uri\": \"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\", "
          "\"sensitive\": [\"Sex\"]}",
          false },
        { DATA ", \"threshold\": {\"objective\": \"Profit\"}", false },
        { DATA ", \"seed\": 43", false },
        { DATA ", \"algorithm\": \"LogisticRegression\"", false },
        { DATA ", \"parameters\": {\"max_depth\": \"3\"}", false },
        { DATA ", \"validation\": {\"folds\": 4}", false },
        { "\"data\": {\"uri\": \"file:///i.csv\", \"target\": \"Exited\", \"id\": \"Id\"}", false },
        { "\"data\": {\"uri\": \"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\", "
          "\"drop\": [\"Age\"]}",
          false },
    };
    char expected[IDENTITY_KEY], found[IDENTITY_KEY];
    training_key(DATA, expected);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        training_key(cases[i].members, found);
        CASE(cases[i].members, (strcmp(expected, found) == 0) == cases[i].same);
    }
}

static void test_parts_do_not_run_together(void **state)
{
    (void)state;
    char left[IDENTITY_KEY], right[IDENTITY_KEY];
    struct training_inputs inputs = { .image_digest = "d" };
    identity_training_run("ab", "c", &inputs, left);
    identity_training_run("a", "bc", &inputs, right);
    assert_string_not_equal(left, right);
    identity_batch_run("ab", "", right);
    inputs.image_digest = "";
    identity_training_run("ab", "", &inputs, left);
    assert_string_not_equal(left, right);
}

/* Each input makes another run. */
static void test_training_inputs(void **state)
{
    (void)state;
    static const struct training_inputs cases[] = {
        { .image_digest = "a" },
        { .image_digest = "b" },
        { .image_digest = "a", .data_uri = "file:///h.csv" },
        { .image_digest = "a", .data_uri = "file:///h.csv", .data_generation = "1" },
        { .image_digest = "a", .data_uri = "file:///h.csv", .data_generation = "2" },
        { .image_digest = "a", .data_uri = "file:///i.csv", .data_generation = "1" },
        { .image_digest = "a", .scheduled_ms = 1767225600000 },
        { .image_digest = "a", .scheduled_ms = 1767225660000 },
        { .image_digest = "a", .data_uri = "file:///h.csv", .scheduled_ms = 1767225600000 },
    };
    char keys[ARRAY_SIZE(cases)][IDENTITY_KEY];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        identity_training_run("spec", "", &cases[i], keys[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
}

static void test_batch_spec(void **state)
{
    (void)state;
    static const struct {
        const char *name, *model, *version, *input, *generation;
        int64_t reasons;
        const char *drift;
        bool overwrite, same;
    } cases[] = {
        { "same", "m", NULL, "file:///in.csv", NULL, 3, NULL, false, true },
        { "empty", "m", "", "file:///in.csv", "", 3, NULL, false, true },
        { "model", "n", NULL, "file:///in.csv", NULL, 3, NULL, false, false },
        { "version", "m", "0123456789abcdef", "file:///in.csv", NULL, 3, NULL, false, false },
        { "input", "m", NULL, "file:///other.csv", NULL, 3, NULL, false, false },
        { "generation", "m", NULL, "file:///in.csv", "7", 3, NULL, false, false },
        { "reasons", "m", NULL, "file:///in.csv", NULL, 0, NULL, false, false },
        { "drift", "m", NULL, "file:///in.csv", NULL, 3, "0.5", false, false },
        { "overwrite", "m", NULL, "file:///in.csv", NULL, 3, NULL, true, false },
    };
    char first[IDENTITY_KEY], found[IDENTITY_KEY];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct output_spec output = { .uri = "file:///out/", .overwrite = cases[i].overwrite };
        struct drift_spec drift = { .warn = { "0.1", 0.1 }, .fail = { cases[i].drift, 0.5 } };
        struct scoring_options scoring = { "Auto", cases[i].reasons, { "0.01", 0.01 }, &drift };
        struct batch_identity batch = { cases[i].model,      cases[i].version, cases[i].input,
                                        cases[i].generation, &output,          &scoring };
        identity_batch_spec(&batch, i == 0 ? first : found);
        CASE(cases[i].name, i == 0 || (strcmp(first, found) == 0) == cases[i].same);
    }
}

/* An absent version and a present generation are not the other way round. */
static void test_absent_members_have_no_place(void **state)
{
    (void)state;
    struct output_spec output = { .uri = "file:///out/" };
    struct scoring_options scoring = { "Auto", 3, { "0.01", 0.01 }, NULL };
    char left[IDENTITY_KEY], right[IDENTITY_KEY];
    identity_batch_spec(
        &(struct batch_identity){ "m", "7", "file:///in.csv", NULL, &output, &scoring }, left);
    identity_batch_spec(
        &(struct batch_identity){ "m", NULL, "file:///in.csv", "7", &output, &scoring }, right);
    assert_string_not_equal(left, right);
}

/* Names of inbox batches are Kubernetes names, tell people the file, and differ when it does. */
static void test_inbox_batches(void **state)
{
    (void)state;
    static const struct {
        const char *model, *file, *generation, *begin;
    } cases[] = {
        { "m", "file:///in/w7.csv", "1", "m-w7-" },
        { "m", "file:///in/w7.csv", "2", "m-w7-" },
        { "m", "file:///in/w7.csv.gz", "1", "m-w7-" },
        { "m", "file:///other/w7.csv", "1", "m-w7-" },
        { "n", "file:///in/w7.csv", "1", "n-w7-" },
        { "m", "file:///in/Kunden  W\xc3\xa4hrung_(7).csv", "1", "m-kunden-w-hrung-7-" },
        { "m", "file:///in/\xe9\xa1\xa7.csv", "1", "m-" },
        { "a-model-with-a-name-that-is-longer-than-all-others-in-this-test",
          "file:///in/and-a-file-with-a-name-that-is-as-long.csv", "1",
          "a-model-with-a-name-and-a-file-with-a-name-that-is-" },
    };
    char names[ARRAY_SIZE(cases)][IDENTITY_NAME];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        identity_inbox_batch(cases[i].model, cases[i].file, cases[i].generation, names[i]);
        CASE(names[i], strncmp(names[i], cases[i].begin, strlen(cases[i].begin)) == 0);
        CASE(names[i], strlen(names[i]) >= strlen(cases[i].begin) + 10);
        CASE(names[i], check_label(names[i], NULL) == 0);
        for (size_t j = 0; j < i; j++)
            CASE(names[i], strcmp(names[i], names[j]) != 0);
    }
}

/* Parts of another run are never taken for this one's. */
static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *spec_hash, *version, *input, *generation;
        int64_t count;
    } cases[] = {
        { "s", "v", "file:///in.csv", "1", 2 },    { "t", "v", "file:///in.csv", "1", 2 },
        { "s", "w", "file:///in.csv", "1", 2 },    { "s", "v", "file:///other.csv", "1", 2 },
        { "s", "v", "file:///in.csv", "2", 2 },    { "s", "v", "file:///in.csv", "1", 3 },
        { NULL, NULL, "file:///in.csv", NULL, 2 },
    };
    char keys[ARRAY_SIZE(cases)][IDENTITY_KEY];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        identity_parts(cases[i].spec_hash, cases[i].version, cases[i].input, cases[i].generation,
                       cases[i].count, keys[i]);
        for (size_t j = 0; j < i; j++)
            CASE(cases[i].input, strcmp(keys[i], keys[j]) != 0);
    }
    assert_string_equal(keys[0], "4ce7913314b5f32f6152f3d7b8faafff");
}

static void test_job_names(void **state)
{
    (void)state;
    char name[IDENTITY_NAME], other[IDENTITY_NAME];
    identity_job_name("a-name-of-forty-characters-cut-at-a-dash-here", 's', "uid", "key", 1, name);
    assert_int_equal(strncmp(name, "a-name-of-forty-characters-cut-at-a-dash-s", 42), 0);
    assert_int_equal(strlen(name), 52);
    identity_job_name("a-name-of-forty-characters-cut-at-a-das--here", 's', "uid", "key", 1, name);
    assert_int_equal(strncmp(name, "a-name-of-forty-characters-cut-at-a-das-s", 41), 0);
    identity_job_name("m", 's', "uid", "key", 1, name);
    identity_job_name("m", 's', "uid", "key", 2, other);
    assert_string_not_equal(name, other);
    identity_job_name("m", 's', "uid2", "key", 1, other);
    assert_string_not_equal(name, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_vectors),
        cmocka_unit_test(test_training_spec),
        cmocka_unit_test(test_parts_do_not_run_together),
        cmocka_unit_test(test_training_inputs),
        cmocka_unit_test(test_batch_spec),
        cmocka_unit_test(test_absent_members_have_no_place),
        cmocka_unit_test(test_inbox_batches),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_job_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
