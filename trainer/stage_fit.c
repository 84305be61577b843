/* Fit: the search inside the training part, then what was chosen twice. */
#include "trainer/training.h"

#include <math.h>

#include "ml/parallel.h"

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

static struct search_request make_request(struct training *training)
{
    const struct training_spec *spec = &training->job.training;
    bool any = spec->algorithm == ALGORITHM_AUTO;
    return (struct search_request){
        .try_boosting = any || spec->algorithm == ALGORITHM_GRADIENT_BOOSTING,
        .try_linear = any || spec->algorithm == ALGORITHM_LOGISTIC_REGRESSION,
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
        .features = &training->evaluation.features,
        .seed = (uint64_t)spec->seed,
        .threads = training->threads,
        .progress = update_progress,
        .progress_context = training,
    };
}

static int search(struct training *training, struct matrix matrix, const uint8_t *labels,
                  struct err *err)
{
    const struct folds *folds = &training->folds;
    struct search_request request = make_request(training);
    auto_free uint8_t *fold = mem_zero(folds->training_count, 1);
    for (size_t i = 0; i < folds->training_count; i++)
        fold[i] = folds->fold[folds->training[i]];
    return search_run(&request, matrix, labels, fold, folds->fold_count, &training->search, err);
}

/* Some rows, encoded for a model that has learned its features from them. */
struct part {
    struct model *model;
    float *values;
    uint8_t *labels;
    struct matrix matrix;
};

static void part_release(struct part *part)
{
    free(part->values);
    free(part->labels);
}
#define auto_part __attribute__((cleanup(part_release)))

static int part_init(struct part *part, const struct training *training, const uint32_t *rows,
                     size_t count, struct model *model, struct err *err)
{
    *part = (struct part){ .model = model };
    if (training_begin_model(training, rows, count, model, err) < 0)
        return -1;
    part->values =
        training_encode(&model->features, &training->table, rows, count, FEATURES_TRAINING, err);
    part->labels = training_labels(&training->table, rows, count);
    part->matrix = (struct matrix){ part->values, count, model->features.count };
    return part->values == NULL ? -1 : 0;
}

struct fit_work {
    const struct search_result *search;
    struct part parts[2];
};

static int fit_part(void *context, size_t index, struct err *err)
{
    const struct fit_work *work = context;
    const struct part *part = &work->parts[index];
    return search_fit(work->search, part->matrix, part->labels, part->model, err);
}

int stage_fit(struct training *training, struct err *err)
{
    const struct folds *folds = &training->folds;
    auto_free uint32_t *all = training_all_rows(&training->table);
    auto_part struct part inside = { 0 }, whole = { 0 };
    if (part_init(&inside, training, folds->training, folds->training_count, &training->evaluation,
                  err) < 0 ||
        search(training, inside.matrix, inside.labels, err) < 0 ||
        part_init(&whole, training, all, training->table.row_count, &training->final, err) < 0)
        return -1;
    struct fit_work work = { &training->search, { inside, whole } };
    return parallel_run(training->threads, 2, fit_part, &work, err);
}
