#include "ml/calibrate.h"

#include <stdbool.h>

#define MAXIMUM_ITERATIONS 100
#define MINIMUM_STEP       1e-10
#define TOLERANCE          1e-10 /* of the mean gradient */
#define RIDGE              1e-12 /* keeps the Hessian invertible */

struct sample {
    const double *margins;
    const uint8_t *labels;
    size_t count;
    double positive_target, negative_target;
};

static double target_of(const struct sample *sample, size_t row)
{
    return sample->labels[row] ? sample->positive_target : sample->negative_target;
}

/* Mean cross-entropy, written so that exp() never overflows. */
static double loss(const struct sample *sample, struct calibration candidate)
{
    double sum = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double log_odds = calibrated_log_odds(&candidate, sample->margins[i]);
        sum += log1p(exp(-fabs(log_odds))) + fmax(log_odds, 0) - target_of(sample, i) * log_odds;
    }
    return sum / (double)sample->count;
}

struct newton_step {
    double slope, intercept; /* direction */
    double descent;          /* derivative of the loss along it, < 0 */
    double gradient;         /* largest component */
};

static struct newton_step newton_step(const struct sample *sample, struct calibration current)
{
    double gradient_slope = 0, gradient_intercept = 0;
    double slope_slope = 0, slope_intercept = 0, intercept_intercept = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double margin = sample->margins[i];
        double probability = probability_of(calibrated_log_odds(&current, margin));
        double error = probability - target_of(sample, i);
        double weight = probability * (1 - probability);
        gradient_slope += error * margin;
        gradient_intercept += error;
        slope_slope += weight * margin * margin;
        slope_intercept += weight * margin;
        intercept_intercept += weight;
    }
    double count = (double)sample->count;
    gradient_slope /= count, gradient_intercept /= count;
    slope_slope = slope_slope / count + RIDGE;
    slope_intercept /= count;
    intercept_intercept = intercept_intercept / count + RIDGE;
    double determinant = slope_slope * intercept_intercept - slope_intercept * slope_intercept;
    struct newton_step step = {
        .slope = -(intercept_intercept * gradient_slope - slope_intercept * gradient_intercept) /
                 determinant,
        .intercept =
            -(slope_slope * gradient_intercept - slope_intercept * gradient_slope) / determinant,
        .gradient = fmax(fabs(gradient_slope), fabs(gradient_intercept)),
    };
    step.descent = gradient_slope * step.slope + gradient_intercept * step.intercept;
    return step;
}

/* Halves the step until the loss falls enough (Armijo). */
static bool search_line(const struct sample *sample, const struct newton_step *step,
                        struct calibration *current)
{
    double before = loss(sample, *current);
    for (double length = 1; length >= MINIMUM_STEP; length /= 2) {
        struct calibration next = { current->slope + length * step->slope,
                                    current->intercept + length * step->intercept };
        if (loss(sample, next) < before + 1e-4 * length * step->descent) {
            *current = next;
            return true;
        }
    }
    return false;
}

struct calibration calibration_fit(const double *margins, const uint8_t *labels, size_t count)
{
    double positives = 0;
    for (size_t i = 0; i < count; i++)
        positives += labels[i] ? 1 : 0;
    double negatives = (double)count - positives;
    if (positives == 0 || negatives == 0)
        return CALIBRATION_NONE;
    struct sample sample = { margins, labels, count, (positives + 1) / (positives + 2),
                             1 / (negatives + 2) };
    struct calibration current = { 0, log((positives + 1) / (negatives + 1)) };
    for (int i = 0; i < MAXIMUM_ITERATIONS; i++) {
        struct newton_step step = newton_step(&sample, current);
        if (step.gradient < TOLERANCE || !search_line(&sample, &step, &current))
            break;
    }
    return current.slope > 0 ? current : CALIBRATION_NONE;
}
