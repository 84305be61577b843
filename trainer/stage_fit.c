/* Fit: the search inside the training part, then what was chosen twice: trees read the packed table
 * block by block, so that no matrix of all rows is made. */
#include "trainer/training.h"

#include <math.h>

#include "ml/parallel.h"
#include "trainer/guards.h"

/* With more rows one of the two fits waits for the other: memory for one is what matters then. */
#define FITS_AT_ONCE 2000000

static double parameter_or_free(const struct training_spec *spec, const char *name)
{
    double value;
    return parameter_value(spec, name, &value) ? value : NAN;
}

static void update_progress(void *context, size_t done, size_t total)
{
    const struct training *training = context;
    if (training->progress != NULL)
        training->progress(training->progress_context, done, total, /* rows= */ 0);
}

static bool has_directions(const struct data_spec *data)
{
    const struct column_override *columns = data->columns.items;
    for (size_t i = 0; i < data->columns.count; i++)
        if (columns[i].monotone != MONOTONE_FREE)
            return true;
    return false;
}

static struct search_request make_request(struct training *training)
{
    const struct training_spec *spec = &training->job.training;
    bool any = spec->algorithm == ALGORITHM_AUTO;
    return (struct search_request){
        .try_boosting = any || spec->algorithm == ALGORITHM_GRADIENT_BOOSTING,
        .try_linear = (any && !has_directions(spec->data)) ||
                      spec->algorithm == ALGORITHM_LOGISTIC_REGRESSION,
        .try_network = spec->algorithm == ALGORITHM_NEURAL_NETWORK,
        .max_depth = parameter_or_free(spec, "max_depth"),
        .min_child_weight = parameter_or_free(spec, "min_child_weight"),
        .learning_rate = parameter_or_free(spec, "learning_rate"),
        .max_trees = parameter_or_free(spec, "max_trees"),
        .lambda = parameter_or_free(spec, "lambda"),
        .l2 = parameter_or_free(spec, "l2"),
        .hidden_layers = parameter_or_free(spec, "hidden_layers"),
        .hidden_units = parameter_or_free(spec, "hidden_units"),
        .dropout = parameter_or_free(spec, "dropout"),
        .weight_decay = parameter_or_free(spec, "weight_decay"),
        .epochs = parameter_or_free(spec, "epochs"),
        .ensemble = parameter_or_free(spec, "ensemble"),
        .seed = (uint64_t)spec->seed,
        .threads = training->threads,
        .progress = update_progress,
        .progress_context = training,
    };
}

/* On folds.searched, encoded in memory. */
static int search(struct training *training, struct err *err)
{
    const struct folds *folds = &training->folds;
    const struct table *table = &training->table;
    size_t count = folds->searched_count;
    struct search_request request = make_request(training);
    auto_features struct features features = { 0 };
    if (training_fit_features(training, folds->searched, count, &features, err) < 0)
        return -1;
    /* a fold is a copy, of which networks take a sample */
    size_t matrices = training->job.training.algorithm == ALGORITHM_NEURAL_NETWORK ? 1 : 2;
    if (guard_memory(training, matrices * count * features.count * sizeof(float), err) < 0)
        return -1;
    request.features = &features;
    auto_free float *values =
        training_encode(&features, table, folds->searched, count, FEATURES_TRAINING, err);
    auto_free uint8_t *labels = training_labels(table, folds->searched, count);
    auto_free uint8_t *fold = mem_zero(count, 1);
    for (size_t i = 0; i < count; i++)
        fold[i] = folds->fold[folds->searched[i]];
    if (values == NULL)
        return -1;
    struct matrix matrix = { values, count, features.count };
    return search_run(&request, matrix, labels, fold, folds->fold_count, &training->search, err);
}

/* The rows that one of the two models learns from. */
struct part {
    struct training *training;
    struct model *model;
    const uint32_t *rows;
    size_t count;
};

static void read_rows(const void *context, size_t first, size_t count, float *ret_values)
{
    row_encoder_encode(context, first, count, ret_values);
}

static int fit_part(void *context, size_t index, struct err *err)
{
    const struct part *part = (const struct part *)context + index;
    const struct training *training = part->training;
    struct model *model = part->model;
    if (training_begin_model(training, part->rows, part->count, model, err) < 0)
        return -1;
    auto_row_encoder struct row_encoder *encoder = row_encoder_new(
        &model->features, &training->table, part->rows, part->count, FEATURES_TRAINING, err);
    if (encoder == NULL)
        return -1;
    auto_free uint8_t *labels = training_labels(&training->table, part->rows, part->count);
    struct row_source source = {
        .rows = part->count, .columns = model->features.count, .read = read_rows, .context = encoder
    };
    return search_fit(&training->search, source, labels, model, err);
}

int stage_fit(struct training *training, struct err *err)
{
    const struct folds *folds = &training->folds;
    auto_free uint32_t *all = training_all_rows(&training->table);
    struct part parts[] = {
        { training, &training->evaluation, folds->training, folds->training_count },
        { training, &training->final, all, training->table.row_count },
    };
    if (search(training, err) < 0)
        return -1;
    unsigned threads = training->table.row_count > FITS_AT_ONCE ? 1 : training->threads;
    return parallel_run(threads, ARRAY_SIZE(parts), fit_part, parts, err);
}
