/* The search for inputs and penalty of logistic regression: search.h. */
#include "ml/search_steps.h"

#include <math.h>

#include "base/mem.h"
#include "ml/metrics.h"
#include "ml/parallel.h"

/* Falling, because each solution is a good start for the next. */
static const double penalties[] = { 100, 30, 10, 3, 1, 0.1 };
#define INPUT_KINDS 2

struct linear_search {
    struct search *search;
    struct candidate *candidates; /* inputs x penalty */
    size_t penalty_count;
    double *margins; /* candidate x row */
};

static size_t list_candidates(const struct search *search, struct candidate *candidates)
{
    double fixed = search->request->l2;
    size_t penalty_count = isnan(fixed) ? ARRAY_SIZE(penalties) : 1;
    for (size_t i = 0; i < INPUT_KINDS * penalty_count; i++)
        candidates[i] = (struct candidate){
            .algorithm = MODEL_LOGISTIC_REGRESSION,
            .inputs = (enum linear_inputs)(i / penalty_count),
            .l2 = isnan(fixed) ? penalties[i % penalty_count] : fixed,
        };
    return INPUT_KINDS * penalty_count;
}

/* Auto on very wide data goes without. */
size_t search_linear_work(const struct search *search)
{
    const struct search_request *request = search->request;
    if (!request->try_linear ||
        (request->try_boosting && search->matrix.columns > LINEAR_COLUMNS_MAXIMUM))
        return 0;
    return INPUT_KINDS * search->fold_count;
}

static int linear_task(void *context, size_t index, struct err *err)
{
    struct linear_search *work = context;
    struct search *search = work->search;
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, search, (unsigned)(index % search->fold_count), 1);
    size_t first = index / search->fold_count * work->penalty_count;
    auto_linear struct linear linear = { 0 };
    if (linear_prepare(fold.train, work->candidates[first].inputs, &linear, err) < 0)
        return -1;
    auto_linear_design struct linear_design design;
    linear_design_init(&design, &linear, rows_of(fold.train));
    auto_free double *margins = mem_zero(fold.validation.rows, sizeof(*margins));
    for (size_t i = first; i < first + work->penalty_count; i++) {
        if (linear_solve(&linear, &design, fold.train_labels, work->candidates[i].l2, err) < 0)
            return -1;
        linear_margins(&linear, fold.validation, margins);
        for (size_t row = 0; row < fold.validation.rows; row++)
            work->margins[i * search->matrix.rows + fold.validation_rows[row]] = margins[row];
    }
    search_progress(search);
    return 0;
}

static double loss_of(const double *margins, const uint8_t *labels, size_t rows)
{
    auto_free double *probabilities = mem_zero(rows, sizeof(*probabilities));
    for (size_t i = 0; i < rows; i++)
        probabilities[i] = probability_of(margins[i]);
    return metric_log_loss(probabilities, labels, rows);
}

int search_linear(struct search *search, struct finalist *ret_finalist, struct err *err)
{
    struct finalist finalist = { 0 };
    finalist.count = list_candidates(search, finalist.candidates);
    auto_free double *margins = mem_zero(finalist.count * search->matrix.rows, sizeof(*margins));
    struct linear_search work = { search, finalist.candidates, finalist.count / INPUT_KINDS,
                                  margins };
    if (parallel_run(search->request->threads, INPUT_KINDS * search->fold_count, linear_task, &work,
                     err) < 0)
        return -1;
    size_t best = 0;
    for (size_t i = 0; i < finalist.count; i++) {
        finalist.candidates[i].log_loss =
            loss_of(margins + i * search->matrix.rows, search->labels, search->matrix.rows);
        if (finalist.candidates[i].log_loss < finalist.candidates[best].log_loss)
            best = i;
    }
    finalist.margins = mem_zero(search->matrix.rows, sizeof(double));
    memcpy(finalist.margins, margins + best * search->matrix.rows,
           search->matrix.rows * sizeof(double));
    search_sort(finalist.candidates, finalist.count);
    finalist.candidates[0].weight = 1;
    *ret_finalist = finalist;
    return 0;
}
