/* The search for the shape of trees: search.h. */
#include "ml/search_steps.h"

#include <math.h>

#include "base/mem.h"
#include "ml/parallel.h"

#define SEARCH_RATE     0.15 /* quick, and ranks shapes as the small rate does */
#define SEARCH_PATIENCE 20
#define SEARCH_TREES    600    /* as good as three times as many at the small rate */
#define SEARCH_ROWS     100000 /* more are thinned out: shapes rank the same */
#define FINAL_RATE      0.05
#define FINAL_PATIENCE  50
#define MAXIMUM_TREES   2000

static const double depths[] = { 1, 2, 3, 4, 6 };
static const double leaf_weights[] = { 1, 5 };
/* XGBoost's, which ranks the shapes, and one for data with more noise. */
static const double lambdas[] = { 1, 10 };

/* All candidates x folds at one learning rate. */
struct round_search {
    struct search *search;
    struct candidate *candidates;
    size_t count;
    unsigned maximum_trees, patience;
    size_t stride;              /* of rows */
    struct boost_curve *curves; /* candidate x fold */
    size_t *rows;               /* the same: rows that were judged */
    struct booster **boosters;  /* the same, or NULL when only curves matter */
};

static double chosen_or(double fixed, double otherwise)
{
    return isnan(fixed) ? otherwise : fixed;
}

static unsigned maximum_trees(const struct search_request *request, unsigned otherwise)
{
    return (unsigned)chosen_or(request->max_trees, otherwise);
}

static size_t list_candidates(const struct search *search, struct candidate *candidates)
{
    const struct search_request *request = search->request;
    size_t depth_count = isnan(request->max_depth) ? ARRAY_SIZE(depths) : 1;
    size_t weight_count = isnan(request->min_child_weight) ? ARRAY_SIZE(leaf_weights) : 1;
    size_t count = 0;
    for (size_t i = 0; i < depth_count; i++) {
        for (size_t j = 0; j < weight_count; j++)
            candidates[count++] = (struct candidate){
                .algorithm = MODEL_GRADIENT_BOOSTING,
                .boost = { .max_depth = (int)chosen_or(request->max_depth, depths[i]),
                           .min_child_weight =
                               chosen_or(request->min_child_weight, leaf_weights[j]),
                           .learning_rate = chosen_or(request->learning_rate, SEARCH_RATE),
                           .lambda = chosen_or(request->lambda, lambdas[0]) },
            };
    }
    return count;
}

static size_t final_count(const struct search_request *request)
{
    return isnan(request->lambda) ? ARRAY_SIZE(lambdas) : 1;
}

size_t search_boost_work(const struct search *search)
{
    struct candidate candidates[SEARCH_CANDIDATES];
    size_t count = list_candidates(search, candidates);
    return ((count > 1 ? count : 0) + final_count(search->request)) * search->fold_count;
}

static int search_task(void *context, size_t index, struct err *err)
{
    struct round_search *round = context;
    const struct candidate *candidate = &round->candidates[index / round->search->fold_count];
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, round->search, (unsigned)(index % round->search->fold_count),
                   round->stride);
    struct booster **booster = round->boosters == NULL ? NULL : &round->boosters[index];
    round->rows[index] = fold.validation.rows;
    if (booster_search(&candidate->boost, fold.train, fold.train_labels, fold.validation,
                       fold.validation_labels, round->maximum_trees, round->patience,
                       &round->curves[index], booster, err) < 0)
        return -1;
    search_progress(round->search);
    return 0;
}

/* Log-loss over all rows after each number of trees, and where it is lowest. A
 * fold that stopped earlier keeps its last loss: it had stopped improving. */
static void judge(const struct round_search *round, size_t index, struct candidate *candidate)
{
    const struct search *search = round->search;
    const struct boost_curve *curves = round->curves + index * search->fold_count;
    const size_t *rows = round->rows + index * search->fold_count;
    size_t longest = 0, all_rows = 0;
    for (unsigned fold = 0; fold < search->fold_count; fold++) {
        longest = curves[fold].count > longest ? curves[fold].count : longest;
        all_rows += rows[fold];
    }
    candidate->log_loss = INFINITY;
    for (size_t trees = 1; trees <= longest; trees++) {
        double sum = 0;
        for (unsigned fold = 0; fold < search->fold_count; fold++) {
            size_t last = trees <= curves[fold].count ? trees : curves[fold].count;
            sum += curves[fold].losses[last - 1] * (double)rows[fold];
        }
        if (sum / (double)all_rows < candidate->log_loss) {
            candidate->log_loss = sum / (double)all_rows;
            candidate->rounds = (unsigned)trees;
        }
    }
}

static int run_round(struct round_search *round, struct err *err)
{
    size_t tasks = round->count * round->search->fold_count;
    auto_free size_t *rows = mem_zero(tasks, sizeof(*rows));
    round->rows = rows;
    round->curves = mem_zero(tasks, sizeof(*round->curves));
    int outcome = parallel_run(round->search->request->threads, tasks, search_task, round, err);
    for (size_t i = 0; outcome == 0 && i < round->count; i++)
        judge(round, i, &round->candidates[i]);
    for (size_t i = 0; i < tasks; i++)
        boost_curve_release(&round->curves[i]);
    free(round->curves);
    return outcome;
}

struct margin_search {
    const struct search *search;
    struct booster **boosters;
    unsigned rounds;
    double *margins;
};

static int margin_task(void *context, size_t index, struct err *err)
{
    struct margin_search *work = context;
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, work->search, (unsigned)index, 1);
    auto_free double *margins = mem_zero(fold.validation.rows, sizeof(*margins));
    if (booster_margins(work->boosters[index], fold.validation, work->rounds, margins, err) < 0)
        return -1;
    for (size_t i = 0; i < fold.validation.rows; i++)
        work->margins[fold.validation_rows[i]] = margins[i];
    return 0;
}

/* The best shape with the small rate and each penalty: number of trees, and the
 * out-of-fold margins of the best, which comes first afterwards. */
static int run_final(struct search *search, struct candidate *finals, size_t count, double *margins,
                     struct err *err)
{
    size_t booster_count = count * search->fold_count;
    auto_free struct booster **boosters = mem_zero(booster_count, sizeof(struct booster *));
    struct round_search round = { .search = search,
                                  .candidates = finals,
                                  .count = count,
                                  .maximum_trees = maximum_trees(search->request, MAXIMUM_TREES),
                                  .patience = FINAL_PATIENCE,
                                  .stride = 1,
                                  .boosters = boosters };
    int outcome = run_round(&round, err);
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = finals[i].log_loss < finals[best].log_loss ? i : best;
    struct margin_search work = { search, boosters + best * search->fold_count, finals[best].rounds,
                                  margins };
    if (outcome == 0)
        outcome =
            parallel_run(search->request->threads, search->fold_count, margin_task, &work, err);
    for (size_t i = 0; i < booster_count; i++)
        booster_free(boosters[i]);
    search_sort(finals, count);
    return outcome;
}

/* The best shape makes room for the finals, which begin with it. */
static size_t list_finals(const struct search_request *request, struct finalist *finalist)
{
    size_t count = final_count(request);
    struct candidate best = finalist->candidates[0];
    memmove(finalist->candidates + count, finalist->candidates + 1,
            (finalist->count - 1) * sizeof(best));
    finalist->count += count - 1;
    best.boost.learning_rate = chosen_or(request->learning_rate, FINAL_RATE);
    for (size_t i = 0; i < count; i++) {
        finalist->candidates[i] = best;
        finalist->candidates[i].boost.lambda = chosen_or(request->lambda, lambdas[i]);
    }
    return count;
}

int search_boost(struct search *search, struct finalist *ret_finalist, struct err *err)
{
    struct finalist finalist = { 0 };
    finalist.count = list_candidates(search, finalist.candidates);
    struct round_search round = { .search = search,
                                  .candidates = finalist.candidates,
                                  .count = finalist.count,
                                  .maximum_trees = maximum_trees(search->request, SEARCH_TREES),
                                  .patience = SEARCH_PATIENCE,
                                  .stride = (search->matrix.rows - 1) / SEARCH_ROWS + 1 };
    /* a shape that the user fixed needs no ranking */
    if (finalist.count > 1 && run_round(&round, err) < 0)
        return -1;
    search_sort(finalist.candidates, finalist.count);
    size_t finals = list_finals(search->request, &finalist);
    auto_free double *margins = mem_zero(search->matrix.rows, sizeof(*margins));
    if (run_final(search, finalist.candidates, finals, margins, err) < 0)
        return -1;
    finalist.margins = TAKE(margins);
    *ret_finalist = finalist;
    return 0;
}
