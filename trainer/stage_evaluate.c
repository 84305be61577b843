/* Evaluate: the evaluation model on customers that nothing before has seen. */
#include "trainer/training.h"

int stage_evaluate(struct training *training, struct err *err)
{
    const struct folds *folds = &training->folds;
    struct model *model = &training->evaluation;
    auto_free float *values = training_encode(&model->features, &training->table, folds->holdout,
                                              folds->holdout_count, FEATURES_SCORING, err);
    if (values == NULL)
        return -1;
    auto_model_session struct model_session *session = model_session_new(model, err);
    auto_free double *margins = mem_zero(folds->holdout_count, sizeof(*margins));
    if (session == NULL)
        return -1;
    model_margins(session, values, folds->holdout_count, margins);
    auto_free uint8_t *labels =
        training_labels(&training->table, folds->holdout, folds->holdout_count);
    figures_measure(margins, labels, folds->holdout_count, &model->calibration, model->threshold,
                    &training->figures);
    training->holdout_margins = TAKE(margins);
    return 0;
}
