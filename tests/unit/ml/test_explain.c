/* Goal: reasons are the largest contributions in a fixed order. Method: table of
 * small cases, and random ones against a full sort. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/explain.h"

static void table_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double sources[4];
        size_t wanted;
        uint32_t expected[4];
    } cases[] = {
        { "largest first, sign does not matter", { 0.1, -0.9, 0.5, 0.2 }, 2, { 1, 2 } },
        { "ties in column order", { 0.5, -0.5, 0.5, 0.1 }, 3, { 0, 1, 2 } },
        { "zero is no reason", { 0, 0.3, 0, 0 }, 2, { 1, SCORE_REASON_NONE } },
        { "more wanted than there are", { 1, 2, 3, 4 }, 4, { 3, 2, 1, 0 } },
        { "none wanted", { 1, 2, 3, 4 }, 0, { 0 } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct score_reason reasons[4];
        explain_top(cases[i].sources, 4, cases[i].wanted, reasons);
        for (size_t k = 0; k < cases[i].wanted; k++) {
            if (reasons[k].source != cases[i].expected[k])
                fail_msg("%s: reason %zu is column %u", cases[i].name, k, reasons[k].source);
        }
    }
}

static void same_as_sorting(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 3);
    for (int round = 0; round < 200; round++) {
        double sources[30];
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
            sources[i] = ((double)random_below(&random, 21) - 10) / 10;
        struct score_reason reasons[5];
        explain_top(sources, ARRAY_SIZE(sources), 5, reasons);
        bool taken[30] = { false };
        for (size_t k = 0; k < 5; k++) {
            size_t best = ARRAY_SIZE(sources);
            for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
                if (!taken[i] &&
                    (best == ARRAY_SIZE(sources) || fabs(sources[i]) > fabs(sources[best])))
                    best = i;
            }
            assert_int_equal(reasons[k].source, best);
            taken[best] = true;
        }
    }
}

static void encoded_features_join_their_source(void **state)
{
    (void)state;
    struct feature items[] = { { .source = 0 }, { .source = 1 }, { .source = 1 }, { .source = 2 } };
    struct feature_source columns[3] = { 0 };
    struct features features = {
        .sources = columns, .source_count = 3, .items = items, .count = 4
    };
    const float encoded[] = { 0.5f, 0.25f, -1.0f, 0.0f };
    double sources[3];
    explain_group(&features, encoded, 2, sources);
    check_near(sources[0], 1, 1e-12, "alone");
    check_near(sources[1], -1.5, 1e-12, "two levels");
    check_near(sources[2], 0, 0, "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_cases),
        cmocka_unit_test(same_as_sorting),
        cmocka_unit_test(encoded_features_join_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
