/* Boosting all candidates on all folds: search_steps.h. */
#include "ml/search_steps.h"

#include <math.h>

#include "base/mem.h"
#include "ml/parallel.h"

/* What all symmetric trees have in common. More Newton steps let leaves of one class speak up,
 * which halves the trees that are needed. */
#define ROW_SHARE  0.8
#define LEAF_STEPS 5
#define BINS       128
/* Histograms take bins x columns x leaves: wide data get fewer bins. */
#define BINS_FEWEST  16
#define BINS_TOTAL   65536
#define LAMBDA_LEAST 0.01 /* without any, an empty leaf has no value */

struct symmetric_options candidate_symmetric(const struct candidate *candidate, size_t columns)
{
    size_t bins = BINS_TOTAL / columns;
    return (struct symmetric_options){
        .depth = candidate->boost.max_depth,
        .learning_rate = candidate->boost.learning_rate,
        .lambda = fmax(candidate->boost.lambda, LAMBDA_LEAST),
        .noise = candidate->noise,
        .row_share = ROW_SHARE,
        .column_share = 1,
        .leaf_steps = LEAF_STEPS,
        .bins = bins > BINS          ? BINS
                : bins < BINS_FEWEST ? BINS_FEWEST
                                     : bins,
        .seed = candidate->seed,
    };
}

/* One candidate's trees of one fold: either kind. */
struct trees_fit {
    struct booster *booster;
    struct symmetric *symmetric;
};

static int fit_fold(const struct round_search *round, const struct candidate *candidate,
                    const struct fold_data *fold, struct boost_curve *ret_curve,
                    struct trees_fit *ret_fit, struct err *err)
{
    struct boost_options boost = candidate->boost;
    boost.monotone = round->search->monotone;
    if (!candidate->is_symmetric)
        return booster_search(&boost, fold->train, fold->train_labels, fold->validation,
                              fold->validation_labels, round->maximum_trees, round->patience,
                              ret_curve, &ret_fit->booster, err);
    struct symmetric_options options = candidate_symmetric(candidate, fold->train.columns);
    options.monotone = round->search->monotone;
    ret_fit->symmetric =
        symmetric_search(&options, fold->train, fold->train_labels, fold->validation,
                         fold->validation_labels, round->maximum_trees, round->patience, ret_curve);
    return 0;
}

static int search_task(void *context, size_t place, struct err *err)
{
    struct round_search *round = context;
    size_t index = round->tasks[place];
    const struct candidate *candidate = &round->candidates[index / round->search->fold_count];
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, round->search, (unsigned)(index % round->search->fold_count),
                   round->stride);
    round->rows[index] = fold.validation.rows;
    if (fit_fold(round, candidate, &fold, &round->curves[index], &round->fits[index], err) < 0)
        return -1;
    search_progress(round->search);
    return 0;
}

/* Log-loss over the rows of the first `folds` after each number of trees, and where it is lowest. A
 * fold that stopped earlier keeps its last loss: it had stopped improving. */
static void judge(const struct round_search *round, size_t index, unsigned folds)
{
    struct candidate *candidate = &round->candidates[index];
    const struct boost_curve *curves = round->curves + index * round->search->fold_count;
    const size_t *rows = round->rows + index * round->search->fold_count;
    size_t longest = 0, all_rows = 0;
    for (unsigned fold = 0; fold < folds; fold++) {
        longest = curves[fold].count > longest ? curves[fold].count : longest;
        all_rows += rows[fold];
    }
    candidate->log_loss = INFINITY;
    for (size_t trees = 1; trees <= longest; trees++) {
        double sum = 0;
        for (unsigned fold = 0; fold < folds; fold++) {
            size_t last = trees <= curves[fold].count ? trees : curves[fold].count;
            sum += curves[fold].losses[last - 1] * (double)rows[fold];
        }
        if (sum / (double)all_rows < candidate->log_loss) {
            candidate->log_loss = sum / (double)all_rows;
            candidate->rounds = (unsigned)trees;
        }
    }
}

static int margin_task(void *context, size_t index, struct err *err)
{
    struct round_search *round = context;
    const struct search *search = round->search;
    size_t candidate = index / search->fold_count;
    unsigned rounds = round->candidates[candidate].rounds;
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, search, (unsigned)(index % search->fold_count), 1);
    auto_free double *margins = mem_zero(fold.validation.rows, sizeof(*margins));
    const struct trees_fit *fit = &round->fits[index];
    if (fit->symmetric != NULL)
        symmetric_margins(fit->symmetric, fold.validation, rounds, margins);
    else if (booster_margins(fit->booster, fold.validation, rounds, margins, err) < 0)
        return -1;
    for (size_t i = 0; i < fold.validation.rows; i++)
        round->margins[candidate * search->matrix.rows + fold.validation_rows[i]] = margins[i];
    return 0;
}

/* Folds first .. end - 1 of the candidates that are still in the race, each fold of all of them
 * before the next. */
static int run_folds(struct round_search *round, unsigned first, unsigned end, const bool *is_out,
                     struct err *err)
{
    size_t count = 0;
    for (unsigned fold = first; fold < end; fold++)
        for (size_t i = 0; i < round->count; i++)
            if (!is_out[i])
                round->tasks[count++] = i * round->search->fold_count + fold;
    if (parallel_run(round->search->request->threads, count, search_task, round, err) < 0)
        return -1;
    for (size_t i = 0; i < round->count; i++)
        if (!is_out[i])
            judge(round, i, end);
    return 0;
}

static double least_loss(const struct round_search *round, const bool *is_out)
{
    double least = INFINITY;
    for (size_t i = 0; i < round->count; i++)
        if (!is_out[i])
            least = fmin(least, round->candidates[i].log_loss);
    return least;
}

/* A part of the folds for all, the others for those that may win. */
static int run_race(struct round_search *round, struct err *err)
{
    bool is_out[SEARCH_CANDIDATES] = { 0 };
    unsigned folds = round->search->fold_count, first = round->race_folds;
    if (first >= folds)
        first = 0;
    if (first > 0 && run_folds(round, 0, first, is_out, err) < 0)
        return -1;
    double before = least_loss(round, is_out);
    for (size_t i = 0; first > 0 && i < round->count; i++) {
        is_out[i] = round->candidates[i].log_loss > round->hopeless * before;
        round->search->total -= is_out[i] ? folds - first : 0;
    }
    if (run_folds(round, first, folds, is_out, err) < 0)
        return -1;
    double after = least_loss(round, is_out);
    for (size_t i = 0; i < round->count; i++)
        round->candidates[i].log_loss *= is_out[i] ? after / before : 1;
    return 0;
}

int round_search_run(struct round_search *round, struct err *err)
{
    size_t tasks = round->count * round->search->fold_count;
    auto_free size_t *rows = mem_zero(tasks, sizeof(*rows));
    auto_free size_t *places = mem_zero(tasks, sizeof(*places));
    auto_free struct trees_fit *fits = mem_zero(tasks, sizeof(*fits));
    auto_free struct boost_curve *curves = mem_zero(tasks, sizeof(*curves));
    round->rows = rows;
    round->fits = fits;
    round->curves = curves;
    round->tasks = places;
    int outcome = run_race(round, err);
    if (outcome == 0 && round->margins != NULL)
        outcome = parallel_run(round->search->request->threads, tasks, margin_task, round, err);
    for (size_t i = 0; i < tasks; i++) {
        boost_curve_release(&curves[i]);
        booster_free(fits[i].booster);
        symmetric_free(fits[i].symmetric);
    }
    return outcome;
}
