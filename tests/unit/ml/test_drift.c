/* Goal: a file like the training data is stable, a shifted one is noticed and
 * named. Method: one numeric and one categorical column; PSI against the formula
 * by hand, and after a round trip through JSON. */
#include "check.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "ml/drift.h"

#define ROWS 5000

static struct feature_source sources[2] = {
    { .name = (char *)"age", .type = VALUE_NUMERIC },
    { .name = (char *)"city", .type = VALUE_CATEGORICAL, .hot_count = 2, .has_other = true },
};
static const struct features features = { .sources = sources, .source_count = 2 };

static double values[ROWS * 2], scores[ROWS];

/* Ages around `age`, a share `oslo` of level 1, 1 % missing and 1 % unknown. */
static void generate(double age, double oslo)
{
    struct random random;
    random_seed(&random, 3);
    for (size_t row = 0; row < ROWS; row++) {
        values[row * 2] = row % 100 == 0 ? NAN : age + 10 * random_unit(&random);
        values[row * 2 + 1] = row % 100 == 1 ? 2 : random_unit(&random) < oslo;
        scores[row] = random_unit(&random);
    }
}

static uint64_t *count_all(const struct drift *drift)
{
    uint64_t *counts = mem_zero(drift->bin_total, sizeof(*counts));
    for (size_t row = 0; row < ROWS; row++)
        drift_count(drift, values + row * 2, scores[row], counts);
    return counts;
}

static int add_levels(void **state)
{
    (void)state;
    dictionary_add(&sources[1].levels, span_of("Rome"));
    dictionary_add(&sources[1].levels, span_of("Oslo"));
    return 0;
}

static int remove_levels(void **state)
{
    (void)state;
    dictionary_release(&sources[1].levels);
    return 0;
}

static void shifts_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *largest;
        double age, oslo, least, most; /* of the largest PSI */
    } cases[] = {
        { "the same", "age", 40, 0.5, 0, 0.001 },
        { "older", "age", 42, 0.5, 0.25, 10 },
        { "a unit changed", "age", 40000, 0.5, 1, 100 },
        { "moved", "city", 40, 0.9, 0.25, 10 },
    };
    auto_drift struct drift drift = { 0 };

    generate(40, 0.5);
    drift_fit(&features, values, scores, ROWS, &drift);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct drift_figure figures[5];
        generate(cases[i].age, cases[i].oslo);
        auto_free uint64_t *counts = count_all(&drift);
        assert_int_equal(drift_largest(&drift, counts, ARRAY_SIZE(figures), figures), 2);
        if (strcmp(figures[0].name, cases[i].largest) != 0 || figures[0].psi < cases[i].least ||
            figures[0].psi > cases[i].most)
            fail_msg("%s: %s %g", cases[i].name, figures[0].name, figures[0].psi);
        check_near(drift_psi(&drift, counts, drift_score_column(&drift)), 0, 1e-9, cases[i].name);
    }
}

static void psi_is_the_formula(void **state)
{
    (void)state;
    uint64_t expected[] = { 30, 60, 10 }, actual[] = { 50, 50, 0 };
    struct drift_column column = { .type = VALUE_CATEGORICAL,
                                   .bin_count = 3,
                                   .expected = expected };
    struct drift drift = { &column, 1, 3 };
    double psi = 0;

    for (size_t bin = 0; bin < 3; bin++) {
        double e = ((double)expected[bin] + DRIFT_SMOOTHING) / (100 + 3 * DRIFT_SMOOTHING);
        double a = ((double)actual[bin] + DRIFT_SMOOTHING) / (100 + 3 * DRIFT_SMOOTHING);
        psi += (a - e) * log(a / e);
    }
    check_near(drift_psi(&drift, actual, 0), psi, 1e-12, "psi");
    memset(actual, 0, sizeof(actual));
    check_near(drift_psi(&drift, actual, 0), 0, 0, "nothing counted");
}

static void json_keeps_everything(void **state)
{
    (void)state;
    auto_drift struct drift drift = { 0 }, again = { 0 };
    struct err err = { 0 };

    generate(40, 0.5);
    drift_fit(&features, values, scores, ROWS, &drift);
    auto_json json_t *json = drift_to_json(&drift);
    if (drift_from_json(json, &features, &again, &err))
        fail_msg("%s", err.message);
    auto_json json_t *json_again = drift_to_json(&again);
    assert_true(json_equal(json, json_again));
    generate(41, 0.6);
    auto_free uint64_t *first = count_all(&drift), *second = count_all(&again);
    assert_int_equal(drift.bin_total, again.bin_total);
    assert_memory_equal(first, second, drift.bin_total * sizeof(*first));
    check_near(drift_psi(&again, second, 0), drift_psi(&drift, first, 0), 1e-12, "age");
}

static void damaged_json_is_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "{\"columns\":[]}",
        "{\"columns\":[{\"name\":\"a\",\"type\":\"Numeric\",\"expected\":[1,2]},"
        "{\"name\":\"city\",\"type\":\"Categorical\",\"expected\":[1,2,3]},"
        "{\"name\":\"score\",\"type\":\"Numeric\",\"expected\":[1,2]}]}",
        "{\"columns\":[{\"name\":\"age\",\"type\":\"Numeric\",\"edges\":[1],\"expected\":[1,2]},"
        "{\"name\":\"city\",\"type\":\"Categorical\",\"expected\":[1,2,3]},"
        "{\"name\":\"score\",\"type\":\"Numeric\",\"expected\":[1,2]}]}",
        "{\"columns\":[{\"name\":\"age\",\"type\":\"Numeric\",\"expected\":[-1,2]},"
        "{\"name\":\"city\",\"type\":\"Categorical\",\"expected\":[1,2,3]},"
        "{\"name\":\"score\",\"type\":\"Numeric\",\"expected\":[1,2]}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        struct err err = { 0 };
        struct drift drift;
        auto_json json_t *json = jx_parse(span_of(damaged[i]), 4096, "case", &err);
        if (drift_from_json(json, &features, &drift, &err) == 0)
            fail_msg("case %zu was taken", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shifts_are_named),
        cmocka_unit_test(psi_is_the_formula),
        cmocka_unit_test(json_keeps_everything),
        cmocka_unit_test(damaged_json_is_refused),
    };
    return cmocka_run_group_tests(tests, add_levels, remove_levels);
}
