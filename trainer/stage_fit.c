/* Fit: the search inside the training part, then the chosen recipe twice. */
#include "trainer/training.h"

#include <math.h>

static double parameter_or_free(const struct training_spec *spec, const char *name)
{
    double value;
    return parameter_value(spec, name, &value) ? value : NAN;
}

static struct search_request make_request(const struct training *training)
{
    const struct training_spec *spec = &training->job.training;
    return (struct search_request){
        .try_boosting = spec->algorithm != ALGORITHM_LOGISTIC_REGRESSION,
        .try_linear = spec->algorithm != ALGORITHM_GRADIENT_BOOSTING,
        .max_depth = parameter_or_free(spec, "max_depth"),
        .min_child_weight = parameter_or_free(spec, "min_child_weight"),
        .learning_rate = parameter_or_free(spec, "learning_rate"),
        .max_trees = parameter_or_free(spec, "max_trees"),
        .lambda = parameter_or_free(spec, "lambda"),
        .l2 = parameter_or_free(spec, "l2"),
        .threads = training->threads,
        .progress = training->progress,
        .progress_context = training->progress_context,
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

/* Searches and fits on the training part. */
static int fit_evaluation(struct training *training, struct err *err)
{
    const struct folds *folds = &training->folds;
    struct model *model = &training->evaluation;
    if (training_begin_model(training, folds->training, folds->training_count, model, err) < 0)
        return -1;
    auto_free float *values = training_encode(&model->features, &training->table, folds->training,
                                              folds->training_count, FEATURES_TRAINING, err);
    if (values == NULL)
        return -1;
    auto_free uint8_t *labels =
        training_labels(&training->table, folds->training, folds->training_count);
    struct matrix matrix = { values, folds->training_count, model->features.count };
    if (search(training, matrix, labels, err) < 0)
        return -1;
    return candidate_fit(&training->search.candidates[training->search.chosen], matrix, labels,
                         model, err);
}

static int fit_final(struct training *training, struct err *err)
{
    const struct table *table = &training->table;
    struct model *model = &training->final;
    auto_free uint32_t *rows = training_all_rows(table);
    if (training_begin_model(training, rows, table->row_count, model, err) < 0)
        return -1;
    auto_free float *values =
        training_encode(&model->features, table, rows, table->row_count, FEATURES_TRAINING, err);
    if (values == NULL)
        return -1;
    struct matrix matrix = { values, table->row_count, model->features.count };
    return candidate_fit(&training->search.candidates[training->search.chosen], matrix,
                         table->labels, model, err);
}

int stage_fit(struct training *training, struct err *err)
{
    if (fit_evaluation(training, err) < 0 || fit_final(training, err) < 0)
        return -1;
    return 0;
}
