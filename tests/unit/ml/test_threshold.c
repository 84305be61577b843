/* Goal: the threshold is the cut of greatest F1 or profit. Method: try every cut; and
 * where probabilities are true, the cut of greatest profit is known. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/threshold.h"

static const struct objective {
    const char *name;
    double (*measure)(const struct confusion *confusion);
    double (*choose)(const struct ranking *ranking);
} objectives[] = {
    { "F1", metric_f1, threshold_best_f1 },
    { "profit", metric_profit, threshold_best_profit },
};

static double value_at(const struct objective *objective, const struct ranking *ranking,
                       double threshold)
{
    struct confusion confusion = metric_confusion(ranking, threshold);
    return objective->measure(&confusion);
}

static void check_best(const struct objective *objective, const struct ranking *ranking)
{
    double chosen = value_at(objective, ranking, objective->choose(ranking));
    for (size_t i = 0; i < ranking->count; i++)
        if (value_at(objective, ranking, ranking->groups[i].score) > chosen + 1e-12)
            fail_msg("%s: the cut at %g is better", objective->name, ranking->groups[i].score);
    if (value_at(objective, ranking, 2) > chosen)
        fail_msg("%s: calling nobody is better", objective->name);
}

static void no_cut_is_better(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        double scores[200];
        uint8_t labels[200];
        struct random random;
        random_seed(&random, seed);
        for (size_t i = 0; i < ARRAY_SIZE(scores); i++) {
            scores[i] = (double)random_below(&random, seed * 10) / (double)(seed * 10);
            labels[i] = random_unit(&random) < scores[i] * 0.6;
        }
        labels[0] = 1;
        auto_ranking struct ranking ranking;
        ranking_init(&ranking, scores, labels, ARRAY_SIZE(scores));
        for (size_t i = 0; i < ARRAY_SIZE(objectives); i++)
            check_best(&objectives[i], &ranking);
    }
}

static void lies_between_scores(void **state)
{
    (void)state;
    static const double scores[] = { 0.9, 0.8, 0.3, 0.1 };
    static const uint8_t labels[] = { 1, 1, 0, 0 }, none[] = { 0, 0, 0, 0 };
    auto_ranking struct ranking ranking, without, empty;
    ranking_init(&ranking, scores, labels, 4);
    check_near(threshold_best_f1(&ranking), 0.55, 1e-12, "halfway");
    check_near(threshold_best_profit(&ranking), 0.55, 1e-12, "halfway");
    ranking_init(&without, scores, none, 4);
    check_near(threshold_best_f1(&without), 0.5, 0, "no positives");
    check_near(threshold_best_profit(&without), 0.95, 1e-12, "nobody is worth a contact");
    ranking_init(&empty, NULL, NULL, 0);
    check_near(threshold_best_profit(&empty), 0.5, 0, "no rows");
}

/* A customer earns 200 (0.3 (1 - 0.05) - 0.005) p - 200 (0.05 + 0.005) (1 - p): more than
 * nothing from p = 0.055 / 0.335 on. */
static void profit_of_true_probabilities(void **state)
{
    (void)state;
    enum { STEPS = 100, EACH = 1000 };
    static double scores[STEPS * EACH];
    static uint8_t labels[STEPS * EACH];
    for (size_t i = 0; i < ARRAY_SIZE(scores); i++) {
        size_t step = i / EACH;
        scores[i] = (double)step / STEPS;
        labels[i] = i % EACH < step * EACH / STEPS;
    }
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, scores, labels, ARRAY_SIZE(scores));
    check_near(threshold_best_profit(&ranking), 0.165, 1e-12, "between 0.16 and 0.17");
    const struct confusion confusion = {
        .true_positives = 10, .false_positives = 20, .false_negatives = 30, .true_negatives = 40
    };
    check_near(metric_profit(&confusion), 200 * (0.28 * 10 - 0.055 * 20) / 100, 1e-12, "profit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cut_is_better),
        cmocka_unit_test(lies_between_scores),
        cmocka_unit_test(profit_of_true_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
