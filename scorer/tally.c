#include "scorer/tally.h"

#include <math.h>

#include "base/mem.h"

void tally_init(struct tally *tally, const struct drift *drift)
{
    *tally = (struct tally){ .drift = drift };
    tally->drift_counts = mem_zero(drift->bin_total, sizeof(*tally->drift_counts));
}

void tally_release(struct tally *tally)
{
    free(tally->drift_counts);
    tally->drift_counts = NULL;
}

void tally_add_scores(struct tally *tally, const double *probabilities, size_t count,
                      double threshold)
{
    for (size_t i = 0; i < count; i++) {
        tally->sum += (uint64_t)(probabilities[i] * (double)TALLY_UNIT + 0.5);
        tally->above_threshold += probabilities[i] >= threshold;
        tally->bins[lround(probabilities[i] * TALLY_BINS)]++;
    }
    tally->scored += count;
}

double tally_quantile(const struct tally *tally, double q)
{
    /* 0.07 * 20000 is a little more than 1400 in binary */
    uint64_t rank = (uint64_t)ceil(q * (double)tally->scored - 1e-6), seen = 0;

    for (size_t bin = 0; bin <= TALLY_BINS; bin++) {
        seen += tally->bins[bin];
        if (seen > 0 && seen >= rank)
            return (double)bin / TALLY_BINS;
    }
    return 0;
}

double tally_mean(const struct tally *tally)
{
    return tally->scored ? (double)tally->sum / (double)TALLY_UNIT / (double)tally->scored : 0;
}
