#include "trainer/figures.h"

#include <math.h>

#include "base/mem.h"
#include "ml/metrics.h"

static void add(struct figures *figures, const char *name, double value)
{
    if (!isnan(value) && figures->count < FIGURES_MAXIMUM)
        figures->items[figures->count++] = (struct figure){ name, value };
}

double figures_value(const struct figures *figures, const char *name)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->items[i].name, name) == 0)
            return figures->items[i].value;
    }
    return NAN;
}

double *figures_probabilities(const double *margins, size_t count,
                              const struct calibration *calibration)
{
    double *probabilities = mem_zero(count, sizeof(*probabilities));
    for (size_t i = 0; i < count; i++)
        probabilities[i] = probability_of(calibrated_log_odds(calibration, margins[i]));
    return probabilities;
}

static void add_decision(struct figures *figures, const struct ranking *ranking, double threshold)
{
    struct confusion confusion = metric_confusion(ranking, threshold);
    size_t selected = confusion.true_positives + confusion.false_positives;
    add(figures, "threshold", threshold);
    add(figures, "f1", metric_f1(&confusion));
    add(figures, "precision",
        selected == 0 ? NAN : (double)confusion.true_positives / (double)selected);
    add(figures, "recall",
        ranking->positives == 0 ? NAN
                                : (double)confusion.true_positives / (double)ranking->positives);
    add(figures, "profit", metric_profit(&confusion));
}

void figures_measure(const double *margins, const uint8_t *labels, size_t count,
                     const struct calibration *calibration, double threshold,
                     struct figures *ret_figures)
{
    struct figures figures = { 0 };
    auto_free double *probabilities = figures_probabilities(margins, count, calibration);
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, probabilities, labels, count);
    double area = metric_auc(&ranking);
    struct interval interval = metric_auc_interval(&ranking);
    struct campaign campaign = metric_campaign(&ranking);
    add(&figures, "auc", area);
    add(&figures, "pr_auc", metric_pr_auc(&ranking));
    add(&figures, "log_loss", metric_log_loss(probabilities, labels, count));
    add(&figures, "brier", metric_brier(probabilities, labels, count));
    add(&figures, "ece", metric_ece(&ranking));
    add(&figures, "ks", metric_ks(&ranking));
    add(&figures, "gini", 2 * area - 1);
    add(&figures, "lift_at_10", metric_lift_at(&ranking, 0.10));
    add(&figures, "emp", campaign.profit);
    add_decision(&figures, &ranking, threshold);
    add(&figures, "auc_low", interval.low);
    add(&figures, "auc_high", interval.high);
    add(&figures, "lift_at_5", metric_lift_at(&ranking, 0.05));
    add(&figures, "lift_at_20", metric_lift_at(&ranking, 0.20));
    add(&figures, "precision_at_5", metric_precision_at(&ranking, 0.05));
    add(&figures, "precision_at_10", metric_precision_at(&ranking, 0.10));
    add(&figures, "precision_at_20", metric_precision_at(&ranking, 0.20));
    add(&figures, "emp_share", campaign.share);
    add(&figures, "churn_rate", count == 0 ? NAN : (double)ranking.positives / (double)count);
    *ret_figures = figures;
}
