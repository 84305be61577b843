/* The search for the shape of neural networks: search.h. */
#include "ml/search_steps.h"

#include <math.h>

#include "base/mem.h"
#include "ml/calibrate.h"
#include "ml/metrics.h"
#include "ml/parallel.h"

#define SEARCH_ROWS     50000 /* more are thinned out: shapes rank the same */
#define HIDDEN_LAYERS   2
#define HIDDEN_UNITS    64
#define LEARNING_RATE   0.005
#define MEMBERS         5
#define STEPS           480 /* of a schedule; an epoch of few rows has few */
#define EPOCHS_FEWEST   6
#define EPOCHS_MOST     60
#define PATIENCE_FEWEST 5

/* Regularisation is what has to fit the file: additive ones want more dropout, large
 * ones less decay. */
static const struct {
    enum network_encoding encoding;
    double dropout, weight_decay;
} shapes[] = {
    { NETWORK_PIECEWISE, 0.2, 5 },
    { NETWORK_PIECEWISE, 0.4, 5 },
    { NETWORK_PIECEWISE, 0.2, 1 },
    { NETWORK_QUANTILES, 0.2, 1 },
};

static double chosen_or(double fixed, double otherwise)
{
    return isnan(fixed) ? otherwise : fixed;
}

static unsigned schedule_for(size_t rows)
{
    size_t epochs = STEPS / network_steps(rows) + 1;
    if (epochs < EPOCHS_FEWEST)
        return EPOCHS_FEWEST;
    return epochs > EPOCHS_MOST ? EPOCHS_MOST : (unsigned)epochs;
}

static bool is_repeated(const struct candidate *candidates, size_t index)
{
    const struct network_options *own = &candidates[index].network;
    for (size_t i = 0; i < index; i++) {
        const struct network_options *other = &candidates[i].network;
        if (other->encoding == own->encoding && !(other->dropout < own->dropout) &&
            !(other->dropout > own->dropout) && !(other->weight_decay < own->weight_decay) &&
            !(other->weight_decay > own->weight_decay))
            return true;
    }
    return false;
}

static size_t list_candidates(const struct search *search, struct candidate *candidates)
{
    const struct search_request *request = search->request;
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        candidates[count] = (struct candidate){
            .algorithm = MODEL_NEURAL_NETWORK,
            .network = { .encoding = shapes[i].encoding,
                         .hidden_layers =
                             (unsigned)chosen_or(request->hidden_layers, HIDDEN_LAYERS),
                         .hidden_units = (unsigned)chosen_or(request->hidden_units, HIDDEN_UNITS),
                         .dropout = chosen_or(request->dropout, shapes[i].dropout),
                         .learning_rate = chosen_or(request->learning_rate, LEARNING_RATE),
                         .weight_decay = chosen_or(request->weight_decay, shapes[i].weight_decay),
                         .schedule = (unsigned)chosen_or(request->epochs,
                                                         schedule_for(search->matrix.rows)),
                         .members = (unsigned)chosen_or(request->ensemble, MEMBERS),
                         .seed = request->seed },
        };
        count += is_repeated(candidates, count) ? 0 : 1;
    }
    return count;
}

size_t search_network_work(const struct search *search)
{
    struct candidate candidates[SEARCH_CANDIDATES];
    if (!search->request->try_network)
        return 0;
    size_t count = list_candidates(search, candidates);
    return (count + candidates[0].network.members) * search->fold_count;
}

/* --- shapes ------------------------------------------------------------- */

/* All candidates x folds, one network each. */
struct shape_search {
    struct search *search;
    struct candidate *candidates;
    size_t stride;                /* of rows */
    struct network_curve *curves; /* candidate x fold */
    size_t *rows;                 /* the same: rows that were judged */
};

static int shape_task(void *context, size_t index, struct err *err)
{
    struct shape_search *work = context;
    struct search *search = work->search;
    const struct network_options *options = &work->candidates[index / search->fold_count].network;
    unsigned patience = options->schedule / 2;
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, search, (unsigned)(index % search->fold_count), work->stride);
    work->rows[index] = fold.validation.rows;
    if (network_search(options, search->request->features, fold.train, fold.train_labels,
                       fold.validation, fold.validation_labels,
                       patience > PATIENCE_FEWEST ? patience : PATIENCE_FEWEST,
                       &work->curves[index], err) < 0)
        return -1;
    search_progress(search);
    return 0;
}

/* The epoch of the lowest log-loss over all rows. A fold that stopped earlier keeps its last
 * loss: it had stopped improving. */
static void judge(const struct shape_search *work, size_t index)
{
    unsigned folds = work->search->fold_count;
    struct candidate *candidate = &work->candidates[index];
    candidate->log_loss = INFINITY;
    for (unsigned epoch = 1; epoch <= candidate->network.schedule; epoch++) {
        double sum = 0, rows = 0;
        for (size_t i = index * folds; i < (index + 1) * folds; i++) {
            const struct network_curve *curve = &work->curves[i];
            size_t last = epoch <= curve->count ? epoch : curve->count;
            sum += curve->losses[last - 1] * (double)work->rows[i];
            rows += (double)work->rows[i];
        }
        if (sum / rows < candidate->log_loss || epoch == 1) {
            candidate->log_loss = sum / rows;
            candidate->rounds = epoch;
        }
    }
}

static int find_shape(struct search *search, struct finalist *finalist, struct err *err)
{
    size_t tasks = finalist->count * search->fold_count;
    auto_free struct network_curve *curves = mem_zero(tasks, sizeof(*curves));
    auto_free size_t *rows = mem_zero(tasks, sizeof(*rows));
    struct shape_search work = { .search = search,
                                 .candidates = finalist->candidates,
                                 .stride = (search->matrix.rows - 1) / SEARCH_ROWS + 1,
                                 .curves = curves,
                                 .rows = rows };
    int outcome = parallel_run(search->request->threads, tasks, shape_task, &work, err);
    for (size_t i = 0; outcome == 0 && i < finalist->count; i++)
        judge(&work, i);
    for (size_t i = 0; i < tasks; i++)
        network_curve_release(&curves[i]);
    search_sort(finalist->candidates, finalist->count);
    return outcome;
}

/* --- the ensemble out of fold ------------------------------------------- */

struct ensemble {
    struct search *search;
    const struct candidate *candidate;
    double *margins; /* member x row */
};

static int member_task(void *context, size_t index, struct err *err)
{
    struct ensemble *work = context;
    struct search *search = work->search;
    size_t member = index / search->fold_count;
    struct network_options options = work->candidate->network;
    options.members = 1;
    options.seed += member;
    auto_fold_data struct fold_data fold;
    fold_data_init(&fold, search, (unsigned)(index % search->fold_count), 1);
    auto_network struct network network = { 0 };
    if (network_fit(&options, search->request->features, fold.train, fold.train_labels,
                    work->candidate->rounds, &network, err) < 0)
        return -1;
    auto_free double *margins = mem_zero(fold.validation.rows, sizeof(*margins));
    network_margins(&network, fold.validation, margins);
    for (size_t i = 0; i < fold.validation.rows; i++)
        work->margins[member * search->matrix.rows + fold.validation_rows[i]] = margins[i];
    search_progress(search);
    return 0;
}

int search_network(struct search *search, struct finalist *ret_finalist, struct err *err)
{
    struct finalist finalist = { 0 };
    finalist.count = list_candidates(search, finalist.candidates);
    if (find_shape(search, &finalist, err) < 0)
        return -1;
    struct candidate *best = &finalist.candidates[0];
    size_t rows = search->matrix.rows, members = best->network.members;
    auto_free double *margins = mem_zero(members * rows, sizeof(*margins));
    struct ensemble work = { search, best, margins };
    if (parallel_run(search->request->threads, members * search->fold_count, member_task, &work,
                     err) < 0)
        return -1;
    auto_free double *probabilities = mem_zero(rows, sizeof(*probabilities));
    finalist.margins = mem_zero(rows, sizeof(double));
    for (size_t row = 0; row < rows; row++) {
        for (size_t member = 0; member < members; member++)
            finalist.margins[row] += margins[member * rows + row] / (double)members;
        probabilities[row] = probability_of(finalist.margins[row]);
    }
    best->log_loss = metric_log_loss(probabilities, search->labels, rows);
    best->weight = 1;
    *ret_finalist = finalist;
    return 0;
}
