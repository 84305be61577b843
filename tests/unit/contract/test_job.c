/* Goal: job documents are read strictly, written without defaults, and survive the round
 * trip; what is wrong is named by path.
 * Method: a table of documents with one offence each. */
#include "unit.h"

#include "base/limits.h"
#include "contract/identity.h"
#include "contract/job.h"

#define TRAIN                                                                                      \
    "{\"version\": 1, \"kind\": \"Train\", \"model\": \"bank/m\", \"runKey\": "                    \
    "\"0123456789abcdef0123456789abcdef\", \"data\": {\"uri\": \"file:///h.csv\", \"target\": "    \
    "\"Exited\", \"id\": \"Id\"}, \"artifacts\": {\"uri\": \"file:///models/\"}"
#define SCORE                                                                                      \
    "{\"version\": 1, \"kind\": \"Score\", \"batch\": \"bank/b\", \"model\": {\"uri\": "           \
    "\"file:///models/v/\", \"version\": \"0123456789abcdef\"}, \"input\": {\"uri\": "             \
    "\"file:///w.csv\"}, \"output\": {\"uri\": \"file:///o.csv\"}"

#define TRAIN_WITH(members)                                                                        \
    "{\"version\": 1, \"kind\": \"Train\", \"model\": \"m\", \"data\": {\"uri\": "                 \
    "\"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\", " members                          \
    "}, \"artifacts\": {\"uri\": \"file:///models/\"}}"

#define TRAIN_MONOTONE(member)                                                                     \
    "{\"version\": 1, \"kind\": \"Train\", \"model\": \"m\", \"data\": {\"uri\": "                 \
    "\"file:///h.csv\", \"target\": \"Exited\", \"id\": \"Id\", \"columns\": [{\"name\": \"A\", "  \
    "\"type\": \"Numeric\", \"monotone\": \"Increasing\"}]}, \"artifacts\": {\"uri\": "            \
    "\"file:///models/\"}, " member "}"

#define COMPOSE                                                                                    \
    "{\"version\": 1, \"kind\": \"Compose\", \"batch\": \"bank/b\", \"model\": {\"uri\": "         \
    "\"file:///models/v/\", \"version\": \"0123456789abcdef\"}, \"input\": {\"uri\": "             \
    "\"file:///w.csv\", \"generation\": \"1\"}, \"output\": {\"uri\": \"file:///o.csv\"}"

#define SHARDED_FOLDER                                                                             \
    "{\"version\": 1, \"kind\": \"Score\", \"batch\": \"b\", \"model\": {\"uri\": "                \
    "\"file:///models/v/\"}, \"input\": {\"uri\": \"file:///w/\"}, \"output\": {\"uri\": "         \
    "\"file:///o.csv\"}, \"shard\": {\"count\": 2}}"

static json_t *parse(const char *text)
{
    struct err err;
    json_t *document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "test", &err);
    if (!document)
        fail_msg("%s: %s", text, err.message);
    return document;
}

static const struct {
    const char *text, *message;
    bool train;
} offences[] = {
    { TRAIN ", \"extra\": 1}", "unknown member \"extra\"", true },
    { TRAIN ", \"algorithm\": \"RandomForest\"}", "algorithm: must be one of Auto", true },
    { TRAIN ", \"algorithm\": \"NeuralNetwork\", \"parameters\": {\"max_depth\": \"1\"}}",
      "parameters.max_depth: must be a parameter of NeuralNetwork: hidden_layers", true },
    { TRAIN ", \"algorithm\": \"NeuralNetwork\", \"parameters\": {\"learning_rate\": \"0.5\"}}",
      "parameters.learning_rate: must be a decimal number from 1e-05 to 0.1", true },
    { TRAIN ", \"parameters\": {\"depth\": \"1\"}}", "parameters.depth: must be a parameter of",
      true },
    { TRAIN ", \"parameters\": {\"max_trees\": \"0\"}}", "parameters.max_trees: must be an", true },
    { TRAIN ", \"algorithm\": \"LogisticRegression\", \"parameters\": {\"max_depth\": \"1\"}}",
      "parameters.max_depth: must be a parameter of LogisticRegression: l2", true },
    { TRAIN_WITH("\"columns\": [{\"name\": \"A\", \"type\": \"Numeric\"}, {\"name\": \"A\", "
                 "\"type\": \"Boolean\"}]"),
      "data.columns[1].name: must not repeat \"A\"", true },
    { TRAIN_WITH("\"columns\": [{\"name\": \"Id\", \"type\": \"Numeric\"}]"),
      "data.columns[0].name: must be neither", true },
    { TRAIN_WITH("\"columns\": [{\"name\": \"A\", \"type\": \"Categorical\", \"monotone\": "
                 "\"Increasing\"}]"),
      "data.columns[0].monotone: must not be set for a Categorical column", true },
    { TRAIN_WITH("\"columns\": [{\"name\": \"A\", \"type\": \"Numeric\", \"monotone\": \"Up\"}]"),
      "data.columns[0].monotone: must be one of Increasing, Decreasing", true },
    { TRAIN_MONOTONE("\"algorithm\": \"NeuralNetwork\""),
      "data.columns[0].monotone: must not be set with algorithm NeuralNetwork: only Auto", true },
    { TRAIN_MONOTONE("\"parameters\": {\"l2\": \"1\"}"),
      "parameters.l2: must not be set while data.columns[0].monotone is", true },
    { TRAIN_WITH("\"sensitive\": [\"A\", \"B\", \"A\"]"),
      "data.sensitive[2]: must not repeat \"A\"", true },
    { TRAIN_WITH("\"sensitive\": [\"Exited\"]"), "data.sensitive[0]: must be neither", true },
    { TRAIN_WITH("\"drop\": [\"Exited\"]"), "data.drop[0]: must not be data.target", true },
    { TRAIN ", \"keep\": 0}", "keep: ", true },
    { TRAIN ", \"keepVersions\": [\"0123456789abcdef\", \"../x\"]}", "keepVersions[1]: ", true },
    { TRAIN ", \"champion\": {\"uri\": \"file:///m/v/\"}}", "champion.version: ", true },
    { TRAIN ", \"promotion\": {\"metric\": \"log_loss\"}}",
      "promotion.metric: must be one of auc, pr_auc", true },
    { TRAIN ", \"promotion\": {\"minimum\": \"0.5\"}}", "unknown member \"minimum\"", true },
    { TRAIN ", \"threshold\": {\"objective\": \"Loss\"}}",
      "threshold.objective: must be one of F1, Profit", true },
    { "{\"version\": 2, \"kind\": \"Train\"}", "version: must be 1", true },
    { SCORE "}", "kind: must be \"Train\"", true },
    { TRAIN "}", "kind: must be \"Score\"", false },
    { SCORE ", \"reasons\": 21}", "reasons: ", false },
    { SCORE ", \"threshold\": \"2\"}", "threshold: must be Auto", false },
    { SCORE ", \"maxRejected\": 0.1}", "maxRejected: ", false },
    { SCORE ", \"shards\": 2}", "unknown member \"shards\"", false },
    { SCORE ", \"shard\": {\"count\": 0}}", "shard.count: ", false },
    { SCORE ", \"shard\": {\"count\": 257}}", "shard.count: ", false },
    { SCORE ", \"shard\": {\"index\": 1}}", "shard: unknown member \"index\"", false },
    { SCORE ", \"drift\": {\"fail\": \"0\"}}", "drift.fail: ", false },
    { SCORE ", \"drift\": {\"warn\": 0.1}}", "drift.warn: ", false },
    { SCORE ", \"parts\": \"file:///o.csv.parts/p/\"}", "parts: only with kind Compose", false },
    { SCORE ", \"discard\": true}", "discard: only with kind Compose", false },
    { SHARDED_FOLDER, "input.uri: must name a file", false },
    { COMPOSE "}", "parts: is required with kind Compose", false },
    { COMPOSE ", \"parts\": \"file:///o.csv.parts\"}", "parts: must name a folder", false },
};

static void test_offences(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(offences); i++) {
        auto_arena struct arena arena = { 0 };
        auto_json json_t *document = parse(offences[i].text);
        struct train_job train;
        struct score_job score;
        struct err err = { .kind = ERR_NONE };
        int result = offences[i].train ? train_job_decode(document, &arena, &train, &err)
                                       : score_job_decode(document, &arena, &score, &err);
        CASE(offences[i].message, result == -1);
        if (!strstr(err.message, offences[i].message))
            fail_msg("%s: \"%s\"", offences[i].text, err.message);
        assert_string_equal(err.reason, "UsageError");
    }
}

static void test_defaults(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    auto_json json_t *train = parse(TRAIN "}"), *score = parse(SCORE "}");
    struct train_job training;
    struct score_job scoring;
    double threshold;
    assert_int_equal(0, train_job_decode(train, &arena, &training, NULL));
    assert_int_equal(training.training.seed, 42);
    assert_int_equal(training.training.algorithm, ALGORITHM_AUTO);
    assert_string_equal(training.training.data->positive_label, "1");
    assert_int_equal(training.training.validation->folds, 5);
    assert_false(parameter_value(&training.training, "max_depth", &threshold));
    assert_int_equal(training.keep, 5);
    assert_null(training.champion);
    assert_int_equal(training.promotion->metric, PROMOTION_AUC);
    assert_int_equal(training.training.threshold->objective, OBJECTIVE_F1);
    assert_null(training.training.data->generation);
    assert_int_equal(0, score_job_decode(score, &arena, &scoring, NULL));
    assert_int_equal(scoring.scoring.reasons, 3);
    assert_null(scoring.input->generation);
    assert_int_equal(scoring.kind, SCORE_SCORE);
    assert_int_equal(scoring.shard->count, 1);
    assert_string_equal(scoring.scoring.drift->warn.text, "0.1");
    assert_null(scoring.scoring.drift->fail.text);
    assert_false(scoring_threshold(&scoring.scoring, &threshold));
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const trains[] = {
        TRAIN "}",
        TRAIN ", \"algorithm\": \"GradientBoosting\", \"parameters\": {\"max_depth\": \"3\"}, "
              "\"validation\": {\"holdout\": \"0.3\"}, \"seed\": 7}",
        TRAIN
        ", \"keep\": 1, \"keepVersions\": [\"0123456789abcdef\"], \"champion\": {\"version\": "
        "\"0123456789abcdef\", \"uri\": \"file:///m/v/\"}, \"promotion\": {\"metric\": "
        "\"emp\"}, \"threshold\": {\"objective\": \"Profit\"}}",
    };
    static const char *const scores[] = {
        SCORE "}",
        SCORE ", \"specHash\": \"0123456789abcdef0123456789abcdef\", \"threshold\": \"0.5\", "
              "\"reasons\": 0, \"maxRejected\": \"0\", \"drift\": {\"warn\": \"\", \"fail\": "
              "\"0.5\"}, \"shard\": {\"count\": 256}}",
        COMPOSE ", \"shard\": {\"count\": 2}, \"parts\": \"file:///o.csv.parts/p/\"}",
        COMPOSE ", \"parts\": \"file:///o.csv.parts/p/\", \"discard\": true}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(trains); i++) {
        auto_arena struct arena arena = { 0 };
        auto_json json_t *train = parse(trains[i]);
        struct train_job training;
        assert_int_equal(0, train_job_decode(train, &arena, &training, NULL));
        auto_json json_t *again = train_job_encode(&training);
        CASE(trains[i], json_equal(train, again));
    }
    for (size_t i = 0; i < ARRAY_SIZE(scores); i++) {
        auto_arena struct arena arena = { 0 };
        auto_json json_t *score = parse(scores[i]);
        struct score_job scoring;
        assert_int_equal(0, score_job_decode(score, &arena, &scoring, NULL));
        auto_json json_t *again = score_job_encode(&scoring);
        CASE(scores[i], json_equal(score, again));
    }
}

/* Controller and scorer name the folder alone: they must name the same. */
static void test_parts_folder(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    auto_json json_t *document = parse(COMPOSE ", \"parts\": \"file:///p/\"}");
    struct score_job job;
    char key[IDENTITY_KEY];
    assert_int_equal(0, score_job_decode(document, &arena, &job, NULL));
    identity_parts(NULL, "0123456789abcdef", "file:///w.csv", "1", 1, key);
    auto_free char *expected = mem_format("file:///o.csv.parts/%s/", key);
    assert_string_equal(score_job_parts(&job, &arena), expected);
}

/* Names of so many bytes in JSON, most of them quotes; objects when `type` is one. */
static json_t *column_names(size_t count, int bytes, const char *type)
{
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++) {
        char name[64];
        int quotes = (bytes - 4) / 2;
        snprintf(name, sizeof(name), "%.*s%0*zu", quotes,
                 "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", bytes - 2 * quotes,
                 i);
        json_array_append_new(names, type ? json_pack("{ss ss}", "name", name, "type", type)
                                          : json_string(name));
    }
    return names;
}

static json_t *document_with_names(int bytes)
{
    json_t *document = parse(TRAIN "}"), *versions = json_array();
    json_t *data = json_object_get(document, "data");
    char uri[1024];
    snprintf(uri, sizeof(uri), "file:///%01000d/", 0);
    for (unsigned i = 0; i < KEEP_VERSIONS_MAXIMUM; i++)
        json_array_append_new(versions, json_sprintf("%016x", i));
    json_object_set_new(data, "drop", column_names(256, bytes, NULL));
    json_object_set_new(data, "columns", column_names(256, bytes, "Categorical"));
    json_object_set_new(data, "sensitive", column_names(32, bytes, NULL));
    json_object_set_new(document, "keepVersions", versions);
    json_object_set_new(document, "artifacts", json_pack("{ss}", "uri", uri));
    return document;
}

/* What is accepted can be told to the trainer. */
static void test_names_fit_into_a_document(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    auto_json json_t *fits = document_with_names(60), *is_too_long = document_with_names(61);
    struct train_job job;
    struct err err;
    assert_int_equal(0, train_job_decode(fits, &arena, &job, NULL));
    auto_json json_t *document = train_job_encode(&job);
    auto_free char *text = jx_canonical(document);
    assert_in_range(strlen(text), LIMIT_JOB_DOCUMENT / 2, LIMIT_JOB_DOCUMENT);
    assert_int_equal(-1, train_job_decode(is_too_long, &arena, &job, &err));
    assert_string_equal(err.message, "data: the names in drop, columns and sensitive must have at "
                                     "most 32768 bytes together, not 33184");
}

static void test_file_errors_name_the_file(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct train_job job;
    struct err err;
    assert_int_equal(-1, train_job_read("/nowhere/job.json", &arena, &job, &err));
    assert_string_equal(err.reason, "UsageError");
    assert_non_null(strstr(err.message, "/nowhere/job.json"));
    /* what is there and cannot be read is no mistake of the user */
    assert_int_equal(-1, train_job_read("/", &arena, &job, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_string_equal(err.reason, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offences),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parts_folder),
        cmocka_unit_test(test_names_fit_into_a_document),
        cmocka_unit_test(test_file_errors_name_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
