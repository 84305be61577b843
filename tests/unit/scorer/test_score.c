/* Goal: a scoring that is asked to stop publishes nothing, whenever it is asked.
 * Method: a model trained on a few rows; the signal's flag is set at each reading of the clock
 * in turn, until the scoring goes through. */
#include "bank.h"

#include "contract/reasons.h"

#define SCORE_JOB                                                                                  \
    "{\"version\": 1, \"kind\": \"Score\", \"batch\": \"b\", \"model\": {\"uri\": \"%2$s\"}, "     \
    "\"input\": {\"uri\": \"file://%1$s/history.csv\"}, \"output\": {\"uri\": "                    \
    "\"file://%1$s/out/\"}}"

static volatile sig_atomic_t stop;
static int readings; /* of the clock, until the signal comes */

static int64_t monotonic_ms(void *context)
{
    (void)context;
    if (--readings == 0)
        stop = 1;
    return 0;
}

static const struct clock signaling_clock = { .monotonic_ms = monotonic_ms };

static bool output_is_there(void)
{
    auto_free char *path = mem_format("%s/out/b.csv", bank_folder);
    auto_free char *manifest = mem_format("%s.manifest.json", path);
    struct stat status;
    bool there = stat(path, &status) == 0;
    assert_int_equal(stat(manifest, &status) == 0, there);
    return there;
}

static void nothing_is_published_after_a_signal(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    auto_free char *text = mem_format(SCORE_JOB, bank_folder, bank_train(&arena));
    json_t *document auto_json = bank_parse(text);
    struct score_job job;
    assert_int_equal(score_job_decode(document, &arena, &job, NULL), 0);
    int moment = 0, outcome = -1;
    while (outcome < 0) {
        struct progress progress;
        struct score_options options = {
            .threads = 1, .scratch = bank_folder, .stop = &stop, .progress = &progress
        };
        struct result result;
        struct err err = { 0 };
        stop = 0;
        readings = ++moment;
        progress_init(&progress, &signaling_clock);
        outcome = score_run(&job, &options, &arena, &result, &err);
        assert_int_equal(stop, outcome < 0);
        assert_int_equal(output_is_there(), outcome == 0);
        if (outcome < 0)
            assert_string_equal(err.reason, REASON_Terminated);
    }
    assert_in_range(moment, 5, 20); /* begin and end of two steps, and the rows between */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_published_after_a_signal),
    };
    return cmocka_run_group_tests(tests, bank_set_up, bank_tear_down);
}
