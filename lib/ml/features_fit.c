/* features_fit.c - learning features from training rows. */
#include <math.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ml/features_build.h"

/* A level of a category in the training rows. */
struct level_count {
    uint32_t code, rows;
    const char *text;
};

/* Most frequent first; equal ones by text, so that the order in the file does not
 * matter. */
static int compare_levels(const void *a, const void *b)
{
    const struct level_count *left = a, *right = b;

    if (left->rows != right->rows)
        return left->rows > right->rows ? -1 : 1;
    return strcmp(left->text, right->text);
}

/* The share of positives, pulled to the overall share p where rows are few. */
static double smoothed_share(double positives, double rows, double p)
{
    return (positives + FEATURES_SMOOTHING * p) / (rows + FEATURES_SMOOTHING);
}

static double share_of_positives(const struct table *table, const uint32_t *rows, size_t row_count)
{
    size_t positives = 0;

    for (size_t i = 0; i < row_count; i++)
        positives += table->labels[rows[i]];
    return (double)positives / (double)row_count;
}

static struct level_count *count_levels(const struct column *column, const uint32_t *rows,
                                        size_t row_count)
{
    struct level_count *counts = mem_zero(column->levels.count, sizeof(*counts));

    for (uint32_t code = 0; code < column->levels.count; code++)
        counts[code] = (struct level_count){ .code = code, .text = column->levels.texts[code] };
    for (size_t i = 0; i < row_count; i++)
        counts[column_code(column, rows[i])].rows++;
    qsort(counts, column->levels.count, sizeof(*counts), compare_levels);
    return counts;
}

/* One share per known level, and for the unknown ones the overall share. */
static double *fit_shares(const struct feature_source *source, const struct column *column,
                          const struct table *table, const uint32_t *rows, size_t row_count)
{
    double overall = share_of_positives(table, rows, row_count);
    double *shares = mem_zero(source->levels.count + 1, sizeof(*shares));
    auto_free double *level_rows = mem_zero(source->levels.count, sizeof(*level_rows));

    for (size_t i = 0; i < row_count; i++) {
        uint32_t code = column_code(column, rows[i]);
        uint32_t level = dictionary_find(&source->levels, dictionary_text(&column->levels, code));

        if (level == DICTIONARY_NONE)
            continue;
        level_rows[level] += 1;
        shares[level] += table->labels[rows[i]];
    }
    for (uint32_t level = 0; level < source->levels.count; level++)
        shares[level] = smoothed_share(shares[level], level_rows[level], overall);
    shares[source->levels.count] = overall;
    return shares;
}

static void fit_category(struct feature_source *source, const struct column *column,
                         const struct table *table, const uint32_t *rows, size_t row_count)
{
    auto_free struct level_count *counts = count_levels(column, rows, row_count);
    uint32_t frequent = 0, hot;

    while (frequent < column->levels.count && counts[frequent].rows >= FEATURES_LEVEL_ROWS)
        frequent++;
    hot = frequent > FEATURES_LEVELS ? FEATURES_LEVELS : frequent;
    for (uint32_t i = 0; i < frequent; i++)
        (void)dictionary_add(&source->levels, dictionary_text(&column->levels, counts[i].code));
    source->hot_count = hot;
    source->has_other = hot < column->levels.count && counts[hot].rows > 0;
    if (frequent > hot)
        source->shares = fit_shares(source, column, table, rows, row_count);
}

/* The table's warnings say why its columns were left out. */
static int fail_no_column(const struct table *table, struct err *err)
{
    auto_buf struct buf why;

    buf_init(&why, LIMIT_CONDITION_MESSAGE); /* more is dropped */
    for (size_t i = 0; i < table->warning_count; i++)
        buf_format(&why, "; %s", table->warnings[i]);
    return err_reason(err, ERR_INVALID, "DataInvalid",
                      "%s: no column is left that a model could use%s", table->name,
                      buf_text(&why));
}

int features_fit(const struct table *table, const uint32_t *rows, size_t row_count,
                 struct features *ret_features, struct err *err)
{
    struct features features = { .sources =
                                     mem_zero(table->column_count, sizeof(*features.sources)) };

    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        struct feature_source *source = &features.sources[features.source_count];

        if (column->role != ROLE_FEATURE)
            continue;
        features.source_count++;
        source->name = mem_strdup(column->name);
        source->type = column->type;
        if (column->type == VALUE_CATEGORICAL)
            fit_category(source, column, table, rows, row_count);
    }
    if (features.source_count == 0) {
        features_release(&features);
        return fail_no_column(table, err);
    }
    features_lay_out(&features);
    *ret_features = features;
    return 0;
}

double *features_inner_shares(const struct feature_source *source, const struct column *column,
                              const uint32_t *levels, const struct table *table,
                              const uint32_t *rows, size_t row_count)
{
    size_t cells = source->levels.count * FEATURES_INNER_FOLDS;
    double overall = share_of_positives(table, rows, row_count);
    double *shares = mem_zero(cells, sizeof(*shares));
    auto_free double *positives = mem_zero(cells, sizeof(*positives));
    auto_free double *counts = mem_zero(cells, sizeof(*counts));

    for (size_t i = 0; i < row_count; i++) {
        uint32_t level = levels[column_code(column, rows[i])];
        size_t cell = (size_t)level * FEATURES_INNER_FOLDS + features_inner_fold(table, rows[i]);

        if (level == source->levels.count)
            continue;
        positives[cell] += table->labels[rows[i]];
        counts[cell] += 1;
    }
    for (size_t cell = 0; cell < cells; cell++) {
        size_t first = cell - cell % FEATURES_INNER_FOLDS;
        double other_positives = 0, other_rows = 0;

        for (size_t other = first; other < first + FEATURES_INNER_FOLDS; other++) {
            other_positives += other == cell ? 0 : positives[other];
            other_rows += other == cell ? 0 : counts[other];
        }
        shares[cell] = smoothed_share(other_positives, other_rows, overall);
    }
    return shares;
}
