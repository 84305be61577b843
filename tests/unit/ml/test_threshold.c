/* Goal: the threshold is the cut of greatest F1. Method: try every cut. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/threshold.h"

static double f1_at(const struct ranking *ranking, double threshold)
{
    struct confusion confusion = metric_confusion(ranking, threshold);
    return metric_f1(&confusion);
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
        double chosen = f1_at(&ranking, threshold_best_f1(&ranking));
        for (size_t i = 0; i < ranking.count; i++)
            assert_true(f1_at(&ranking, ranking.groups[i].score) <= chosen);
    }
}

static void lies_between_scores(void **state)
{
    (void)state;
    static const double scores[] = { 0.9, 0.8, 0.3, 0.1 };
    static const uint8_t labels[] = { 1, 1, 0, 0 }, none[] = { 0, 0, 0, 0 };
    auto_ranking struct ranking ranking, without;
    ranking_init(&ranking, scores, labels, 4);
    check_near(threshold_best_f1(&ranking), 0.55, 1e-12, "halfway");
    ranking_init(&without, scores, none, 4);
    check_near(threshold_best_f1(&without), 0.5, 0, "no positives");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cut_is_better),
        cmocka_unit_test(lies_between_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
