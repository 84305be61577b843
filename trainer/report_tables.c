/* Candidates and data of report.html. */
#include "trainer/report.h"

#include <math.h>

#include "trainer/html.h"

#define CANDIDATES_SHOWN 5 /* of each algorithm */

static void write_candidate(const struct training *training, size_t index, struct buf *out)
{
    const struct candidate *candidate = &training->search.candidates[index];
    char recipe[128];
    candidate_describe(candidate, recipe, sizeof(recipe));
    buf_format(out, "<tr%s><td>", candidate->weight > 0 ? " class=\"chosen\"" : "");
    buf_string(out, report_algorithm(candidate->algorithm));
    buf_string(out, "</td><td>");
    html_text(out, recipe);
    buf_string(out, "</td><td class=\"number\">");
    html_number(out, candidate->log_loss, 4);
    buf_string(out, "</td><td class=\"number\">");
    if (candidate->weight > 0)
        html_number(out, candidate->weight, 2);
    buf_string(out, "</td></tr>");
}

void report_candidates(const struct training *training, struct buf *out)
{
    const struct search_result *search = &training->search;
    const struct folds *folds = &training->folds;
    size_t shown[MODEL_ALGORITHMS] = { 0 };
    buf_string(out, "<h2>Why this model</h2><p>");
    html_text(out, search->why);
    buf_format(out,
               " The best recipes of %zu, by log-loss in %u-fold cross-validation inside the "
               "training part",
               search->count, folds->fold_count);
    if (folds->searched_count < folds->training_count) {
        buf_string(out, ", on a sample of ");
        html_count(out, folds->searched_count);
        buf_string(out, " of its ");
        html_count(out, folds->training_count);
        buf_string(out, " customers (probabilities are calibrated on the same ones; the model "
                        "itself learned from all)");
    }
    buf_string(out, ":</p><div class=\"card scroll\"><table><tr><th>Algorithm</th>"
                    "<th>Recipe</th><th class=\"number\">Log-loss</th>"
                    "<th class=\"number\">Weight</th></tr>");
    for (size_t i = 0; i < search->count; i++) {
        if (shown[search->candidates[i].algorithm]++ < CANDIDATES_SHOWN)
            write_candidate(training, i, out);
    }
    buf_string(out, "</table></div>\n");
}

/* --- data ------------------------------------------------------------------- */

static const char *use_of(const struct column *column)
{
    switch (column->role) {
    case ROLE_FEATURE:
        return "used";
    case ROLE_ID:
        return "identifies the customer";
    case ROLE_TARGET:
        return "target";
    case ROLE_DROPPED:
        return "dropped by the user";
    case ROLE_LEFT_OUT:
        break;
    }
    return column->why;
}

static void write_number_column(const struct column *column, size_t rows, struct buf *out)
{
    size_t missing = 0;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < rows; i++) {
        double number = column_number(column, i);
        missing += isnan(number) ? 1 : 0;
        low = fmin(low, number);
        high = fmax(high, number);
    }
    html_percent(out, (double)missing / (double)rows, 1);
    buf_string(out, "</td><td>");
    if (missing < rows)
        buf_format(out, "%.6g to %.6g", low, high);
}

static void write_category_column(const struct column *column, size_t rows, struct buf *out)
{
    size_t missing = 0;
    for (size_t i = 0; i < rows; i++)
        missing += dictionary_text(&column->levels, column_code(column, i)).length == 0;
    html_percent(out, (double)missing / (double)rows, 1);
    buf_format(out, "</td><td>%u categories", column->levels.count);
    if (column->levels.count > FEATURES_LEVELS)
        buf_format(out, ": the %d most frequent on their own, and all by their share of churners",
                   FEATURES_LEVELS);
}

static void write_column(const struct column *column, size_t rows, struct buf *out)
{
    buf_string(out, "<tr><td>");
    html_text(out, column->name);
    buf_format(out, "</td><td>%s%s</td><td>", column->role == ROLE_LEFT_OUT ? "left out: " : "",
               use_of(column));
    if (column->role == ROLE_FEATURE) {
        buf_format(out, "%s</td><td class=\"number\">", value_type_names[column->type]);
        if (column->type == VALUE_CATEGORICAL)
            write_category_column(column, rows, out);
        else
            write_number_column(column, rows, out);
    } else {
        buf_string(out, "</td><td></td><td>");
    }
    buf_string(out, "</td></tr>");
}

void report_data(const struct training *training, struct buf *out)
{
    const struct table *table = &training->table;
    buf_string(out, "<h2>The data</h2><p>");
    html_text(out, table->name);
    buf_string(out, ": ");
    html_count(out, table->row_count);
    buf_string(out, " good rows and ");
    html_count(out, table->rejected);
    buf_string(out, " bad ones, ");
    html_count(out, table->column_count);
    buf_string(out, " columns; ");
    html_percent(out, (double)table->positives / (double)table->row_count, 1);
    buf_string(out,
               " of the customers left. However few they are, no row is repeated, weighted or made "
               "up: probabilities would be wrong; the threshold does what is needed. Looked for: "
               "too few rows or customers of one kind, bad rows, ids that occur twice, rows that "
               "repeat others, "
               "columns that are empty, constant, dates or like ids, and columns that alone "
               "know the answer; what was found stands at the top of this page.</p><div "
               "class=\"card scroll\"><table><tr><th>Column</th><th>Use</th>"
               "<th>Type</th><th class=\"number\">Missing</th><th>Values</th></tr>");
    for (size_t i = 0; i < table->column_count; i++)
        write_column(&table->columns[i], table->row_count, out);
    buf_string(out, "</table></div>\n");
}
