/* directions.h - what the tests of both boosters ask of columns with directions. */
#pragma once

#include "check.h"

#include "base/mem.h"
#include "ml/row_source.h"

#define DIRECTIONS_STEPS 41 /* from 0 to 2, where the tests' values lie */

/* Steps against the directions, along each column, everything else as it is, from each of the first
 * rows. `score` gives margins. */
static inline size_t count_steps_back(void (*score)(const void *booster, struct matrix rows,
                                                    double *ret_margins),
                                      const void *booster, struct matrix all, size_t rows,
                                      const int8_t *directions)
{
    size_t columns = all.columns, back = 0;
    auto_free float *grid = mem_zero(DIRECTIONS_STEPS * columns, sizeof(*grid));
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++) {
            double margins[DIRECTIONS_STEPS];
            for (size_t i = 0; i < DIRECTIONS_STEPS; i++) {
                memcpy(grid + i * columns, all.values + row * columns, columns * sizeof(float));
                grid[i * columns + column] = (float)i * 0.05F;
            }
            score(booster, (struct matrix){ grid, DIRECTIONS_STEPS, columns }, margins);
            for (size_t i = 1; i < DIRECTIONS_STEPS; i++)
                back += directions[column] * (margins[i] - margins[i - 1]) < 0;
        }
    return back;
}
