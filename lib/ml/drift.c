/* drift.c - binned distributions and the population stability index. */
#include "ml/drift.h"

#include <math.h>

#include "base/limits.h"
#include "base/mem.h"

#define SCORE_NAME "score"

void drift_release(struct drift *drift)
{
    for (size_t i = 0; i < drift->count; i++) {
        free(drift->columns[i].name);
        free(drift->columns[i].edges);
        free(drift->columns[i].expected);
    }
    free(drift->columns);
    *drift = (struct drift){ 0 };
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* Quantiles of the values that are not missing; equal ones are merged, so a column
 * with a spike gets fewer bins. */
static void fit_edges(struct drift_column *column, const double *values, size_t stride,
                      size_t row_count)
{
    auto_free double *sorted = mem_zero(row_count + 1, sizeof(*sorted));
    size_t count = 0;

    for (size_t row = 0; row < row_count; row++)
        if (!isnan(values[row * stride]))
            sorted[count++] = values[row * stride];
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    column->edges = mem_zero(DRIFT_BINS, sizeof(*column->edges));
    for (size_t bin = 1; bin < DRIFT_BINS && count > 0; bin++) {
        double edge = sorted[(count - 1) * bin / DRIFT_BINS];
        bool last_value = edge >= sorted[count - 1];

        if (!last_value &&
            (column->edge_count == 0 || edge > column->edges[column->edge_count - 1]))
            column->edges[column->edge_count++] = edge;
    }
    column->bin_count = column->edge_count + 2; /* above the last edge, and missing */
}

static size_t bin_of(const struct drift_column *column, double value)
{
    size_t bin = 0;

    if (column->type == VALUE_CATEGORICAL) /* unknown levels are level_count: the last bin */
        return (size_t)value < column->bin_count ? (size_t)value : column->bin_count - 1;
    if (isnan(value))
        return column->bin_count - 1;
    for (size_t i = 0; i < column->edge_count;
         i++) /* without a branch that would be guessed wrong */
        bin += value > column->edges[i];
    return bin;
}

static void fit_column(struct drift_column *column, const double *values, size_t stride,
                       size_t row_count)
{
    if (column->type != VALUE_CATEGORICAL)
        fit_edges(column, values, stride, row_count);
    column->expected = mem_zero(column->bin_count, sizeof(*column->expected));
    for (size_t row = 0; row < row_count; row++)
        column->expected[bin_of(column, values[row * stride])]++;
}

/* A category has a bin per one-hot level: rare ones would only add noise. */
static size_t category_bins(const struct feature_source *source)
{
    return source->hot_count + 1u;
}

void drift_fit(const struct features *features, const double *values, const double *scores,
               size_t row_count, struct drift *ret_drift)
{
    struct drift drift = { .count = features->source_count + 1 };

    drift.columns = mem_zero(drift.count, sizeof(*drift.columns));
    for (size_t i = 0; i < drift.count; i++) {
        struct drift_column *column = &drift.columns[i];
        bool is_score = i == features->source_count;

        column->name = mem_strdup(is_score ? SCORE_NAME : features->sources[i].name);
        column->type = is_score ? VALUE_NUMERIC : features->sources[i].type;
        if (column->type == VALUE_CATEGORICAL)
            column->bin_count = category_bins(&features->sources[i]);
        if (is_score)
            fit_column(column, scores, 1, row_count);
        else
            fit_column(column, values + i, features->source_count, row_count);
        drift.bin_total += column->bin_count;
    }
    *ret_drift = drift;
}

void drift_count(const struct drift *drift, const double *values, double score, uint64_t *counts)
{
    size_t last = drift_score_column(drift);

    for (size_t i = 0; i < last; i++) {
        counts[bin_of(&drift->columns[i], values[i])]++;
        counts += drift->columns[i].bin_count;
    }
    counts[bin_of(&drift->columns[last], score)]++;
}

double drift_psi(const struct drift *drift, const uint64_t *counts, size_t column)
{
    const struct drift_column *bins = &drift->columns[column];
    double expected_total = 0, actual_total = 0, psi = 0;

    for (size_t i = 0; i < column; i++)
        counts += drift->columns[i].bin_count;
    for (size_t bin = 0; bin < bins->bin_count; bin++) {
        expected_total += (double)bins->expected[bin];
        actual_total += (double)counts[bin];
    }
    if (actual_total == 0 || expected_total == 0)
        return 0;
    expected_total += DRIFT_SMOOTHING * (double)bins->bin_count;
    actual_total += DRIFT_SMOOTHING * (double)bins->bin_count;
    for (size_t bin = 0; bin < bins->bin_count; bin++) {
        double expected = ((double)bins->expected[bin] + DRIFT_SMOOTHING) / expected_total;
        double actual = ((double)counts[bin] + DRIFT_SMOOTHING) / actual_total;

        psi += (actual - expected) * log(actual / expected);
    }
    return psi;
}

static int compare_figures(const void *a, const void *b)
{
    const struct drift_figure *left = a, *right = b;

    if (left->psi != right->psi)
        return left->psi > right->psi ? -1 : 1;
    return strcmp(left->name, right->name);
}

size_t drift_largest(const struct drift *drift, const uint64_t *counts, size_t maximum,
                     struct drift_figure *ret_figures)
{
    size_t count = drift_score_column(drift);
    auto_free struct drift_figure *figures = mem_zero(count, sizeof(*figures));

    for (size_t i = 0; i < count; i++)
        figures[i] = (struct drift_figure){ drift->columns[i].name, drift_psi(drift, counts, i) };
    qsort(figures, count, sizeof(*figures), compare_figures);
    if (count > maximum)
        count = maximum;
    memcpy(ret_figures, figures, count * sizeof(*figures));
    return count;
}
