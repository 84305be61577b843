/* Goal: a scoring that is asked to stop publishes nothing, whenever it is asked.
 * Method: a model trained on a few rows; the signal's flag is set at each reading of the clock
 * in turn, until the scoring goes through. */
#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/limits.h"
#include "contract/reasons.h"
#include "scorer/score.h"
#include "trainer/run.h"

#define TRAIN_JOB                                                                                  \
    "{\"version\": 1, \"kind\": \"Train\", \"model\": \"m\", \"artifacts\": {\"uri\": "            \
    "\"file://%1$s/models/\"}, \"data\": {\"uri\": \"file://%1$s/history.csv\", \"target\": "      \
    "\"left\", \"positiveLabel\": \"yes\", \"id\": \"id\"}, \"algorithm\": "                       \
    "\"LogisticRegression\"}"
#define SCORE_JOB                                                                                  \
    "{\"version\": 1, \"kind\": \"Score\", \"batch\": \"b\", \"model\": {\"uri\": \"%2$s\"}, "     \
    "\"input\": {\"uri\": \"file://%1$s/history.csv\"}, \"output\": {\"uri\": "                    \
    "\"file://%1$s/out/\"}}"

static char folder[64];
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

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/churn-score-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *path = mem_format("%s/history.csv", folder);
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    fprintf(file, "id,age,left\n");
    for (int i = 0; i < 200; i++)
        fprintf(file, "c%d,%d,%s\n", i, 20 + i % 50, i % 50 + i % 7 > 30 ? "yes" : "no");
    return fclose(file);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static json_t *parse(const char *text)
{
    struct err err;
    json_t *document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "job", &err);
    assert_non_null(document);
    return document;
}

/* Writes the URI of the version's folder into the arena. */
static const char *train(struct arena *arena)
{
    auto_free char *text = mem_format(TRAIN_JOB, folder);
    json_t *document auto_json = parse(text);
    auto_training struct training training = { .threads = 1 };
    struct progress progress;
    struct result result;
    struct err err;
    progress_init(&progress, &clock_system);
    if (train_job_decode(document, &training.arena, &training.job, &err) < 0 ||
        run_training(&training, &progress, &result, &err) < 0)
        fail_msg("%s", err.message);
    return arena_strdup(arena, result.model->uri);
}

static bool output_is_there(void)
{
    auto_free char *path = mem_format("%s/out/b.csv", folder);
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
    auto_free char *text = mem_format(SCORE_JOB, folder, train(&arena));
    json_t *document auto_json = parse(text);
    struct score_job job;
    assert_int_equal(score_job_decode(document, &arena, &job, NULL), 0);
    int moment = 0, outcome = -1;
    while (outcome < 0) {
        struct progress progress;
        struct score_options options = { 1, folder, &stop, &progress };
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
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
