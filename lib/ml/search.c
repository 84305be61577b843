#include "ml/search_steps.h"

#include <math.h>

#include "base/mem.h"

void search_result_release(struct search_result *result)
{
    free(result->margins);
    *result = (struct search_result){ 0 };
}

void search_progress(struct search *search)
{
    size_t done = atomic_fetch_add(&search->done, 1) + 1;
    if (search->request->progress != NULL)
        search->request->progress(search->request->progress_context, done, search->total);
}

void search_sort(struct candidate *candidates, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct candidate candidate = candidates[i];
        size_t place = i;
        for (; place > 0 && candidates[place - 1].log_loss > candidate.log_loss; place--)
            candidates[place] = candidates[place - 1];
        candidates[place] = candidate;
    }
}

void candidate_describe(const struct candidate *candidate, char *ret_text, size_t size)
{
    if (candidate->algorithm == MODEL_GRADIENT_BOOSTING)
        snprintf(ret_text, size, "depth %d, leaf weight %g, lambda %g, rate %g, %u trees",
                 candidate->boost.max_depth, candidate->boost.min_child_weight,
                 candidate->boost.lambda, candidate->boost.learning_rate, candidate->rounds);
    else
        snprintf(ret_text, size, "%s inputs, L2 %g", linear_inputs_names[candidate->inputs],
                 candidate->l2);
}

/* --- folds as matrices -------------------------------------------------- */

void fold_data_init(struct fold_data *data, const struct search *search, unsigned number,
                    size_t stride)
{
    size_t counts[2] = { 0 }, columns = search->matrix.columns;
    for (size_t i = 0; i < search->matrix.rows; i += stride)
        counts[search->fold[i] == number]++;
    *data = (struct fold_data){
        .train_values = mem_zero(counts[0] * columns, sizeof(float)),
        .validation_values = mem_zero(counts[1] * columns, sizeof(float)),
        .train_labels = mem_zero(counts[0], 1),
        .validation_labels = mem_zero(counts[1], 1),
        .validation_rows = mem_zero(counts[1], sizeof(uint32_t)),
    };
    data->train = (struct matrix){ data->train_values, counts[0], columns };
    data->validation = (struct matrix){ data->validation_values, counts[1], columns };
    size_t train = 0, validation = 0;
    for (size_t i = 0; i < search->matrix.rows; i += stride) {
        const float *row = search->matrix.values + i * columns;
        if (search->fold[i] == number) {
            memcpy(data->validation_values + validation * columns, row, columns * sizeof(float));
            data->validation_rows[validation] = (uint32_t)i;
            data->validation_labels[validation++] = search->labels[i];
        } else {
            memcpy(data->train_values + train * columns, row, columns * sizeof(float));
            data->train_labels[train++] = search->labels[i];
        }
    }
}

void fold_data_release(struct fold_data *data)
{
    free(data->train_values);
    free(data->validation_values);
    free(data->train_labels);
    free(data->validation_labels);
    free(data->validation_rows);
    *data = (struct fold_data){ 0 };
}

/* --- the choice --------------------------------------------------------- */

static double row_loss(double margin, uint8_t label)
{
    return log1p(exp(-fabs(margin))) + fmax(margin, 0) - (label ? margin : 0);
}

/* Mean of loss(boosting) - loss(linear) over rows, and its standard error. */
static void compare(const struct search *search, const double *boosting, const double *linear,
                    double *ret_mean, double *ret_error)
{
    double sum = 0, squares = 0, rows = (double)search->matrix.rows;
    for (size_t i = 0; i < search->matrix.rows; i++) {
        double difference =
            row_loss(boosting[i], search->labels[i]) - row_loss(linear[i], search->labels[i]);
        sum += difference;
        squares += difference * difference;
    }
    *ret_mean = sum / rows;
    *ret_error = sqrt(fmax(squares / rows - *ret_mean * *ret_mean, 0) / rows);
}

/* Which of two finalists; says why. */
static bool prefer_linear(const struct search *search, const struct finalist *boosting,
                          const struct finalist *linear, char *why, size_t size)
{
    double gain, error;
    compare(search, boosting->margins, linear->margins, &gain, &error);
    bool better = gain > SEARCH_CLEARLY && gain > error;
    const char *verdict = better     ? "is clearly below"
                          : gain > 0 ? "is not clearly below"
                                     : "is not below";
    snprintf(why, size,
             "Out of fold, the log-loss of logistic regression (%.4f) %s that of gradient "
             "boosting (%.4f); the difference is %.4f with a standard error of %.4f.",
             linear->candidates[0].log_loss, verdict, boosting->candidates[0].log_loss, -gain,
             error);
    return better;
}

static void append_candidates(struct search_result *result, const struct finalist *finalist)
{
    for (size_t i = 0; i < finalist->count && result->count < SEARCH_CANDIDATES; i++)
        result->candidates[result->count++] = finalist->candidates[i];
}

static void decide(const struct search *search, struct finalist *boosting, struct finalist *linear,
                   struct search_result *result)
{
    bool use_linear = boosting->margins == NULL;
    if (boosting->margins != NULL && linear->margins != NULL)
        use_linear = prefer_linear(search, boosting, linear, result->why, sizeof(result->why));
    else
        snprintf(result->why, sizeof(result->why), "%s is the only algorithm that was tried.",
                 use_linear ? "Logistic regression" : "Gradient boosting");
    append_candidates(result, boosting);
    result->chosen = use_linear ? result->count : 0;
    append_candidates(result, linear);
    result->margins = use_linear ? TAKE(linear->margins) : TAKE(boosting->margins);
}

int search_run(const struct search_request *request, struct matrix matrix, const uint8_t *labels,
               const uint8_t *fold, unsigned fold_count, struct search_result *ret_result,
               struct err *err)
{
    struct search search = { .request = request,
                             .matrix = matrix,
                             .labels = labels,
                             .fold = fold,
                             .fold_count = fold_count };
    /* Auto on very wide data goes without logistic regression. */
    bool try_linear =
        request->try_linear && (!request->try_boosting || matrix.columns <= LINEAR_COLUMNS_MAXIMUM);
    search.total = (request->try_boosting ? search_boost_work(&search) : 0) +
                   (try_linear ? search_linear_work(&search) : 0);
    struct finalist boosting = { 0 }, linear = { 0 };
    int outcome = request->try_boosting ? search_boost(&search, &boosting, err) : 0;
    if (outcome == 0 && try_linear)
        outcome = search_linear(&search, &linear, err);
    if (outcome == 0) {
        struct search_result result = { 0 };
        decide(&search, &boosting, &linear, &result);
        *ret_result = result;
    }
    free(boosting.margins);
    free(linear.margins);
    return outcome;
}

/* --- fitting a recipe --------------------------------------------------- */

static int fit_linear(const struct candidate *candidate, struct matrix matrix,
                      const uint8_t *labels, struct model *model, struct err *err)
{
    auto_linear struct linear linear = { 0 };
    if (linear_prepare(matrix, candidate->inputs, &linear, err) < 0)
        return -1;
    auto_linear_design struct linear_design design;
    linear_design_init(&design, &linear, matrix);
    if (linear_solve(&linear, &design, labels, candidate->l2, err) < 0)
        return -1;
    model->linear = mem_alloc(sizeof(*model->linear));
    *model->linear = linear;
    linear = (struct linear){ 0 };
    return 0;
}

int candidate_fit(const struct candidate *candidate, struct matrix matrix, const uint8_t *labels,
                  struct model *model, struct err *err)
{
    model->algorithm = candidate->algorithm;
    if (candidate->algorithm == MODEL_LOGISTIC_REGRESSION)
        return fit_linear(candidate, matrix, labels, model, err);
    auto_booster struct booster *booster =
        booster_train(&candidate->boost, matrix, labels, candidate->rounds, err);
    if (booster == NULL)
        return -1;
    return booster_save(booster, &model->weights, &model->weights_size, err);
}
