/* fuzz_forest.c - any bytes as booster.ubj of a model with two features. Property:
 * what is accepted, libxgboost loads or refuses, scores and explains without a
 * fault. */
#include <stdint.h>

#include "ml/boost.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { (const char *)data, size };
    const float values[] = { 0.5F, -3.0F };
    const struct matrix matrix = { values, 1, 2 };
    const float *contributions;
    double margin;

    auto_booster struct booster *booster = booster_load(bytes, 2, NULL);
    if (booster == NULL)
        return 0;
    if (booster_margins(booster, matrix, 0, &margin, NULL) < 0 ||
        booster_contributions(booster, matrix, &contributions, NULL) < 0)
        return 0;
    return 0;
}
