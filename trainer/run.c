#include "trainer/run.h"

#include <math.h>

#include "base/num.h"
#include "trainer/artifacts.h"
#include "trainer/contest.h"
#include "trainer/retention.h"
#include "trainer/state.h"

const struct stage stages[] = {
    { "ingest", "Ingest", stage_ingest },
    { "split", "Split", stage_split },
    { "fit", "Fit", stage_fit },
    { "calibrate", "Calibrate", stage_calibrate },
    { "evaluate", "Evaluate", stage_evaluate },
    { "explain", "Explain", stage_explain },
    { "package", "Package", stage_package },
};
const size_t stage_count = ARRAY_SIZE(stages);

const struct stage *stage_find(const char *word)
{
    for (size_t i = 0; i < stage_count; i++) {
        if (strcmp(stages[i].word, word) == 0)
            return &stages[i];
    }
    return NULL;
}

/* --- result -------------------------------------------------------------- */

static struct decimal decimal_of(struct arena *arena, double value, int decimals)
{
    char text[NUM_DOUBLE_TEXT];
    num_format_fixed(value, decimals, text);
    return (struct decimal){ arena_strdup(arena, text), value };
}

static const char *promotion_metric(const struct training *training)
{
    return promotion_metric_names[training->job.promotion->metric];
}

static struct metric *add_metric(struct training *training, struct metric *next,
                                 const struct figure *figure)
{
    *next = (struct metric){ figure->name, decimal_of(&training->arena, figure->value, 4) };
    return next + 1;
}

/* The promotion metric first, because it is cut last. */
static struct list list_metrics(struct training *training)
{
    const struct figures *figures = &training->figures;
    struct metric *items = arena_zero(&training->arena, FIGURES_MAXIMUM, sizeof(*items));
    struct metric *next = items;
    for (int rest = 0; rest < 2; rest++)
        for (size_t i = 0; i < figures->count; i++)
            if ((strcmp(figures->items[i].name, promotion_metric(training)) != 0) == rest)
                next = add_metric(training, next, &figures->items[i]);
    return (struct list){ items, figures->count };
}

/* NULL when there is nothing to compare. */
static struct comparison *describe_contest(struct training *training)
{
    const struct contest *contest = &training->contest;
    const char *metric = promotion_metric(training);
    double challenger = figures_value(&contest->challenger, metric);
    double champion = figures_value(&contest->champion, metric);
    if (contest->rows == 0 || isnan(challenger))
        return NULL;
    struct comparison *comparison = arena_zero(&training->arena, 1, sizeof(*comparison));
    *comparison = (struct comparison){
        .metric = metric,
        .challenger = decimal_of(&training->arena, challenger, 4),
        .rows = (int64_t)contest->rows,
    };
    if (!isnan(champion))
        comparison->champion = decimal_of(&training->arena, champion, 4);
    return comparison;
}

/* Why there is no comparison comes first, because promotion depends on it. */
static struct strings list_warnings(struct training *training)
{
    const char **items = arena_zero(&training->arena, RESULT_WARNINGS_MAXIMUM, sizeof(*items));
    size_t count = 0;
    if (training->contest.skipped != NULL)
        items[count++] = training->contest.skipped;
    for (size_t i = 0; i < training->warning_count && count < RESULT_WARNINGS_MAXIMUM; i++)
        items[count++] = training->warnings[i];
    return (struct strings){ items, count };
}

/* NULL before the stage that gives the model its version. */
static struct model_result *describe_model(struct training *training)
{
    if (training->version_uri == NULL)
        return NULL;
    struct model_result *model = arena_zero(&training->arena, 1, sizeof(*model));
    *model = (struct model_result){
        .version = training->final.version,
        .uri = training->version_uri,
        .sha256 = training->document_sha256,
        .data_uri = training->history.uri,
        .data_sha256 = training->history.sha256,
        .rows = (int64_t)training->table.row_count,
        .algorithm = model_algorithm_names[training->final.algorithm],
    };
    return model;
}

static struct result trained_result(struct training *training, enum outcome outcome,
                                    struct list steps)
{
    return (struct result){
        .outcome = (int)outcome,
        .model = describe_model(training),
        .comparison = describe_contest(training),
        .metrics = list_metrics(training),
        .steps = steps,
        .warnings = list_warnings(training),
    };
}

/* --- running ------------------------------------------------------------- */

static void update_progress(void *context, uint64_t done, uint64_t total, uint64_t rows)
{
    progress_update(context, done, total, rows);
}

static int run_step(struct training *training, const struct stage *stage, struct progress *progress,
                    struct err *err)
{
    progress_begin(progress, stage->step);
    training->progress = update_progress;
    training->progress_context = progress;
    int outcome = stage->run(training, err);
    progress_end(progress, outcome == 0);
    return outcome;
}

/* An earlier identical run was found: only the fitting is skipped. */
static int run_again(struct training *training, struct progress *progress, struct err *err)
{
    for (size_t i = 1; i < stage_count; i++) {
        if (stages[i].run != stage_split)
            progress_skip(progress, stages[i].step);
        else if (run_step(training, &stages[i], progress, err) < 0)
            return -1;
    }
    return contest_hold(training, err);
}

static int run_rest(struct training *training, struct progress *progress, struct err *err)
{
    for (size_t i = 1; i < stage_count; i++)
        if (run_step(training, &stages[i], progress, err) < 0)
            return -1;
    return run_record_write(training, err);
}

int run_training(struct training *training, struct progress *progress, struct result *ret_result,
                 struct err *err)
{
    bool found = false;
    if (run_step(training, &stages[0], progress, err) < 0 ||
        run_record_find(training, &found, err) < 0 ||
        (found ? run_again(training, progress, err) : run_rest(training, progress, err)) < 0)
        return -1;
    retention_apply(training, clock_wall_ms(progress->clock));
    *ret_result = trained_result(training, found ? OUTCOME_REUSED : OUTCOME_TRAINED,
                                 progress_steps(progress));
    return 0;
}

int run_stage(struct training *training, const struct stage *stage, const char *in, const char *out,
              struct progress *progress, struct result *ret_result, struct err *err)
{
    size_t done = (size_t)(stage - stages); /* stages whose state is read */
    if (state_load(training, in, done, err) < 0)
        return -1;
    if (done == 0 && state_fetch_history(training, out, err) < 0)
        return -1;
    if (run_step(training, stage, progress, err) < 0)
        return -1;
    if (state_save(training, in, out, done + 1, err) < 0)
        return -1;
    if (done + 1 == stage_count) {
        if (run_record_write(training, err) < 0)
            return -1;
        retention_apply(training, clock_wall_ms(progress->clock));
    }
    *ret_result = trained_result(training, OUTCOME_TRAINED, progress_steps(progress));
    return 0;
}
