/* fuzz_forest.c - any bytes as booster.ubj of a model with two features. Property:
 * what is accepted, our forest and libxgboost (if it loads it) score and explain without
 * a fault. */
#include <stdint.h>

#include "ml/boost.h"
#include "ml/forest.h"
#include "ml/shap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { (const char *)data, size };
    const float values[] = { 0.5F, -3.0F };
    const struct matrix matrix = { values, 1, 2 };
    const float *contributions;
    double margin;

    static const uint32_t sources[] = { 0, 1 };
    auto_forest struct forest forest = { 0 };
    double contributions_of_ours[2];

    if (forest_read(bytes, 2, &forest, NULL) == 0) {
        auto_shap struct shap *shap = shap_new(&forest, sources, 2, SHAP_TABLES);

        forest_margins(&forest, values, 1, &margin);
        shap_rows(shap, values, 1, contributions_of_ours);
    }
    auto_booster struct booster *booster = booster_load(bytes, 2, NULL);
    if (booster == NULL)
        return 0;
    if (booster_margins(booster, matrix, 0, &margin, NULL) < 0 ||
        booster_contributions(booster, matrix, &contributions, NULL) < 0)
        return 0;
    return 0;
}
