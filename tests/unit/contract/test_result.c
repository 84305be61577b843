/* Goal: a result fits into a termination message, most important parts first, and a
 * foreign one is believed only as far as it keeps the rules.
 * Method: large results; a table of messages a program might leave behind. */
#include "unit.h"

#include "base/limits.h"
#include "contract/result.h"

#define MODEL "\"model\": {\"version\": \"0123456789abcdef\", \"uri\": \"file:///m/v/\"}"
#define SCORED                                                                                     \
    "{\"outcome\": \"Scored\", " MODEL ", \"input\": {\"bytes\": 1}, \"output\": {\"uri\": "       \
    "\"file:///o.csv\"}, \"scores\": {\"aboveThreshold\": 1}"

#define PART "{\"outcome\": \"Part\", \"rows\": {\"read\": 3, \"scored\": 2, \"rejected\": 1}"

static void test_decoding(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum job_kind kind;
        bool valid;
    } cases[] = {
        { "trained", "{\"outcome\": \"Trained\", " MODEL "}\n", JOB_TRAIN, true },
        { "reused", "{\"outcome\": \"Reused\", " MODEL "}", JOB_TRAIN, true },
        { "newer member", "{\"outcome\": \"Trained\", " MODEL ", \"new\": 1}", JOB_TRAIN, true },
        { "compared",
          "{\"outcome\": \"Trained\", " MODEL ", \"comparison\": {\"metric\": \"auc\", "
          "\"challenger\": \"0.8671\", \"champion\": \"0.8640\", \"rows\": 2000}}",
          JOB_TRAIN, true },
        { "compared with nothing",
          "{\"outcome\": \"Trained\", " MODEL ", \"comparison\": {\"metric\": \"auc\", "
          "\"champion\": \"0.8640\"}}",
          JOB_TRAIN, false },
        { "scored by a trainer", "{\"outcome\": \"Scored\", " MODEL "}", JOB_TRAIN, false },
        { "no model", "{\"outcome\": \"Trained\"}", JOB_TRAIN, false },
        { "version is a path",
          "{\"outcome\": \"Trained\", \"model\": {\"version\": \"../../../etc/pass\"}}", JOB_TRAIN,
          false },
        { "metric is no number",
          "{\"outcome\": \"Trained\", " MODEL
          ", \"metrics\": [{\"name\": \"auc\", \"value\": \"high\"}]}",
          JOB_TRAIN, false },
        { "scored", SCORED ", \"rows\": {\"read\": 3, \"scored\": 2, \"rejected\": 1}}", JOB_SCORE,
          true },
        { "rows do not add up", SCORED ", \"rows\": {\"read\": 4, \"scored\": 2, \"rejected\": 1}}",
          JOB_SCORE, false },
        { "negative rows", SCORED ", \"rows\": {\"read\": 0, \"scored\": 1, \"rejected\": -1}}",
          JOB_SCORE, false },
        { "no rows", SCORED "}", JOB_SCORE, false },
        { "trained by a scorer", "{\"outcome\": \"Trained\", " MODEL "}", JOB_SCORE, false },
        { "part", PART ", \"shard\": {\"index\": 255}}", JOB_SHARD, true },
        { "part of no shard", PART "}", JOB_SHARD, false },
        { "part of a shard that cannot be", PART ", \"shard\": {\"index\": 256}}", JOB_SHARD,
          false },
        { "part instead of the whole", PART ", \"shard\": {\"index\": 0}}", JOB_SCORE, false },
        { "scored by a shard", SCORED ", \"rows\": {\"read\": 3, \"scored\": 2, \"rejected\": 1}}",
          JOB_SHARD, false },
        { "discarded", "{\"outcome\": \"Discarded\"}", JOB_DISCARD, true },
        { "discarded instead of composed", "{\"outcome\": \"Discarded\"}", JOB_SCORE, false },
        { "failed", "{\"outcome\": \"Failed\", \"reason\": \"DataInvalid\", \"message\": \"x\"}",
          JOB_SCORE, true },
        { "failed without a word", "{\"outcome\": \"Failed\"}", JOB_SCORE, false },
        { "two lines", "{\"outcome\": \"Failed\", \"reason\": \"X\", \"message\": \"a\\nb\"}",
          JOB_SCORE, false },
        { "a log", "starting\nkilled\n", JOB_SCORE, false },
        { "cut off", "{\"outcome\": \"Trai", JOB_TRAIN, false },
        { "nothing", "", JOB_TRAIN, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct result result;
        struct err err = { .kind = ERR_NONE };
        bool valid =
            result_decode(span_of(cases[i].text), cases[i].kind, &arena, &result, &err) == 0;
        if (valid != cases[i].valid)
            fail_msg("%s: %s", cases[i].name, err.message);
        if (!valid)
            assert_string_equal(err.reason, "ResultInvalid");
    }
}

static const char *long_text(struct arena *arena, const char *begin, size_t length)
{
    char *text = arena_zero(arena, length + 1, 1);
    memset(text, 'x', length);
    memcpy(text, begin, strlen(begin));
    return text;
}

/* More of everything than fits. */
static struct result large_result(struct arena *arena, struct model_result *model)
{
    struct result result = { .outcome = OUTCOME_TRAINED, .model = model };
    struct metric *metrics = arena_zero(arena, 24, sizeof(*metrics));
    struct step *steps = arena_zero(arena, 16, sizeof(*steps));
    result.metrics = (struct list){ metrics, 24 };
    result.steps = (struct list){ steps, 16 };
    result.warnings.count = 16;
    result.warnings.items = arena_zero(arena, 16, sizeof(char *));
    for (int i = 0; i < 24; i++)
        metrics[i] = (struct metric){ arena_format(arena, "metric_number_%d", i),
                                      { "0.123456789", 0.123456789 } };
    for (int i = 0; i < 16; i++) {
        steps[i] = (struct step){ "Calibrate", "Succeeded", { "1.5", 1.5 } };
        result.warnings.items[i] = "a column was dropped because it is an id";
    }
    static struct comparison comparison = {
        "auc", { "0.8671", 0.8671 }, { "0.8640", 0.8640 }, 2000
    };
    result.comparison = &comparison;
    *model = (struct model_result){ .version = "0123456789abcdef",
                                    .uri = "file:///models/bank.m/0123456789abcdef/",
                                    .rows = 10000 };
    return result;
}

static void test_large_results_are_cut_from_the_end(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct model_result model;
    struct result result = large_result(&arena, &model), decoded;
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JOB_DOCUMENT);
    result_encode(&result, &text);
    assert_in_range(text.length, LIMIT_RESULT_DOCUMENT / 2, LIMIT_RESULT_DOCUMENT);
    assert_int_equal(0, result_decode((struct span){ text.data, text.length }, JOB_TRAIN, &arena,
                                      &decoded, NULL));
    assert_int_equal(decoded.warnings.count, 0);
    assert_string_equal(decoded.comparison->champion.text, "0.8640");
    assert_int_equal(decoded.comparison->rows, 2000);
    assert_string_equal(((const struct metric *)decoded.metrics.items)[0].name, "metric_number_0");
    assert_string_equal(decoded.model->version, model.version);
}

/* Figures of the model are kept longer than drifts, drifts longer than steps. */
static void test_drifts_are_cut_after_steps(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct model_result model;
    struct result result = large_result(&arena, &model), decoded;
    struct drift_item items[RESULT_DRIFTS_MAXIMUM];
    struct drift_result drift = { { "0.5", 0.5 }, "age", { items, RESULT_DRIFTS_MAXIMUM } };
    for (size_t i = 0; i < RESULT_DRIFTS_MAXIMUM; i++)
        items[i] = (struct drift_item){ "age", { "0.5", 0.5 } };
    result.drift = &drift;
    result.metrics.count = 18;
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JOB_DOCUMENT);
    result_encode(&result, &text);
    assert_int_equal(0, result_decode((struct span){ text.data, text.length }, JOB_TRAIN, &arena,
                                      &decoded, NULL));
    assert_in_range(decoded.steps.count, 1, 15);
    assert_int_equal(decoded.drift->features.count, RESULT_DRIFTS_MAXIMUM);
    assert_string_equal(decoded.drift->feature, "age");
    items[0].name = long_text(&arena, "income", 1000);
    buf_clear(&text);
    result_encode(&result, &text);
    assert_int_equal(0, result_decode((struct span){ text.data, text.length }, JOB_TRAIN, &arena,
                                      &decoded, NULL));
    assert_int_equal(decoded.steps.count, 0);
    assert_in_range(decoded.drift->features.count, 0, RESULT_DRIFTS_MAXIMUM - 1);
    assert_int_equal(decoded.metrics.count, 18);
}

static void test_long_locations_give_way(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct model_result model = { .version = "0123456789abcdef" };
    struct input_result input = { .uri = long_text(&arena, "file:///i", 1000) };
    struct output_result output = { .uri = long_text(&arena, "file:///o", 1000),
                                    .manifest_uri = long_text(&arena, "file:///m", 1014) };
    struct rows_result rows = { 3, 2, 1 };
    struct scores_result scores = { .above_threshold = 1 };
    struct result result = { .outcome = OUTCOME_SCORED,
                             .model = &model,
                             .input = &input,
                             .output = &output,
                             .rows = &rows,
                             .scores = &scores };
    struct result decoded;
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JOB_DOCUMENT);
    result_encode(&result, &text);
    assert_in_range(text.length, 1, LIMIT_RESULT_DOCUMENT);
    assert_int_equal(0, result_decode((struct span){ text.data, text.length }, JOB_SCORE, &arena,
                                      &decoded, NULL));
    assert_null(decoded.output->manifest_uri);
    assert_string_equal(decoded.output->uri, output.uri);
    assert_int_equal(decoded.rows->rejected, 1);
}

static void test_errors_become_results(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct err err;
    struct result result, decoded;
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JOB_DOCUMENT);
    char message[sizeof(err.message)];
    memset(message, '"', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    err_set(&err, ERR_NOT_FOUND, "%s", message);
    result = result_of_error(&err);
    assert_int_equal(result.exit_code, 66);
    result_encode(&result, &text);
    assert_in_range(text.length, 1, LIMIT_RESULT_DOCUMENT);
    assert_int_equal(0, result_decode((struct span){ text.data, text.length }, JOB_SCORE, &arena,
                                      &decoded, NULL));
    assert_string_equal(decoded.reason, "InputNotFound");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_large_results_are_cut_from_the_end),
        cmocka_unit_test(test_drifts_are_cut_after_steps),
        cmocka_unit_test(test_long_locations_give_way),
        cmocka_unit_test(test_errors_become_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
