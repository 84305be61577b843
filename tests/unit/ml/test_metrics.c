/* Goal: every metric has its textbook value, also with ties and one class only.
 * Method: small cases worked out by hand; random ones against definitions written
 * out as double loops, which are slow but obviously right. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/metrics.h"

#define MAXIMUM_ROWS 400

struct sample {
    double scores[MAXIMUM_ROWS];
    uint8_t labels[MAXIMUM_ROWS];
    size_t count;
};

/* `levels` different scores: few of them make many ties. */
static struct sample random_sample(uint64_t seed, size_t count, uint64_t levels)
{
    struct sample sample = { .count = count };
    struct random random;
    random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        sample.scores[i] = ((double)random_below(&random, levels) + 0.5) / (double)levels;
        sample.labels[i] = random_unit(&random) < 0.2 + 0.6 * sample.scores[i];
    }
    sample.labels[0] = 0;
    sample.labels[1] = 1;
    return sample;
}

static const struct {
    const char *name;
    uint64_t seed;
    size_t count;
    uint64_t levels;
} random_cases[] = {
    { "no ties", 1, 400, 1000000 }, { "some ties", 2, 400, 50 }, { "two scores", 3, 101, 2 },
    { "one score", 4, 30, 1 },      { "two rows", 5, 2, 1000 },
};

static double slow_auc(const struct sample *sample)
{
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < sample->count; i++) {
        for (size_t j = 0; j < sample->count; j++) {
            if (!sample->labels[i] || sample->labels[j])
                continue;
            double a = sample->scores[i], b = sample->scores[j];
            wins += a > b ? 1 : a == b ? 0.5 : 0;
            pairs++;
        }
    }
    return wins / pairs;
}

static double slow_average_precision(const struct sample *sample)
{
    double sum = 0, positives = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double selected = 0, found = 0;
        if (!sample->labels[i])
            continue;
        positives++;
        for (size_t j = 0; j < sample->count; j++) {
            selected += sample->scores[j] >= sample->scores[i];
            found += sample->scores[j] >= sample->scores[i] && sample->labels[j];
        }
        sum += found / selected;
    }
    return sum / positives;
}

static double slow_ks(const struct sample *sample, const struct ranking *ranking)
{
    double greatest = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double above[2] = { 0 };
        for (size_t j = 0; j < sample->count; j++)
            above[sample->labels[j]] += sample->scores[j] >= sample->scores[i];
        greatest = fmax(greatest, fabs(above[1] / (double)ranking->positives -
                                       above[0] / (double)ranking->negatives));
    }
    return greatest;
}

/* Variance of placements by definition: DeLong's two-sample formula. */
static double slow_auc_deviation(const struct sample *sample, double area)
{
    double squares[2] = { 0 }, counts[2] = { 0 };
    for (size_t i = 0; i < sample->count; i++) {
        uint8_t label = sample->labels[i];
        double right = 0, others = 0;
        for (size_t j = 0; j < sample->count; j++) {
            if (sample->labels[j] == label)
                continue;
            double gap = sample->scores[i] - sample->scores[j];
            right += gap == 0 ? 0.5 : (gap > 0) == (label == 1);
            others++;
        }
        squares[label] += (right / others - area) * (right / others - area);
        counts[label]++;
    }
    return sqrt(squares[0] / (counts[0] - 1) / counts[0] +
                squares[1] / (counts[1] - 1) / counts[1]);
}

static void ranking_matches_definitions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(random_cases); i++) {
        const char *name = random_cases[i].name;
        struct sample sample =
            random_sample(random_cases[i].seed, random_cases[i].count, random_cases[i].levels);
        auto_ranking struct ranking ranking;
        ranking_init(&ranking, sample.scores, sample.labels, sample.count);
        double area = slow_auc(&sample);
        check_near(metric_auc(&ranking), area, 1e-12, name);
        check_near(metric_pr_auc(&ranking), slow_average_precision(&sample), 1e-12, name);
        check_near(metric_ks(&ranking), slow_ks(&sample, &ranking), 1e-12, name);
        if (ranking.positives < 2 || ranking.negatives < 2)
            continue;
        struct interval interval = metric_auc_interval(&ranking);
        double deviation = slow_auc_deviation(&sample, area);
        check_near(interval.low, fmax(0, area - 1.959963984540054 * deviation), 1e-9, name);
        check_near(interval.high, fmin(1, area + 1.959963984540054 * deviation), 1e-9, name);
    }
}

/* Eight rows: score 0.9 + + -, 0.5 + -, 0.1 - - -. */
static const double eight_scores[] = { 0.9, 0.1, 0.5, 0.9, 0.1, 0.5, 0.9, 0.1 };
static const uint8_t eight_labels[] = { 1, 0, 1, 1, 0, 0, 0, 0 };

static void hand_computed(void **state)
{
    (void)state;
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, eight_scores, eight_labels, 8);
    assert_int_equal(ranking.count, 3);
    assert_int_equal(ranking.positives, 3);
    /* 15 pairs: two + at 0.9 win 4.5 each, the + at 0.5 wins 3.5 of 5. */
    check_near(metric_auc(&ranking), 12.5 / 15, 1e-12, "eight");
    check_near(metric_pr_auc(&ranking), 2.0 / 3 * 2 / 3 + 1.0 / 3 * 3 / 5, 1e-12, "eight");
    /* The best quarter are two of the three rows at 0.9. */
    check_near(metric_precision_at(&ranking, 0.25), 2.0 / 3, 1e-12, "inside a tie");
    check_near(metric_lift_at(&ranking, 0.25), 2.0 / 3 / (3.0 / 8), 1e-12, "inside a tie");
    check_near(metric_lift_at(&ranking, 1), 1, 1e-12, "everybody");
    struct confusion confusion = metric_confusion(&ranking, 0.5);
    assert_int_equal(confusion.true_positives, 3);
    assert_int_equal(confusion.false_positives, 2);
    assert_int_equal(confusion.false_negatives, 0);
    assert_int_equal(confusion.true_negatives, 3);
    check_near(metric_f1(&confusion), 6.0 / 8, 1e-12, "eight");
    check_near(metric_brier(eight_scores, eight_labels, 8),
               (0.01 + 0.01 + 0.81 + 0.25 + 0.25 + 3 * 0.01) / 8, 1e-12, "eight");
    check_near(metric_log_loss(eight_scores, eight_labels, 8),
               -(2 * log(0.9) + log(0.1) + 2 * log(0.5) + 3 * log(0.9)) / 8, 1e-12, "eight");
}

static void reliability_divides_ties(void **state)
{
    (void)state;
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, eight_scores, eight_labels, 8);
    struct reliability_bin bins[2];
    metric_reliability(&ranking, bins, 2);
    /* The lower half: three rows at 0.1 and half of the two at 0.5. */
    check_near(bins[0].rows, 4, 1e-12, "lower");
    check_near(bins[0].predicted, (3 * 0.1 + 0.5) / 4, 1e-12, "lower");
    check_near(bins[0].observed, 0.5 / 4, 1e-12, "lower");
    check_near(bins[1].predicted, (0.5 + 3 * 0.9) / 4, 1e-12, "upper");
    check_near(bins[1].observed, (0.5 + 2) / 4, 1e-12, "upper");
}

static void calibration_error_sees_a_shift(void **state)
{
    (void)state;
    struct sample sample = { .count = 400 };
    for (size_t i = 0; i < sample.count; i++) {
        sample.scores[i] = 0.25 + (double)i * 1e-6;
        sample.labels[i] = i % 4 == 0;
    }
    auto_ranking struct ranking right;
    ranking_init(&right, sample.scores, sample.labels, sample.count);
    check_near(metric_ece(&right), 0, 1e-3, "calibrated");
    for (size_t i = 0; i < sample.count; i++)
        sample.scores[i] += 0.2;
    auto_ranking struct ranking shifted;
    ranking_init(&shifted, sample.scores, sample.labels, sample.count);
    check_near(metric_ece(&shifted), 0.2, 1e-3, "shifted");
}

static void one_class_has_no_metrics(void **state)
{
    (void)state;
    static const double scores[] = { 0.2, 0.4 };
    static const uint8_t none[] = { 0, 0 }, all[] = { 1, 1 };
    auto_ranking struct ranking negatives, positives, empty;
    ranking_init(&negatives, scores, none, 2);
    ranking_init(&positives, scores, all, 2);
    ranking_init(&empty, NULL, NULL, 0);
    const struct ranking *rankings[] = { &negatives, &positives, &empty };
    for (size_t i = 0; i < ARRAY_SIZE(rankings); i++) {
        assert_true(isnan(metric_auc(rankings[i])));
        assert_true(isnan(metric_ks(rankings[i])));
        assert_true(isnan(metric_auc_interval(rankings[i]).low));
        assert_true(isnan(metric_campaign(rankings[i]).profit));
        struct curve_point points[4];
        assert_int_equal(curve_roc(rankings[i], points, 4), 0);
    }
    assert_true(isnan(metric_ece(&empty)));
    assert_true(isnan(metric_log_loss(NULL, NULL, 0)));
}

/* The profit of the best cut for one acceptance rate, over all cuts. */
static double best_profit(const struct ranking *ranking, double acceptance, double *ret_share)
{
    const double value = 200, offer = 10.0 / 200, contact = 1.0 / 200;
    double rows = (double)(ranking->positives + ranking->negatives), best = 0, found = 0;
    double selected = 0;
    *ret_share = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        found += (double)ranking->groups[i].positives;
        selected += (double)(ranking->groups[i].positives + ranking->groups[i].negatives);
        double profit = value * (acceptance * (1 - offer) - contact) * found / rows -
                        value * (offer + contact) * (selected - found) / rows;
        if (profit > best) {
            best = profit;
            *ret_share = selected / rows;
        }
    }
    return best;
}

static void campaign_matches_integration(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(random_cases); i++) {
        struct sample sample =
            random_sample(random_cases[i].seed, random_cases[i].count, random_cases[i].levels);
        auto_ranking struct ranking ranking;
        ranking_init(&ranking, sample.scores, sample.labels, sample.count);
        /* Midpoint rule under the density of Beta(6, 14). */
        const int steps = 20000;
        double profit = 0, share = 0;
        double scale = exp(lgamma(20) - lgamma(6) - lgamma(14)) / steps;
        for (int step = 0; step < steps; step++) {
            double x = (step + 0.5) / steps, target;
            double weight = scale * pow(x, 5) * pow(1 - x, 13);
            profit += weight * best_profit(&ranking, x, &target);
            share += weight * target;
        }
        struct campaign campaign = metric_campaign(&ranking);
        check_near(campaign.profit, profit, 1e-3, random_cases[i].name);
        check_near(campaign.share, share, 1e-3, random_cases[i].name);
    }
}

static void curves_keep_their_ends(void **state)
{
    (void)state;
    struct sample sample = random_sample(9, 400, 1000000);
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, sample.scores, sample.labels, sample.count);
    for (size_t maximum = 2; maximum < 500; maximum += 7) {
        struct curve_point points[500];
        size_t count = curve_roc(&ranking, points, maximum);
        assert_in_range(count, 2, maximum);
        check_near(points[0].x + points[0].y, 0, 0, "roc begin");
        check_near(points[count - 1].x + points[count - 1].y, 2, 1e-12, "roc end");
        count = curve_gain(&ranking, points, maximum);
        assert_in_range(count, 2, maximum);
        count = curve_pr(&ranking, points, maximum);
        assert_in_range(count, 1, maximum);
        check_near(points[count - 1].x, 1, 1e-12, "pr end");
        check_near(points[count - 1].y, (double)ranking.positives / 400, 1e-12, "pr end");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranking_matches_definitions),
        cmocka_unit_test(hand_computed),
        cmocka_unit_test(reliability_divides_ties),
        cmocka_unit_test(calibration_error_sees_a_shift),
        cmocka_unit_test(one_class_has_no_metrics),
        cmocka_unit_test(campaign_matches_integration),
        cmocka_unit_test(curves_keep_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
