#include "trainer/guards.h"

#include <math.h>

#include "base/num.h"
#include "ml/metrics.h"

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

/* Missing numbers rank below all others. */
static double number_score(const struct column *column, size_t row)
{
    double value = column->numbers[row];
    return isnan(value) ? -INFINITY : value;
}

/* The share of churners among the OTHER rows of a row's category, with one row of the
 * whole file's share added: many small categories separate nothing by chance. */
static void score_categories(const struct table *table, const struct column *column,
                             double *ret_scores)
{
    auto_free double *rows = mem_zero(column->levels.count, sizeof(*rows));
    auto_free double *positives = mem_zero(column->levels.count, sizeof(*positives));
    double overall = (double)table->positives / (double)table->row_count;
    for (size_t i = 0; i < table->row_count; i++) {
        rows[column->codes[i]]++;
        positives[column->codes[i]] += table->labels[i];
    }
    for (size_t i = 0; i < table->row_count; i++) {
        uint32_t code = column->codes[i];
        ret_scores[i] = (positives[code] - table->labels[i] + overall) / rows[code];
    }
}

static double auc_alone(const struct table *table, const struct column *column)
{
    auto_free double *scores = mem_zero(table->row_count, sizeof(*scores));
    if (column->type == VALUE_CATEGORICAL)
        score_categories(table, column, scores);
    else
        for (size_t i = 0; i < table->row_count; i++)
            scores[i] = number_score(column, i);
    auto_ranking struct ranking ranking;
    ranking_init(&ranking, scores, table->labels, table->row_count);
    double area = metric_auc(&ranking);
    return column->type == VALUE_CATEGORICAL ? area : fmax(area, 1 - area);
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
