/* The search for shapes of trees, and their blend: search.h. */
#include "ml/search_steps.h"

#include <limits.h>
#include <math.h>

#include "base/mem.h"
#include "ml/blend.h"

#define RANK_RATE     0.15 /* quick, and ranks shapes as the small rates do */
#define RANK_PATIENCE 20
#define RANK_TREES    400
#define RANK_ROWS     100000 /* more are thinned out: shapes rank the same */
/* Shapes that are so far behind after two folds never were the best on five. */
#define RANK_FOLDS    2
#define RANK_HOPELESS 1.05
/* Final rates: so small that a final needs about the trees that it may have, but not below what
 * gains no more. */
#define SYMMETRIC_RATE 0.08
#define XGBOOST_RATE   0.05
#define LARGEST_RATE   0.3
#define FINAL_PATIENCE 40
/* The second shape of symmetric trees is tried when its loss is at most this times the first's;
 * what is worse than the best by more than the other gets no weight in a blend. */
#define ABOUT_AS_GOOD  1.005
#define WORTH_BLENDING 1.01

static const double symmetric_depths[] = { 2, 3, 4, 6 };
#define SYMMETRIC_FINALS 4
static const double noises[SYMMETRIC_FINALS] = { 1, 2, 2, 1 }; /* ranking takes the first */
static const struct {
    double depth, leaf_weight;
} xgboost_shapes[] = { { 1, 1 }, { 4, 5 }, { 6, 1 } };
#define LAMBDA 1.0

static double chosen_or(double fixed, double otherwise)
{
    return isnan(fixed) ? otherwise : fixed;
}

/* XGBoost's trees alone have a leaf weight, or more levels than SYMMETRIC_DEPTH_MAXIMUM. */
static bool tries_symmetric(const struct search_request *request)
{
    return isnan(request->min_child_weight) && !(request->max_depth > SYMMETRIC_DEPTH_MAXIMUM);
}

static struct candidate make_candidate(const struct search_request *request, double depth)
{
    return (struct candidate){
        .algorithm = MODEL_GRADIENT_BOOSTING,
        .boost = { .max_depth = (int)chosen_or(request->max_depth, depth),
                   .learning_rate = chosen_or(request->learning_rate, RANK_RATE),
                   .lambda = chosen_or(request->lambda, LAMBDA) },
    };
}

/* Shapes that differ in nothing that is free are one. */
static bool is_new(const struct candidate *candidates, size_t count)
{
    const struct boost_options *shape = &candidates[count].boost;
    for (size_t i = 0; i < count; i++)
        if (candidates[i].is_symmetric == candidates[count].is_symmetric &&
            candidates[i].boost.max_depth == shape->max_depth &&
            !(candidates[i].boost.min_child_weight < shape->min_child_weight) &&
            !(candidates[i].boost.min_child_weight > shape->min_child_weight))
            return false;
    return true;
}

static size_t list_candidates(const struct search_request *request, struct candidate *candidates)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(symmetric_depths) && tries_symmetric(request); i++) {
        candidates[count] = make_candidate(request, symmetric_depths[i]);
        candidates[count].is_symmetric = true;
        candidates[count].noise = noises[0];
        candidates[count].seed = request->seed;
        count += is_new(candidates, count);
    }
    for (size_t i = 0; i < ARRAY_SIZE(xgboost_shapes); i++) {
        candidates[count] = make_candidate(request, xgboost_shapes[i].depth);
        candidates[count].boost.min_child_weight =
            chosen_or(request->min_child_weight, xgboost_shapes[i].leaf_weight);
        count += is_new(candidates, count);
    }
    return count;
}

static unsigned final_trees(const struct search_request *request, size_t final_count)
{
    double trees = chosen_or(request->max_trees, SEARCH_TREES);
    return (unsigned)(final_count > 1 ? ceil(trees / 2) : trees);
}

static void set_rate(const struct search_request *request, size_t final_count,
                     struct candidate *final)
{
    double trees = final_trees(request, final_count);
    double least = final->is_symmetric ? SYMMETRIC_RATE : XGBOOST_RATE;
    double rate = fmax(RANK_RATE * final->rounds / trees, least);
    final->boost.learning_rate = chosen_or(request->learning_rate, fmin(rate, LARGEST_RATE));
}

/* The first of a kind from `place` on; `count`: there is none. */
static size_t find_kind(const struct candidate *ranked, size_t count, size_t place, bool symmetric)
{
    while (place < count && ranked[place].is_symmetric != symmetric)
        place++;
    return place < count ? place : count;
}

/* As many symmetric finals as there is room for: few trees each leave room for more luck to
 * average. */
static size_t symmetric_finals(const struct search_request *request, const struct candidate *best)
{
    double trees = chosen_or(request->max_trees, SEARCH_TREES);
    double rate = chosen_or(request->learning_rate, SYMMETRIC_RATE);
    double fit = floor(trees * rate / (RANK_RATE * fmax(best->rounds, 1)));
    return (size_t)fmin(fmax(fit, 2), SYMMETRIC_FINALS);
}

/* The best of each kind of trees that is worth it. Symmetric ones are several, with luck of their
 * own: in turns the best shape and, if it is about as good, the second. Candidates are ranked, or
 * there is one. */
static size_t list_finals(const struct search_request *request, const struct candidate *ranked,
                          size_t count, struct candidate *finals)
{
    size_t first = find_kind(ranked, count, 0, true), final_count = 0;
    size_t second = find_kind(ranked, count, first + 1, true);
    size_t xgboost = find_kind(ranked, count, 0, false);
    double worst = WORTH_BLENDING * ranked[0].log_loss;
    if (first < count && ranked[first].log_loss <= worst) {
        if (second == count || ranked[second].log_loss > ABOUT_AS_GOOD * ranked[first].log_loss)
            second = first;
        for (size_t i = 0; i < symmetric_finals(request, &ranked[first]); i++) {
            finals[final_count] = ranked[i % 2 == 0 ? first : second];
            finals[final_count].noise = noises[i];
            finals[final_count++].seed += i;
        }
    }
    if (xgboost < count && ranked[xgboost].log_loss <= worst)
        finals[final_count++] = ranked[xgboost];
    for (size_t i = 0; i < final_count; i++)
        set_rate(request, final_count, &finals[i]);
    return final_count;
}

/* As if all finals were worth it. */
size_t search_boost_work(const struct search *search)
{
    struct candidate candidates[SEARCH_CANDIDATES], finals[SEARCH_CANDIDATES];
    if (!search->request->try_boosting)
        return 0;
    size_t count = list_candidates(search->request, candidates);
    size_t final_count = list_finals(search->request, candidates, count, finals);
    return ((count > 1 ? count : 0) + final_count) * search->fold_count;
}

static double *blend_margins(const double *margins, const struct candidate *finals, size_t count,
                             size_t rows)
{
    double *sums = mem_zero(rows, sizeof(*sums));
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; finals[i].weight > 0 && row < rows; row++)
            sums[row] += finals[i].weight * margins[i * rows + row];
    return sums;
}

/* What the weights gave, and what they would without a limit of trees. */
static void describe_blend(const struct blend_input *input, const struct candidate *finals,
                           double log_loss, char *note, size_t size)
{
    struct blend_input unlimited = *input;
    double weights[SEARCH_CANDIDATES], best = INFINITY;
    unsigned trees = 0, parts = 0;
    for (size_t i = 0; i < input->members; i++) {
        trees += finals[i].weight > 0 ? finals[i].rounds : 0;
        parts += finals[i].weight > 0;
        best = fmin(best, finals[i].log_loss);
    }
    size_t length = (size_t)snprintf(
        note, size, "The trees are %s: %u of at most %u, with a log-loss of %.4f out of fold",
        parts > 1 ? "a blend of several recipes" : "of one recipe", trees, input->budget, log_loss);
    if (parts > 1 && length < size)
        length +=
            (size_t)snprintf(note + length, size - length, " (the best alone has %.4f)", best);
    unlimited.budget = UINT_MAX;
    double without = blend_weights(&unlimited, weights);
    if (without < log_loss && length < size)
        length += (size_t)snprintf(note + length, size - length,
                                   "; without the limit of max_trees it would be %.4f", without);
    if (length < size)
        snprintf(note + length, size - length, ". ");
}

/* The finals with small rates, their weights, and the out-of-fold margins of their blend. */
static int run_finals(struct search *search, struct finalist *finalist, struct err *err)
{
    struct candidate *finals = finalist->candidates;
    size_t count = finalist->count;
    size_t rows = search->matrix.rows;
    unsigned trees = (unsigned)chosen_or(search->request->max_trees, SEARCH_TREES);
    unsigned costs[SEARCH_CANDIDATES];
    double weights[SEARCH_CANDIDATES];
    auto_free double *margins = mem_zero(count * rows, sizeof(*margins));
    struct round_search round = { .search = search,
                                  .candidates = finals,
                                  .count = count,
                                  .maximum_trees = final_trees(search->request, count),
                                  .patience = FINAL_PATIENCE,
                                  .stride = 1,
                                  .margins = margins };
    if (round_search_run(&round, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        costs[i] = finals[i].rounds;
    struct blend_input input = { margins, count, rows, search->labels, costs, trees };
    double log_loss = blend_weights(&input, weights);
    for (size_t i = 0; i < count; i++)
        finals[i].weight = weights[i];
    describe_blend(&input, finals, log_loss, finalist->note, sizeof(finalist->note));
    finalist->margins = blend_margins(margins, finals, count, rows);
    return 0;
}

int search_boost(struct search *search, struct finalist *ret_finalist, struct err *err)
{
    struct candidate ranked[SEARCH_CANDIDATES];
    struct finalist finalist = { 0 };
    size_t count = list_candidates(search->request, ranked);
    double trees = fmin(chosen_or(search->request->max_trees, SEARCH_TREES), RANK_TREES);
    struct round_search round = { .search = search,
                                  .candidates = ranked,
                                  .count = count,
                                  .maximum_trees = (unsigned)trees,
                                  .patience = RANK_PATIENCE,
                                  .race_folds = RANK_FOLDS,
                                  .hopeless = RANK_HOPELESS,
                                  .stride = (search->matrix.rows - 1) / RANK_ROWS + 1 };
    /* a shape that the user fixed needs no ranking */
    if (count > 1 && round_search_run(&round, err) < 0)
        return -1;
    search_sort(ranked, count);
    size_t expected = search_boost_work(search) / search->fold_count - (count > 1 ? count : 0);
    finalist.count = list_finals(search->request, ranked, count, finalist.candidates);
    search->total += finalist.count * search->fold_count - expected * search->fold_count;
    if (run_finals(search, &finalist, err) < 0)
        return -1;
    search_sort(finalist.candidates, finalist.count);
    for (size_t i = 0; count > 1 && i < count; i++)
        finalist.candidates[finalist.count++] = ranked[i];
    *ret_finalist = finalist;
    return 0;
}
