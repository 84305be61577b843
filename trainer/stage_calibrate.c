/* Calibrate: from margins to probabilities, and where to cut them.
 *
 * Both come from out-of-fold predictions inside the training part, so that the
 * held-out customers stay unseen. The final model is the same recipe with more
 * rows and takes them over. */
#include "trainer/training.h"

#include "ml/threshold.h"

int stage_calibrate(struct training *training, struct err *err)
{
    (void)err;
    const struct folds *folds = &training->folds;
    const double *margins = training->search.margins;
    auto_free uint8_t *labels =
        training_labels(&training->table, folds->searched, folds->searched_count);
    struct calibration calibration = calibration_fit(margins, labels, folds->searched_count);
    auto_free double *probabilities =
        figures_probabilities(margins, folds->searched_count, &calibration);
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, probabilities, labels, folds->searched_count);
    bool profit = training->job.training.threshold->objective == OBJECTIVE_PROFIT;
    double threshold = profit ? threshold_best_profit(&ranking) : threshold_best_f1(&ranking);
    if (profit && ranking.count > 0 && threshold > ranking.groups[0].score)
        training_warn(training,
                      "%s: no customer's probability is high enough that an offer would earn "
                      "anything, so the threshold calls nobody a churner",
                      training->table.name);
    training->evaluation.calibration = training->final.calibration = calibration;
    training->evaluation.threshold = training->final.threshold = threshold;
    return 0;
}
