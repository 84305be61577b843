/* threshold.h - from which probability on a customer counts as a churner.
 *
 * Chosen on out-of-fold predictions of the training part, never on rows that
 * metrics are reported for. A threshold lies halfway between the lowest score that
 * it selects and the next one; where several cuts are equally good it is the
 * highest. */
#pragma once

#include "ml/metrics.h"

/* The threshold of greatest F1. 0.5 for a ranking without positives. */
double threshold_best_f1(const struct ranking *ranking);

/* The threshold of greatest expected profit (metric_profit). Where no cut earns
 * anything it is halfway between the highest score and 1, which selects nobody; 0.5
 * for a ranking without rows. */
double threshold_best_profit(const struct ranking *ranking);
