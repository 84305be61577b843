#include "ml/search_steps.h"

#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ml/forest_write.h"

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

static void describe_network(const struct network_options *options, unsigned epochs, char *ret_text,
                             size_t size)
{
    snprintf(
        ret_text, size,
        "%u networks, %s inputs, %u x %u units, dropout %g, decay %g, rate %g, %u of %u epochs",
        options->members, network_encoding_names[options->encoding], options->hidden_layers,
        options->hidden_units, options->dropout, options->weight_decay, options->learning_rate,
        epochs, options->schedule);
}

void candidate_describe(const struct candidate *candidate, char *ret_text, size_t size)
{
    if (candidate->algorithm == MODEL_LOGISTIC_REGRESSION)
        snprintf(ret_text, size, "%s inputs, L2 %g", linear_inputs_names[candidate->inputs],
                 candidate->l2);
    else if (candidate->algorithm == MODEL_NEURAL_NETWORK)
        describe_network(&candidate->network, candidate->rounds, ret_text, size);
    else if (candidate->is_symmetric)
        snprintf(ret_text, size, "symmetric, depth %d, noise %g, lambda %g, rate %g, %u trees",
                 candidate->boost.max_depth, candidate->noise, candidate->boost.lambda,
                 candidate->boost.learning_rate, candidate->rounds);
    else
        snprintf(ret_text, size, "depth %d, leaf weight %g, lambda %g, rate %g, %u trees",
                 candidate->boost.max_depth, candidate->boost.min_child_weight,
                 candidate->boost.lambda, candidate->boost.learning_rate, candidate->rounds);
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

/* In the order in which they are preferred. */
static const struct {
    const char *name; /* in a sentence */
    size_t (*work)(const struct search *search);
    int (*run)(struct search *search, struct finalist *ret_finalist, struct err *err);
} algorithms[] = {
    { "gradient boosting", search_boost_work, search_boost },
    { "logistic regression", search_linear_work, search_linear },
    { "a neural network", search_network_work, search_network },
};
#define ALGORITHMS ARRAY_SIZE(algorithms)

/* How two sets of margins compare: mean losses, and the standard error of their paired difference.
 */
struct comparison {
    double first, second, error;
};

static struct comparison compare(const struct search *search, const double *first,
                                 const double *second)
{
    struct comparison result = { 0 };
    double squares = 0, rows = (double)search->matrix.rows;
    for (size_t i = 0; i < search->matrix.rows; i++) {
        double losses[] = { row_loss(first[i], search->labels[i]),
                            row_loss(second[i], search->labels[i]) };
        result.first += losses[0] / rows;
        result.second += losses[1] / rows;
        squares += (losses[0] - losses[1]) * (losses[0] - losses[1]) / rows;
    }
    double difference = result.first - result.second;
    result.error = sqrt(fmax(squares - difference * difference, 0) / rows);
    return result;
}

/* Is the challenger clearly better than the one preferred so far? Says so. */
static bool beats(const struct search *search, const struct finalist *finalists, size_t challenger,
                  size_t preferred, struct buf *why)
{
    struct comparison found =
        compare(search, finalists[preferred].margins, finalists[challenger].margins);
    double gain = found.first - found.second;
    bool better = gain > SEARCH_CLEARLY && gain > found.error;
    const char *verdict = better     ? "is clearly below"
                          : gain > 0 ? "is not clearly below"
                                     : "is not below";
    buf_format(why,
               "Out of fold, the log-loss of %s (%.4f) %s that of %s (%.4f); the difference is "
               "%.4f with a standard error of %.4f. ",
               algorithms[challenger].name, found.second, verdict, algorithms[preferred].name,
               found.first, -gain, found.error);
    return better;
}

static size_t prefer(const struct search *search, const struct finalist *finalists, struct buf *why)
{
    size_t preferred = 0, tried = 0;
    if (search->monotone != NULL)
        buf_string(why, "Trees alone keep to the directions that columns were given. ");
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (finalists[i].margins == NULL)
            continue;
        if (tried++ == 0 || beats(search, finalists, i, preferred, why))
            preferred = i;
    }
    if (tried == 1)
        buf_format(why, "Only %s was tried. ", algorithms[preferred].name);
    return preferred;
}

static void decide(const struct search *search, struct finalist *finalists,
                   struct search_result *result)
{
    auto_buf struct buf why;
    buf_init(&why, sizeof(result->why) - 1); /* more is dropped */
    size_t preferred = prefer(search, finalists, &why);
    buf_string(&why, finalists[preferred].note);
    double greatest = 0;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        for (size_t j = 0; j < finalists[i].count && result->count < SEARCH_CANDIDATES; j++) {
            struct candidate *candidate = &result->candidates[result->count++];
            *candidate = finalists[i].candidates[j];
            candidate->weight = i == preferred ? candidate->weight : 0;
            if (candidate->weight <= greatest)
                continue;
            greatest = candidate->weight;
            result->chosen = result->count - 1;
        }
    }
    size_t length = why.length > 0 ? why.length - 1 : 0; /* without the last blank */
    memcpy(result->why, buf_text(&why), length);
    result->margins = TAKE(finalists[preferred].margins);
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
    auto_free int8_t *monotone =
        request->features == NULL ? NULL : features_monotone(request->features);
    search.monotone = monotone;
    struct finalist finalists[ALGORITHMS] = { 0 };
    int outcome = 0;
    for (size_t i = 0; i < ALGORITHMS; i++)
        search.total += algorithms[i].work(&search);
    for (size_t i = 0; outcome == 0 && i < ALGORITHMS; i++)
        if (algorithms[i].work(&search) > 0)
            outcome = algorithms[i].run(&search, &finalists[i], err);
    if (outcome == 0) {
        struct search_result result = { 0 };
        decide(&search, finalists, &result);
        *ret_result = result;
    }
    for (size_t i = 0; i < ALGORITHMS; i++)
        free(finalists[i].margins);
    return outcome;
}

/* --- fitting a recipe --------------------------------------------------- */

/* The rows as floats; *ret_made is what the caller frees: NULL when they were a matrix already. */
static struct matrix make_matrix(const struct row_source *source, float **ret_made)
{
    *ret_made = NULL;
    if (source->values != NULL)
        return (struct matrix){ source->values, source->rows, source->columns };
    float *values = mem_zero(source->rows * source->columns, sizeof(*values));
    source->read(source->context, 0, source->rows, values);
    *ret_made = values;
    return (struct matrix){ values, source->rows, source->columns };
}

static int prepare_linear(const struct candidate *candidate, const struct row_source *source,
                          struct linear *ret_linear, struct err *err)
{
    auto_free float *values = NULL;
    struct matrix matrix = make_matrix(source, &values);
    return linear_prepare(matrix, candidate->inputs, ret_linear, err);
}

/* The matrix is gone when its prepared form, which is as large, is made from blocks. */
static int fit_linear(const struct candidate *candidate, struct row_source source,
                      const uint8_t *labels, struct model *model, struct err *err)
{
    auto_linear struct linear linear = { 0 };
    if (prepare_linear(candidate, &source, &linear, err) < 0)
        return -1;
    auto_linear_design struct linear_design design;
    linear_design_init(&design, &linear, source);
    if (linear_solve(&linear, &design, labels, candidate->l2, err) < 0)
        return -1;
    model->linear = mem_alloc(sizeof(*model->linear));
    *model->linear = linear;
    linear = (struct linear){ 0 };
    return 0;
}

static int fit_network(const struct candidate *candidate, struct row_source source,
                       const uint8_t *labels, struct model *model, struct err *err)
{
    const struct features *features =
        model->features.count == source.columns ? &model->features : NULL;
    auto_free float *values = NULL;
    auto_network struct network network = { 0 };
    if (network_fit(&candidate->network, features, make_matrix(&source, &values), labels,
                    candidate->rounds, &network, err) < 0)
        return -1;
    return model_take_network(model, &network, err);
}

static int fit_symmetric(const struct candidate *candidate, const int8_t *monotone,
                         struct row_source source, const uint8_t *labels, struct model *model,
                         struct err *err)
{
    struct symmetric_options options = candidate_symmetric(candidate, source.columns);
    options.monotone = monotone;
    auto_symmetric struct symmetric *symmetric =
        symmetric_train(&options, source, labels, candidate->rounds);
    return symmetric_save(symmetric, &model->weights, &model->weights_size, err);
}

/* `features` are of the columns; a part of a blend has none of its own. */
static int fit_candidate(const struct candidate *candidate, const struct features *features,
                         struct row_source source, const uint8_t *labels, struct model *model,
                         struct err *err)
{
    model->algorithm = candidate->algorithm;
    if (candidate->algorithm == MODEL_LOGISTIC_REGRESSION)
        return fit_linear(candidate, source, labels, model, err);
    if (candidate->algorithm == MODEL_NEURAL_NETWORK)
        return fit_network(candidate, source, labels, model, err);
    auto_free int8_t *monotone = features_monotone(features);
    if (candidate->is_symmetric)
        return fit_symmetric(candidate, monotone, source, labels, model, err);
    struct boost_options options = candidate->boost;
    options.monotone = monotone;
    auto_booster struct booster *booster =
        booster_train(&options, source, labels, candidate->rounds, err);
    if (booster == NULL)
        return -1;
    return booster_save(booster, &model->weights, &model->weights_size, err);
}

int candidate_fit(const struct candidate *candidate, struct row_source source,
                  const uint8_t *labels, struct model *model, struct err *err)
{
    return fit_candidate(candidate, &model->features, source, labels, model, err);
}

/* Forests that are parts of one. */
static int fit_blend(const struct search_result *search, struct row_source source,
                     const uint8_t *labels, struct model *model, struct err *err)
{
    struct model parts[SEARCH_CANDIDATES] = { 0 };
    struct forest_part forests[SEARCH_CANDIDATES];
    size_t count = 0;
    int outcome = 0;
    for (size_t i = 0; outcome == 0 && i < search->count; i++) {
        if (!(search->candidates[i].weight > 0))
            continue;
        outcome = fit_candidate(&search->candidates[i], &model->features, source, labels,
                                &parts[count], err);
        forests[count] = (struct forest_part){ { parts[count].weights, parts[count].weights_size },
                                               search->candidates[i].weight };
        count++;
    }
    if (outcome == 0)
        outcome = forest_blend(forests, count, source.columns, &model->weights,
                               &model->weights_size, err);
    for (size_t i = 0; i < count; i++)
        model_release(&parts[i]);
    return outcome;
}

int search_fit(const struct search_result *search, struct row_source source, const uint8_t *labels,
               struct model *model, struct err *err)
{
    const struct candidate *chosen = &search->candidates[search->chosen];
    model->algorithm = chosen->algorithm;
    if (chosen->weight < 1)
        return fit_blend(search, source, labels, model, err);
    return candidate_fit(chosen, source, labels, model, err);
}
