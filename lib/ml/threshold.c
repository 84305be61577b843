#include "ml/threshold.h"

/* The cut where `measure` is greatest; `otherwise` when it is nowhere above 0. */
static double best_cut(const struct ranking *ranking,
                       double (*measure)(const struct confusion *confusion), double otherwise)
{
    double best = 0, threshold = otherwise;
    struct confusion confusion = { .false_negatives = ranking->positives,
                                   .true_negatives = ranking->negatives };
    for (size_t i = 0; i < ranking->count; i++) {
        const struct score_group *group = &ranking->groups[i];
        confusion.true_positives += group->positives;
        confusion.false_negatives -= group->positives;
        confusion.false_positives += group->negatives;
        confusion.true_negatives -= group->negatives;
        double value = measure(&confusion);
        if (value > best) {
            double below = i + 1 < ranking->count ? ranking->groups[i + 1].score : 0;
            best = value;
            threshold = (group->score + below) / 2;
        }
    }
    return threshold;
}

double threshold_best_f1(const struct ranking *ranking)
{
    return best_cut(ranking, metric_f1, 0.5);
}

double threshold_best_profit(const struct ranking *ranking)
{
    double nobody = ranking->count == 0 ? 0.5 : (ranking->groups[0].score + 1) / 2;
    return best_cut(ranking, metric_profit, nobody);
}
