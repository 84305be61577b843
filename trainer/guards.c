#include "trainer/guards.h"

#include <math.h>

#include "base/limits.h"
#include "base/num.h"
#include "ml/bins.h"
#include "ml/metrics.h"

#define RANGES 64 /* of a number */

int guard_size(struct training *training, struct err *err)
{
    const struct table *table = &training->table;
    size_t others = table->row_count - table->positives;
    size_t rarer = table->positives < others ? table->positives : others;
    if (table->row_count < TRAINING_ROWS_MINIMUM || rarer < TRAINING_CLASS_MINIMUM)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: %zu rows, %zu churners and %zu others: at least %d rows and %d of "
                          "each kind are needed",
                          table->name, table->row_count, table->positives, others,
                          TRAINING_ROWS_MINIMUM, TRAINING_CLASS_MINIMUM);
    if (table->row_count < TRAINING_ROWS_FEW || rarer < TRAINING_CLASS_FEW)
        training_warn(training,
                      "%s: only %zu rows, %zu churners and %zu others: metrics are uncertain",
                      table->name, table->row_count, table->positives, others);
    return 0;
}

/* --- memory ------------------------------------------------------------------ */

/* What a row takes besides its values while a model is fitted on all: its number in two lists, its
 * fold and its label; margins, both derivatives and a place in either kind of trees. */
#define LISTED_BYTES 10
#define TREES_BYTES  24

static size_t count_sources(const struct table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->column_count; i++)
        count += table->columns[i].role == ROLE_FEATURE;
    return count;
}

/* The floats of all rows, as they are or prepared. */
static int find_matrix_bytes(const struct training *training, size_t *ret_bytes, struct err *err)
{
    size_t rows = training->table.row_count;
    auto_free uint32_t *all = training_all_rows(&training->table);
    auto_features struct features features = { 0 };
    if (training_fit_features(training, all, rows, &features, err) < 0)
        return -1;
    *ret_bytes = rows * features.count * sizeof(float);
    return 0;
}

/* Less than the stages take that have all rows at once, and never more. */
static int find_rows_bytes(const struct training *training, size_t *ret_bytes, struct err *err)
{
    int algorithm = training->job.training.algorithm;
    size_t sources = count_sources(&training->table), rows = training->table.row_count;
    size_t fit = rows * (TREES_BYTES + sources); /* a byte a value, as bins */
    size_t matrix = rows * sources * sizeof(float);
    if (algorithm == ALGORITHM_AUTO && matrix < fit) /* it may choose a regression */
        fit = matrix;
    if ((algorithm == ALGORITHM_LOGISTIC_REGRESSION || algorithm == ALGORITHM_NEURAL_NETWORK) &&
        find_matrix_bytes(training, &fit, err) < 0)
        return -1;
    fit += rows * LISTED_BYTES;
    *ret_bytes = fit > rows * FOLDS_ROW_BYTES ? fit : rows * FOLDS_ROW_BYTES;
    return 0;
}

int guard_memory(const struct training *training, size_t bytes, struct err *err)
{
    const struct table *table = &training->table;
    size_t all = table_bytes(table) + bytes;
    if (training->memory == 0 || all <= training->memory)
        return 0;
    return err_reason(
        err, ERR_INVALID, "DataInvalid",
        "%s: %s on %zu rows of %zu columns takes more than %zu MiB of memory, and may "
        "have %" PRIu64 ": raise resources.limits.memory of the pod, or give fewer "
        "rows",
        table->name, algorithm_names[training->job.training.algorithm], table->row_count,
        count_sources(table), all / MIB, training->memory / MIB);
}

int guard_rows(const struct training *training, struct err *err)
{
    size_t bytes = 0;
    if (training->memory > 0 && find_rows_bytes(training, &bytes, err) < 0)
        return -1;
    return guard_memory(training, bytes, err);
}

/* --- leaks ------------------------------------------------------------------- */

/* Missing numbers rank below all others. */
static double number_score(const struct column *column, size_t row)
{
    double value = column_number(column, row);
    return isnan(value) ? -INFINITY : value;
}

/* The share of churners among the OTHER rows of a row's level, with one row of the whole file's
 * share added: many small levels separate nothing by chance. */
static void score_levels(const struct table *table, const uint32_t *codes, size_t levels,
                         double *ret_scores)
{
    auto_free double *rows = mem_zero(levels, sizeof(*rows));
    auto_free double *positives = mem_zero(levels, sizeof(*positives));
    double overall = (double)table->positives / (double)table->row_count;
    for (size_t i = 0; i < table->row_count; i++) {
        rows[codes[i]]++;
        positives[codes[i]] += table->labels[i];
    }
    for (size_t i = 0; i < table->row_count; i++)
        ret_scores[i] = (positives[codes[i]] - table->labels[i] + overall) / rows[codes[i]];
}

static double auc_of(const struct table *table, const double *scores)
{
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, scores, table->labels, table->row_count);
    return metric_auc(&ranking);
}

static float float_of(double number)
{
    double largest = (double)FEATURES_LARGEST;
    return isnan(number) ? NAN : (float)fmin(fmax(number, -largest), largest);
}

/* By ranges of the number, which finds codes that no order makes sense of. */
static double auc_by_ranges(const struct table *table, const struct column *column)
{
    auto_free double *scores = mem_zero(table->row_count, sizeof(*scores));
    auto_free float *numbers = mem_zero(table->row_count, sizeof(*numbers));
    auto_free uint32_t *codes = mem_zero(table->row_count, sizeof(*codes));
    auto_bins struct bins bins;
    for (size_t i = 0; i < table->row_count; i++)
        numbers[i] = float_of(column_number(column, i));
    bins_init(&bins, rows_of((struct matrix){ numbers, table->row_count, 1 }), RANGES);
    for (size_t i = 0; i < table->row_count && bins.column_count > 0; i++)
        codes[i] = bins.values[i];
    score_levels(table, codes, RANGES + 1, scores);
    return auc_of(table, scores);
}

static double auc_alone(const struct table *table, const struct column *column)
{
    auto_free double *scores = mem_zero(table->row_count, sizeof(*scores));
    if (column->type == VALUE_CATEGORICAL) {
        auto_free uint32_t *codes = mem_zero(table->row_count, sizeof(*codes));
        for (size_t i = 0; i < table->row_count; i++)
            codes[i] = column_code(column, i);
        score_levels(table, codes, column->levels.count, scores);
        return auc_of(table, scores);
    }
    for (size_t i = 0; i < table->row_count; i++)
        scores[i] = number_score(column, i);
    double area = auc_of(table, scores);
    return fmax(fmax(area, 1 - area), auc_by_ranges(table, column));
}

void guard_leaks(struct training *training)
{
    const struct table *table = &training->table;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->role != ROLE_FEATURE)
            continue;
        double area = auc_alone(table, column);
        if (area <= GUARD_LEAK_AUC)
            continue;
        char text[NUM_DOUBLE_TEXT];
        num_format_fixed(area, 3, text);
        training_warn(training,
                      "%s: column %s alone has an AUC of %s: it may know the answer; if it is not "
                      "there before a customer leaves, drop it",
                      table->name, column->name, text);
    }
}
