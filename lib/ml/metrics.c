#include "ml/metrics.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"

struct row {
    double score;
    uint8_t label;
};

static int compare_descending(const void *left, const void *right)
{
    double a = ((const struct row *)left)->score, b = ((const struct row *)right)->score;
    return (a < b) - (a > b);
}

void ranking_init(struct ranking *ranking, const double *scores, const uint8_t *labels,
                  size_t count)
{
    *ranking = (struct ranking){ .groups = mem_zero(count, sizeof(*ranking->groups)) };
    auto_free struct row *rows = mem_zero(count, sizeof(*rows));
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct row){ scores[i], labels[i] };
    qsort(rows, count, sizeof(*rows), compare_descending);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || rows[i].score != rows[i - 1].score)
            ranking->groups[ranking->count++].score = rows[i].score;
        struct score_group *group = &ranking->groups[ranking->count - 1];
        *(rows[i].label ? &group->positives : &group->negatives) += 1;
        *(rows[i].label ? &ranking->positives : &ranking->negatives) += 1;
    }
}

void ranking_release(struct ranking *ranking)
{
    free(ranking->groups);
    *ranking = (struct ranking){ 0 };
}

static bool has_one_class(const struct ranking *ranking)
{
    return ranking->positives == 0 || ranking->negatives == 0;
}

/* --- ranking ------------------------------------------------------------ */

double metric_auc(const struct ranking *ranking)
{
    if (has_one_class(ranking))
        return NAN;
    double area = 0, negatives_below = (double)ranking->negatives;
    for (size_t i = 0; i < ranking->count; i++) {
        double positives = (double)ranking->groups[i].positives;
        double negatives = (double)ranking->groups[i].negatives;
        negatives_below -= negatives;
        area += positives * (negatives_below + negatives / 2);
    }
    return area / ((double)ranking->positives * (double)ranking->negatives);
}

/* The placement value of a row is the share of the other class that it ranks
 * correctly against; the variance of the AUC is that of the mean placement of
 * each class, added. */
struct interval metric_auc_interval(const struct ranking *ranking)
{
    const double normal_quantile_975 = 1.959963984540054;
    double area = metric_auc(ranking);
    double positives = (double)ranking->positives, negatives = (double)ranking->negatives;
    if (isnan(area) || ranking->positives < 2 || ranking->negatives < 2)
        return (struct interval){ NAN, NAN };
    double positive_squares = 0, negative_squares = 0;
    double positives_above = 0, negatives_below = negatives;
    for (size_t i = 0; i < ranking->count; i++) {
        double group_positives = (double)ranking->groups[i].positives;
        double group_negatives = (double)ranking->groups[i].negatives;
        negatives_below -= group_negatives;
        double placement = (negatives_below + group_negatives / 2) / negatives - area;
        positive_squares += group_positives * placement * placement;
        placement = (positives_above + group_positives / 2) / positives - area;
        negative_squares += group_negatives * placement * placement;
        positives_above += group_positives;
    }
    double deviation = sqrt(positive_squares / (positives - 1) / positives +
                            negative_squares / (negatives - 1) / negatives);
    return (struct interval){ fmax(0, area - normal_quantile_975 * deviation),
                              fmin(1, area + normal_quantile_975 * deviation) };
}

double metric_pr_auc(const struct ranking *ranking)
{
    if (ranking->positives == 0)
        return NAN;
    double area = 0, found = 0, selected = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        double positives = (double)ranking->groups[i].positives;
        found += positives;
        selected += positives + (double)ranking->groups[i].negatives;
        area += positives / (double)ranking->positives * found / selected;
    }
    return area;
}

double metric_ks(const struct ranking *ranking)
{
    if (has_one_class(ranking))
        return NAN;
    double greatest = 0, positives = 0, negatives = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        positives += (double)ranking->groups[i].positives;
        negatives += (double)ranking->groups[i].negatives;
        greatest = fmax(greatest, fabs(positives / (double)ranking->positives -
                                       negatives / (double)ranking->negatives));
    }
    return greatest;
}

double metric_precision_at(const struct ranking *ranking, double share)
{
    double wanted = share * (double)(ranking->positives + ranking->negatives);
    if (wanted <= 0)
        return NAN;
    double selected = 0, found = 0;
    for (size_t i = 0; i < ranking->count && selected < wanted; i++) {
        double positives = (double)ranking->groups[i].positives;
        double size = positives + (double)ranking->groups[i].negatives;
        double taken = fmin(size, wanted - selected);
        found += positives * taken / size;
        selected += taken;
    }
    return found / wanted;
}

double metric_lift_at(const struct ranking *ranking, double share)
{
    if (ranking->positives == 0)
        return NAN;
    double base_rate =
        (double)ranking->positives / (double)(ranking->positives + ranking->negatives);
    return metric_precision_at(ranking, share) / base_rate;
}

/* --- probabilities ------------------------------------------------------ */

double metric_log_loss(const double *probabilities, const uint8_t *labels, size_t count)
{
    const double margin = 1e-15;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double probability = fmin(fmax(probabilities[i], margin), 1 - margin);
        sum -= log(labels[i] ? probability : 1 - probability);
    }
    return count == 0 ? NAN : sum / (double)count;
}

double metric_brier(const double *probabilities, const uint8_t *labels, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double error = probabilities[i] - (labels[i] ? 1 : 0);
        sum += error * error;
    }
    return count == 0 ? NAN : sum / (double)count;
}

void metric_reliability(const struct ranking *ranking, struct reliability_bin *ret_bins,
                        size_t count)
{
    double bin_rows = (double)(ranking->positives + ranking->negatives) / (double)count;
    size_t group = ranking->count;
    double left = 0; /* rows of the current group that no bin has yet */
    for (size_t bin = 0; bin < count; bin++) {
        double predicted = 0, observed = 0, missing = bin_rows;
        /* The last bin takes what rounding left over. */
        while (missing > 1e-9 * bin_rows && (left > 0 || group > 0)) {
            const struct score_group *current;
            if (left <= 0) {
                group--;
                left =
                    (double)(ranking->groups[group].positives + ranking->groups[group].negatives);
            }
            current = &ranking->groups[group];
            double size = (double)(current->positives + current->negatives);
            double taken = fmin(left, missing);
            predicted += taken * current->score;
            observed += taken * (double)current->positives / size;
            left -= taken;
            missing -= taken;
        }
        double rows = bin_rows - missing;
        ret_bins[bin] = rows > 0
                            ? (struct reliability_bin){ rows, predicted / rows, observed / rows }
                            : (struct reliability_bin){ 0, NAN, NAN };
    }
}

double metric_ece(const struct ranking *ranking)
{
    size_t rows = ranking->positives + ranking->negatives;
    if (rows == 0)
        return NAN;
    struct reliability_bin bins[METRIC_ECE_BINS];
    metric_reliability(ranking, bins, METRIC_ECE_BINS);
    double sum = 0;
    for (size_t i = 0; i < METRIC_ECE_BINS; i++) {
        if (bins[i].rows > 0)
            sum += bins[i].rows * fabs(bins[i].predicted - bins[i].observed);
    }
    return sum / (double)rows;
}

/* --- decisions ---------------------------------------------------------- */

struct confusion metric_confusion(const struct ranking *ranking, double threshold)
{
    struct confusion confusion = { 0 };
    for (size_t i = 0; i < ranking->count && ranking->groups[i].score >= threshold; i++) {
        confusion.true_positives += ranking->groups[i].positives;
        confusion.false_positives += ranking->groups[i].negatives;
    }
    confusion.false_negatives = ranking->positives - confusion.true_positives;
    confusion.true_negatives = ranking->negatives - confusion.false_positives;
    return confusion;
}

double metric_f1(const struct confusion *confusion)
{
    size_t errors = confusion->false_positives + confusion->false_negatives;
    size_t denominator = 2 * confusion->true_positives + errors;
    return denominator == 0 ? 0 : 2.0 * (double)confusion->true_positives / (double)denominator;
}

/* --- curves ------------------------------------------------------------- */

/* Calls for the state after each group; thinning keeps every k-th. */
enum curve_kind { CURVE_ROC, CURVE_PR, CURVE_GAIN };

static struct curve_point curve_at(const struct ranking *ranking, enum curve_kind kind,
                                   double positives, double negatives)
{
    double recall = positives / (double)ranking->positives;
    double selected = positives + negatives;
    switch (kind) {
    case CURVE_ROC:
        return (struct curve_point){ negatives / (double)ranking->negatives, recall };
    case CURVE_PR:
        return (struct curve_point){ recall, positives / selected };
    case CURVE_GAIN:
        break;
    }
    return (struct curve_point){ selected / (double)(ranking->positives + ranking->negatives),
                                 recall };
}

static size_t curve(const struct ranking *ranking, enum curve_kind kind,
                    struct curve_point *ret_points, size_t maximum)
{
    if (has_one_class(ranking))
        return 0;
    size_t step = ranking->count / (maximum - 1) + 1, used = 0;
    if (kind != CURVE_PR) /* precision of nothing is undefined */
        ret_points[used++] = (struct curve_point){ 0, 0 };
    double positives = 0, negatives = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        positives += (double)ranking->groups[i].positives;
        negatives += (double)ranking->groups[i].negatives;
        if ((i + 1) % step == 0 || i + 1 == ranking->count)
            ret_points[used++] = curve_at(ranking, kind, positives, negatives);
    }
    return used;
}

size_t curve_roc(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum)
{
    return curve(ranking, CURVE_ROC, ret_points, maximum);
}

size_t curve_pr(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum)
{
    return curve(ranking, CURVE_PR, ret_points, maximum);
}

size_t curve_gain(const struct ranking *ranking, struct curve_point *ret_points, size_t maximum)
{
    return curve(ranking, CURVE_GAIN, ret_points, maximum);
}
