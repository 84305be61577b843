/* tally.h - what is counted about a scored file.
 *
 * Everything is a whole number, so that it does not matter how rows are grouped:
 * into blocks, threads or shards. Quantiles come from a histogram of TALLY_BINS
 * equal bins: they are exact to four decimals. */
#pragma once

#include <stdint.h>

#include "ml/drift.h"

#define TALLY_BINS 10000
#define TALLY_UNIT (UINT64_C(1) << 32) /* room for 4 * 10^9 rows */

struct tally {
    uint64_t read, scored, rejected, unseen;
    uint64_t above_threshold;
    uint64_t sum; /* of probabilities, in units of 1 / TALLY_UNIT */
    uint64_t bins[TALLY_BINS + 1];
    uint64_t *drift_counts; /* drift->bin_total */
    const struct drift *drift;
    struct row_fault first_fault; /* when rejected > 0 */
};

void tally_init(struct tally *tally, const struct drift *drift); /* drift is borrowed */
void tally_release(struct tally *tally);
#define auto_tally __attribute__((cleanup(tally_release)))

/* Adds the probabilities of one block. */
void tally_add_scores(struct tally *tally, const double *probabilities, size_t count,
                      double threshold);

/* The smallest value that a share `q` of the probabilities does not exceed
 * (nearest rank). 0 when nothing was scored. */
double tally_quantile(const struct tally *tally, double q);
double tally_mean(const struct tally *tally);
