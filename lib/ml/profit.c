/* The profit of a retention campaign: metric_profit() and metric_campaign() of
 * metrics.h, which has the formula and its source.
 *
 * Contacting a customer costs f and the offer costs d; a churner takes it with
 * chance g and then stays, worth CLV. g is not known: it follows a Beta
 * distribution. For each g the best cut is a corner of the convex hull of the ROC
 * curve, so the expected maximum is a sum over corners of incomplete Beta
 * integrals. */
#include "ml/metrics.h"

#include <math.h>

#include "base/mem.h"

#define LIFETIME_VALUE 200.0
#define OFFER          (10.0 / LIFETIME_VALUE)
#define CONTACT        (1.0 / LIFETIME_VALUE)
#define ALPHA          6
#define BETA           14

double metric_profit(const struct confusion *confusion)
{
    double called_churners = (double)confusion->true_positives;
    double called_others = (double)confusion->false_positives;
    double customers = called_churners + called_others + (double)confusion->false_negatives +
                       (double)confusion->true_negatives;
    double acceptance = (double)ALPHA / (ALPHA + BETA);
    return LIFETIME_VALUE *
           ((acceptance * (1 - OFFER) - CONTACT) * called_churners -
            (OFFER + CONTACT) * called_others) /
           customers;
}

/* Regularised incomplete Beta function for whole a and b: the chance of at least a
 * successes in a + b - 1 trials. */
static double incomplete_beta(int a, int b, double x)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    int trials = a + b - 1;
    double sum = 0;
    for (int i = a; i <= trials; i++)
        sum += exp(lgamma(trials + 1) - lgamma(i + 1) - lgamma(trials - i + 1) + i * log(x) +
                   (trials - i) * log1p(-x));
    return sum;
}

/* Corners of the upper convex hull of the ROC curve, from (0, 0) to (1, 1). */
static size_t roc_hull(const struct ranking *ranking, struct curve_point *hull)
{
    size_t used = 1;
    double positives = 0, negatives = 0;
    hull[0] = (struct curve_point){ 0, 0 };
    for (size_t i = 0; i < ranking->count; i++) {
        positives += (double)ranking->groups[i].positives / (double)ranking->positives;
        negatives += (double)ranking->groups[i].negatives / (double)ranking->negatives;
        while (used >= 2) {
            const struct curve_point *a = &hull[used - 2], *b = &hull[used - 1];
            double turn = (b->x - a->x) * (positives - a->y) - (b->y - a->y) * (negatives - a->x);
            if (turn < 0)
                break;
            used--; /* b is on or below the line from a to the new point */
        }
        hull[used++] = (struct curve_point){ negatives, positives };
    }
    return used;
}

struct campaign metric_campaign(const struct ranking *ranking)
{
    if (ranking->positives == 0 || ranking->negatives == 0)
        return (struct campaign){ NAN, NAN };
    double churners =
        (double)ranking->positives / (double)(ranking->positives + ranking->negatives);
    double others = 1 - churners;
    auto_free struct curve_point *hull = mem_zero(ranking->count + 1, sizeof(*hull));
    size_t corners = roc_hull(ranking, hull);
    struct campaign campaign = { 0 };
    double acceptance = 0; /* from here on this corner is the best cut */
    for (size_t i = 0; i < corners && acceptance < 1; i++) {
        double until = 1;
        if (i + 1 < corners && hull[i + 1].y > hull[i].y)
            until = others * (OFFER + CONTACT) * (hull[i + 1].x - hull[i].x) /
                        (churners * (1 - OFFER) * (hull[i + 1].y - hull[i].y)) +
                    CONTACT / (1 - OFFER);
        until = fmin(fmax(until, acceptance), 1);
        double mass =
            incomplete_beta(ALPHA, BETA, until) - incomplete_beta(ALPHA, BETA, acceptance);
        double mean = (double)ALPHA / (ALPHA + BETA) *
                      (incomplete_beta(ALPHA + 1, BETA, until) -
                       incomplete_beta(ALPHA + 1, BETA, acceptance));
        campaign.profit +=
            LIFETIME_VALUE * (churners * hull[i].y * ((1 - OFFER) * mean - CONTACT * mass) -
                              others * hull[i].x * (OFFER + CONTACT) * mass);
        campaign.share += (churners * hull[i].y + others * hull[i].x) * mass;
        acceptance = until;
    }
    return campaign;
}
