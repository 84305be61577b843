#include "trainer/training.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"

void training_release(struct training *training)
{
    table_release(&training->table);
    folds_release(&training->folds);
    search_result_release(&training->search);
    model_release(&training->evaluation);
    model_release(&training->final);
    free(training->holdout_margins);
    free(training->importance);
    free(training->direction);
    arena_release(&training->arena);
    *training = (struct training){ 0 };
}

void training_warn(struct training *training, const char *format, ...)
{
    if (training->warning_count == TRAINING_WARNINGS)
        return;
    char text[LIMIT_CONDITION_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    utf8_one_line(text, strlen(text)); /* column names may hold anything */
    for (size_t i = 0; i < training->warning_count; i++)
        if (strcmp(training->warnings[i], text) == 0)
            return;
    training->warnings[training->warning_count++] = arena_strdup(&training->arena, text);
}

/* The directions that columns were given, for the boosters. */
static void set_directions(const struct data_spec *data, struct features *features)
{
    const struct column_override *columns = data->columns.items;
    for (size_t i = 0; i < features->source_count; i++)
        for (size_t j = 0; j < data->columns.count; j++)
            if (strcmp(features->sources[i].name, columns[j].name) == 0)
                features->sources[i].monotone = columns[j].monotone == MONOTONE_INCREASING   ? 1
                                                : columns[j].monotone == MONOTONE_DECREASING ? -1
                                                                                             : 0;
}

int training_fit_features(const struct training *training, const uint32_t *rows, size_t count,
                          struct features *ret_features, struct err *err)
{
    if (features_fit(&training->table, rows, count, ret_features, err) < 0)
        return -1;
    set_directions(training->job.training.data, ret_features);
    return 0;
}

int training_begin_model(const struct training *training, const uint32_t *rows, size_t count,
                         struct model *model, struct err *err)
{
    const struct data_spec *data = training->job.training.data;
    model->target = mem_strdup(data->target);
    model->positive_label = mem_strdup(data->positive_label);
    model->id = data->id == NULL ? NULL : mem_strdup(data->id);
    return training_fit_features(training, rows, count, &model->features, err);
}

uint8_t *training_labels(const struct table *table, const uint32_t *rows, size_t count)
{
    uint8_t *labels = mem_zero(count, 1);
    for (size_t i = 0; i < count; i++)
        labels[i] = table->labels[rows[i]];
    return labels;
}

float *training_encode(const struct features *features, const struct table *table,
                       const uint32_t *rows, size_t count, enum features_use use, struct err *err)
{
    auto_free float *matrix = mem_zero(count * features->count, sizeof(*matrix));
    if (features_encode_rows(features, table, rows, count, use, matrix, err) < 0)
        return NULL;
    return TAKE(matrix);
}

uint32_t *training_all_rows(const struct table *table)
{
    uint32_t *rows = mem_zero(table->row_count, sizeof(*rows));
    for (size_t i = 0; i < table->row_count; i++)
        rows[i] = (uint32_t)i;
    return rows;
}
