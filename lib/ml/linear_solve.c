/* The solver of linear.h: penalised maximum likelihood by Newton's method. */
#include "ml/linear.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"
#include "ml/calibrate.h"

#define MAXIMUM_ITERATIONS 50
#define MAXIMUM_HALVINGS   30
#define TOLERANCE          1e-9 /* of the fall in mean loss that a step promises */

/* Parameters are design->width weights and, last, the intercept. */
struct problem {
    const struct linear_design *design;
    const uint8_t *labels;
    double l2;
    size_t size;       /* width + 1 */
    double *gradient;  /* size */
    double *hessian;   /* size x size, lower triangle */
    double *direction; /* size */
    double *trial;     /* size */
};

static double margin_of(const struct problem *problem, const double *parameters, size_t row)
{
    const float *inputs = problem->design->values + row * problem->design->width;
    double margin = parameters[problem->design->width];
    for (size_t i = 0; i < problem->design->width; i++)
        margin += parameters[i] * (double)inputs[i];
    return margin;
}

static double objective(const struct problem *problem, const double *parameters)
{
    double sum = 0;
    for (size_t row = 0; row < problem->design->rows; row++) {
        double margin = margin_of(problem, parameters, row);
        sum += log1p(exp(-fabs(margin))) + fmax(margin, 0) - (problem->labels[row] ? margin : 0);
    }
    for (size_t i = 0; i < problem->design->width; i++)
        sum += problem->l2 / 2 * parameters[i] * parameters[i];
    return sum;
}

/* Adds one row to gradient and Hessian. */
static void add_row(struct problem *problem, const float *inputs, double error, double weight)
{
    size_t width = problem->design->width;
    for (size_t i = 0; i < width; i++) {
        double input = (double)inputs[i], weighted = weight * input;
        double *line = problem->hessian + i * problem->size;
        problem->gradient[i] += error * input;
        for (size_t j = 0; j <= i; j++)
            line[j] += weighted * (double)inputs[j];
    }
    double *last = problem->hessian + width * problem->size;
    for (size_t j = 0; j < width; j++)
        last[j] += weight * (double)inputs[j];
    last[width] += weight;
    problem->gradient[width] += error;
}

static void differentiate(struct problem *problem, const double *parameters)
{
    size_t width = problem->design->width;
    memset(problem->gradient, 0, problem->size * sizeof(double));
    memset(problem->hessian, 0, problem->size * problem->size * sizeof(double));
    for (size_t row = 0; row < problem->design->rows; row++) {
        double probability = probability_of(margin_of(problem, parameters, row));
        double error = probability - (problem->labels[row] ? 1 : 0);
        add_row(problem, problem->design->values + row * width, error,
                probability * (1 - probability));
    }
    for (size_t i = 0; i < width; i++) {
        problem->gradient[i] += problem->l2 * parameters[i];
        problem->hessian[i * problem->size + i] += problem->l2;
    }
}

/* Cholesky factor in place of the lower triangle. A pivot that is not clearly
 * positive (a constant or repeated column without penalty) is made huge, which
 * leaves its parameter where it is. */
static void factorise(double *matrix, size_t size)
{
    for (size_t j = 0; j < size; j++) {
        double *row_j = matrix + j * size;
        double pivot = row_j[j], floor = 1e-10 * (1 + pivot);
        for (size_t k = 0; k < j; k++)
            pivot -= row_j[k] * row_j[k];
        row_j[j] = pivot > floor ? sqrt(pivot) : 1e100;
        for (size_t i = j + 1; i < size; i++) {
            double *row_i = matrix + i * size;
            double sum = row_i[j];
            for (size_t k = 0; k < j; k++)
                sum -= row_i[k] * row_j[k];
            row_i[j] = sum / row_j[j];
        }
    }
}

/* direction = -Hessian^-1 gradient; returns the slope of the objective along it. */
static double find_direction(struct problem *problem)
{
    size_t size = problem->size;
    double *x = problem->direction, slope = 0;
    factorise(problem->hessian, size);
    for (size_t i = 0; i < size; i++) {
        const double *row = problem->hessian + i * size;
        x[i] = -problem->gradient[i];
        for (size_t k = 0; k < i; k++)
            x[i] -= row[k] * x[k];
        x[i] /= row[i];
    }
    for (size_t i = size; i-- > 0;) {
        for (size_t k = i + 1; k < size; k++)
            x[i] -= problem->hessian[k * size + i] * x[k];
        x[i] /= problem->hessian[i * size + i];
    }
    for (size_t i = 0; i < size; i++)
        slope += problem->gradient[i] * x[i];
    return slope;
}

/* Halves the step until the objective falls; false when it does not. */
static bool search_line(struct problem *problem, double *parameters, double slope, double *value)
{
    double length = 1;
    for (int i = 0; i < MAXIMUM_HALVINGS; i++, length /= 2) {
        for (size_t k = 0; k < problem->size; k++)
            problem->trial[k] = parameters[k] + length * problem->direction[k];
        double next = objective(problem, problem->trial);
        if (next <= *value + 1e-4 * length * slope) {
            memcpy(parameters, problem->trial, problem->size * sizeof(double));
            *value = next;
            return true;
        }
    }
    return false;
}

static void load_parameters(const struct linear *linear, double *parameters)
{
    size_t indicator = linear->column_count;
    for (size_t i = 0; i < linear->column_count; i++) {
        parameters[i] = linear->columns[i].weight;
        if (linear->columns[i].missing_share > 0)
            parameters[indicator++] = linear->columns[i].missing_weight;
    }
    parameters[indicator] = linear->intercept;
}

static void store_parameters(struct linear *linear, const double *parameters)
{
    size_t indicator = linear->column_count;
    for (size_t i = 0; i < linear->column_count; i++) {
        linear->columns[i].weight = parameters[i];
        if (linear->columns[i].missing_share > 0)
            linear->columns[i].missing_weight = parameters[indicator++];
    }
    linear->intercept = parameters[indicator];
}

int linear_solve(struct linear *linear, const struct linear_design *design, const uint8_t *labels,
                 double l2, struct err *err)
{
    size_t size = design->width + 1;
    auto_free double *memory = mem_zero(size, (size + 4) * sizeof(double));
    double *parameters = memory;
    struct problem problem = { .design = design,
                               .labels = labels,
                               .l2 = l2,
                               .size = size,
                               .gradient = memory + size,
                               .direction = memory + 2 * size,
                               .trial = memory + 3 * size,
                               .hessian = memory + 4 * size };
    load_parameters(linear, parameters);
    double value = objective(&problem, parameters);
    for (int i = 0; i < MAXIMUM_ITERATIONS; i++) {
        differentiate(&problem, parameters);
        double slope = find_direction(&problem);
        if (-slope <= TOLERANCE * (double)design->rows ||
            !search_line(&problem, parameters, slope, &value))
            break;
    }
    if (!isfinite(value))
        return err_set(err, ERR_INTERNAL, "logistic regression did not converge");
    store_parameters(linear, parameters);
    return 0;
}
