/* Package: both models with their training distribution, the comparison with the
 * version in use, metrics.json and the report, published as a version folder. */
#include "trainer/training.h"

#include "trainer/artifacts.h"
#include "trainer/contest.h"

/* Rows with probabilities by models that had not seen them. */
struct unseen {
    uint32_t *rows;
    double *scores;
    size_t count;
};

static void unseen_release(struct unseen *unseen)
{
    free(unseen->rows);
    free(unseen->scores);
}
#define auto_unseen __attribute__((cleanup(unseen_release)))

/* The held-out by the evaluation model, the others out of fold. What the model says
 * of rows it has learned would look surer than any weekly file can be. */
static void unseen_init(struct unseen *unseen, const struct training *training)
{
    const struct folds *folds = &training->folds;
    const struct calibration *calibration = &training->final.calibration;
    size_t learned = 0, held_out = 0, table_rows = training->table.row_count;
    size_t rows = folds->searched_count + folds->holdout_count;
    *unseen = (struct unseen){ .rows = mem_zero(rows, sizeof(*unseen->rows)),
                               .scores = mem_zero(rows, sizeof(*unseen->scores)) };
    auto_free double *inside =
        figures_probabilities(training->search.margins, folds->searched_count, calibration);
    auto_free double *outside =
        figures_probabilities(training->holdout_margins, folds->holdout_count, calibration);
    for (size_t row = 0; row < table_rows; row++) {
        bool is_learned = learned < folds->searched_count && folds->searched[learned] == row;
        if (!is_learned && folds->fold[row] != FOLD_HOLDOUT)
            continue;
        unseen->rows[unseen->count] = (uint32_t)row;
        unseen->scores[unseen->count++] = is_learned ? inside[learned++] : outside[held_out++];
    }
}

static int fit_drift(const struct training *training, const struct unseen *unseen,
                     struct model *model, struct err *err)
{
    const struct features *features = &model->features;
    auto_free double *values = mem_zero(unseen->count * features->source_count, sizeof(*values));
    if (features_decode_rows(features, &training->table, unseen->rows, unseen->count, values, err) <
        0)
        return -1;
    drift_fit(features, values, unseen->scores, unseen->count, &model->drift);
    return 0;
}

int stage_package(struct training *training, struct err *err)
{
    auto_unseen struct unseen unseen;
    auto_free char *final_text = NULL, *evaluation_text = NULL;
    unseen_init(&unseen, training);
    if (fit_drift(training, &unseen, &training->final, err) < 0 ||
        fit_drift(training, &unseen, &training->evaluation, err) < 0 ||
        model_finish(&training->final, &final_text, err) < 0 ||
        model_finish(&training->evaluation, &evaluation_text, err) < 0)
        return -1;
    if (contest_hold(training, err) < 0)
        return -1;
    return artifacts_publish(training, final_text, evaluation_text, err);
}
