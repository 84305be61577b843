#include "ml/blend.h"

#include <math.h>

#include "base/mem.h"

#define ROWS 100000 /* more are thinned out: three weights need no more */

/* The set so far. */
struct blend_set {
    double *sums; /* of margins, per row */
    unsigned taken[BLEND_MEMBERS], count, cost;
};

static double row_loss(double margin, uint8_t label)
{
    return log1p(exp(-fabs(margin))) + fmax(margin, 0) - (label ? margin : 0);
}

static double loss_with(const struct blend_input *input, const struct blend_set *set, size_t member,
                        size_t stride)
{
    const double *margins = input->margins + member * input->rows;
    double sum = 0, scale = 1 / (double)(set->count + 1);
    size_t rows = 0;
    for (size_t row = 0; row < input->rows; row += stride, rows++)
        sum += row_loss((set->sums[row] + margins[row]) * scale, input->labels[row]);
    return sum / (double)rows;
}

static void take(const struct blend_input *input, struct blend_set *set, size_t member)
{
    for (size_t row = 0; row < input->rows; row++)
        set->sums[row] += input->margins[member * input->rows + row];
    set->cost += set->taken[member]++ == 0 ? input->costs[member] : 0;
    set->count++;
}

double blend_weights(const struct blend_input *input, double *ret_weights)
{
    size_t stride = (input->rows - 1) / ROWS + 1;
    auto_free double *sums = mem_zero(input->rows, sizeof(*sums));
    struct blend_set set = { .sums = sums };
    double lowest = INFINITY;
    for (unsigned step = 0; step < BLEND_STEPS; step++) {
        double best_loss = INFINITY;
        size_t best = 0;
        for (size_t member = 0; member < input->members; member++) {
            unsigned cost = set.taken[member] > 0 ? 0 : input->costs[member];
            if (set.count > 0 && set.cost + cost > input->budget)
                continue;
            double loss = loss_with(input, &set, member, stride);
            if (loss < best_loss) {
                best_loss = loss;
                best = member;
            }
        }
        take(input, &set, best);
        if (best_loss >= lowest)
            continue;
        lowest = best_loss;
        for (size_t member = 0; member < input->members; member++)
            ret_weights[member] = (double)set.taken[member] / (double)set.count;
    }
    return lowest;
}
