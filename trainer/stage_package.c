/* Package: both models with their training distribution, metrics.json and the
 * report, published as a version folder. */
#include "trainer/training.h"

#include "trainer/artifacts.h"

/* Probabilities of all rows by models that had not seen them: the held-out by the
 * evaluation model, the others out of fold. What the model says of rows it has
 * learned would look surer than any weekly file can be. */
static double *unseen_probabilities(const struct training *training)
{
    const struct folds *folds = &training->folds;
    const struct calibration *calibration = &training->final.calibration;
    double *scores = mem_zero(training->table.row_count, sizeof(*scores));
    auto_free double *inside =
        figures_probabilities(training->search.margins, folds->training_count, calibration);
    auto_free double *outside =
        figures_probabilities(training->holdout_margins, folds->holdout_count, calibration);
    for (size_t i = 0; i < folds->training_count; i++)
        scores[folds->training[i]] = inside[i];
    for (size_t i = 0; i < folds->holdout_count; i++)
        scores[folds->holdout[i]] = outside[i];
    return scores;
}

static int fit_drift(const struct training *training, const double *scores, struct model *model,
                     struct err *err)
{
    size_t rows = training->table.row_count;
    auto_free uint32_t *all = training_all_rows(&training->table);
    auto_free double *values = mem_zero(rows * model->features.source_count, sizeof(*values));
    if (features_decode_rows(&model->features, &training->table, all, rows, values, err) < 0)
        return -1;
    drift_fit(&model->features, values, scores, rows, &model->drift);
    return 0;
}

int stage_package(struct training *training, struct err *err)
{
    auto_free double *scores = unseen_probabilities(training);
    auto_free char *final_text = NULL, *evaluation_text = NULL;
    if (fit_drift(training, scores, &training->final, err) < 0 ||
        fit_drift(training, scores, &training->evaluation, err) < 0 ||
        model_finish(&training->final, &final_text, err) < 0 ||
        model_finish(&training->evaluation, &evaluation_text, err) < 0)
        return -1;
    return artifacts_publish(training, final_text, evaluation_text, err);
}
