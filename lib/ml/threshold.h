/* threshold.h - from which probability on a customer counts as a churner.
 *
 * Chosen on out-of-fold predictions of the training part, never on rows that
 * metrics are reported for. */
#pragma once

#include "ml/metrics.h"

/* The threshold of greatest F1: halfway between the lowest score that it selects
 * and the next one, the highest such cut where several are equally good. 0.5 for
 * a ranking without positives. */
double threshold_best_f1(const struct ranking *ranking);
