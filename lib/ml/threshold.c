#include "ml/threshold.h"

double threshold_best_f1(const struct ranking *ranking)
{
    double best = 0, threshold = 0.5;
    struct confusion confusion = { .false_negatives = ranking->positives };
    for (size_t i = 0; i < ranking->count; i++) {
        const struct score_group *group = &ranking->groups[i];
        confusion.true_positives += group->positives;
        confusion.false_negatives -= group->positives;
        confusion.false_positives += group->negatives;
        double f1 = metric_f1(&confusion);
        if (f1 > best) {
            double below = i + 1 < ranking->count ? ranking->groups[i + 1].score : 0;
            best = f1;
            threshold = (group->score + below) / 2;
        }
    }
    return threshold;
}
