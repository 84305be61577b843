#include "ml/monotone.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "ml/symmetric.h"

#define LEAVES_MAXIMUM (1 << SYMMETRIC_DEPTH_MAXIMUM)
#define SWEEPS         40

/* The leaf that must not be above the other one of a pair. */
static size_t lower_of(size_t leaf, size_t bit, int8_t direction)
{
    return direction > 0 ? leaf : leaf | bit;
}

/* The nearest values that keep one question's direction: pairs that do not become their mean.
 * `corrections` is what this step moved them by the last time (Dykstra). */
static void project_level(double *values, const double *weights, size_t leaves, size_t bit,
                          int8_t direction, double *corrections)
{
    for (size_t leaf = 0; leaf < leaves; leaf++) {
        if (leaf & bit)
            continue;
        size_t low = lower_of(leaf, bit, direction), high = low ^ bit;
        double lower = values[low] + corrections[low], upper = values[high] + corrections[high];
        double mean =
            (weights[low] * lower + weights[high] * upper) / (weights[low] + weights[high]);
        values[low] = lower > upper ? mean : lower;
        values[high] = lower > upper ? mean : upper;
        corrections[low] = lower - values[low];
        corrections[high] = upper - values[high];
    }
}

/* The least values, none below the given ones, that keep all directions exactly: one pass for each
 * question is enough, because a maximum of two pairs that are in order is in order. */
static void raise(double *values, size_t leaves, size_t bit, int8_t direction)
{
    for (size_t leaf = 0; leaf < leaves; leaf++) {
        if (leaf & bit)
            continue;
        size_t low = lower_of(leaf, bit, direction), high = low ^ bit;
        values[high] = fmax(values[high], values[low]);
    }
}

void monotone_project(double *values, const double *weights, int depth, const int8_t *directions)
{
    double corrections[SYMMETRIC_DEPTH_MAXIMUM][LEAVES_MAXIMUM] = { 0 };
    size_t leaves = (size_t)1 << depth;
    int constrained = 0;
    for (int level = 0; level < depth; level++)
        constrained += directions[level] != 0;
    int sweeps = constrained > 1 ? SWEEPS : constrained; /* pairs of one question do not meet */
    for (int sweep = 0; sweep < sweeps; sweep++)
        for (int level = 0; level < depth; level++)
            if (directions[level] != 0)
                project_level(values, weights, leaves, (size_t)1 << level, directions[level],
                              corrections[level]);
    for (int level = 0; level < depth; level++)
        if (directions[level] != 0)
            raise(values, leaves, (size_t)1 << level, directions[level]);
}
