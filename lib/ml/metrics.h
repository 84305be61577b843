/* metrics.h - how good are scores: ranking, probabilities, money.
 *
 * Pure functions on arrays: labels are 0 or 1, scores are probabilities of 1.
 * What depends on the order of scores works on a struct ranking, which sorts
 * once and joins equal scores into one group, so that ties never depend on the
 * order of rows: a cut inside a group takes its rows in proportion.
 *
 * Where a metric is undefined (one class only, no rows) it is NAN. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Rows with one and the same score. */
struct score_group {
    double score;
    size_t positives, negatives;
};

/* Groups by descending score. */
struct ranking {
    struct score_group *groups;
    size_t count;
    size_t positives, negatives; /* over all groups */
};

/* Scores must not be NAN. Always succeeds; `count` may be 0. */
void ranking_init(struct ranking *ranking, const double *scores, const uint8_t *labels,
                  size_t count);
void ranking_release(struct ranking *ranking); /* safe on a zeroed struct */
#define auto_ranking __attribute__((cleanup(ranking_release)))

/* --- ranking ------------------------------------------------------------ */

/* Area under the ROC curve: the chance that a churner ranks above another
 * customer, ties counted half. gini = 2 auc - 1. */
double metric_auc(const struct ranking *ranking);

struct interval {
    double low, high;
};
/* 95 % confidence interval of the AUC, cut to [0, 1]: DeLong, DeLong and
 * Clarke-Pearson, Biometrics 44(3), 1988. */
struct interval metric_auc_interval(const struct ranking *ranking);

/* Average precision: sum over groups of precision times gain in recall. */
double metric_pr_auc(const struct ranking *ranking);

/* Kolmogorov-Smirnov: greatest distance between the two score distributions. */
double metric_ks(const struct ranking *ranking);

/* Share of churners among the best `share` (0, 1] of the rows, and that as a
 * multiple of the share of churners among all rows. */
double metric_precision_at(const struct ranking *ranking, double share);
double metric_lift_at(const struct ranking *ranking, double share);

/* --- probabilities ------------------------------------------------------ */

/* Mean negative log-likelihood; probabilities are kept 1e-15 away from 0 and 1. */
double metric_log_loss(const double *probabilities, const uint8_t *labels, size_t count);

/* Mean squared error of the probabilities. */
double metric_brier(const double *probabilities, const uint8_t *labels, size_t count);

/* One bin of a reliability table: what was predicted and what came. */
struct reliability_bin {
    double rows; /* may be fractional where a group of ties is divided */
    double predicted, observed;
};
/* Splits the ranking into `count` bins of equal mass, lowest scores first. */
void metric_reliability(const struct ranking *ranking, struct reliability_bin *ret_bins,
                        size_t count);

/* Expected calibration error: mean distance of predicted and observed over ten
 * bins of equal mass. */
#define METRIC_ECE_BINS 10
double metric_ece(const struct ranking *ranking);

/* --- decisions ---------------------------------------------------------- */

/* What happens when every score >= threshold is called a churner. */
struct confusion {
    size_t true_positives, false_positives, false_negatives, true_negatives;
};
struct confusion metric_confusion(const struct ranking *ranking, double threshold);
double metric_f1(const struct confusion *confusion); /* 0 when nothing is found */

/* Profit per customer of a retention campaign for those who are called churners:
 *
 *   CLV (g (1 - d/CLV) - f/CLV) p F1 - CLV (d/CLV + f/CLV) (1 - p) F0
 *
 * with p the share of churners, F1 and F0 the shares of churners and of others that
 * are called; customer lifetime value CLV 200, offer d 10, contact f 1, and g, the
 * chance that a churner accepts the offer, following Beta(6, 14): Verbraken, Verbeke
 * and Baesens, IEEE TKDE 25(5), 2013. It is linear in g, so its expectation is the
 * profit at the mean of g. NAN without customers. */
double metric_profit(const struct confusion *confusion);

/* The expected maximum profit (EMPC) of the same paper, per customer, and the share
 * of customers to target: the best cut is chosen anew for each g, and that profit and
 * that share are averaged over g. */
struct campaign {
    double profit; /* per customer, in the currency of the lifetime value */
    double share;  /* of customers to target */
};
struct campaign metric_campaign(const struct ranking *ranking);

/* --- curves for reports -------------------------------------------------- */

struct curve_point {
    double x, y;
};
/* Points of a curve, at most `maximum` (>= 2), evenly thinned; first and last
 * are always kept. Returns how many. ROC: x = false positive rate, y = recall.
 * PR: x = recall, y = precision. Gain: x = share of customers, y = recall. */
size_t curve_roc(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum);
size_t curve_pr(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum);
size_t curve_gain(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum);
