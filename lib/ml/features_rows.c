/* features_rows.c - encoding of rows of a table. */
#include "base/mem.h"
#include "ml/features_build.h"

/* A source of features in a table: the column, and for a category the level of
 * each of its codes. */
struct binding {
    const struct column *column;
    uint32_t *levels;
    double *inner_shares; /* of training rows, level by level (features_inner_shares()); or NULL */
};

struct row_encoder {
    const struct features *features;
    const struct table *table;
    const uint32_t *rows;
    struct binding *bindings; /* of each source */
};

void row_encoder_free(struct row_encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; i < encoder->features->source_count; i++) {
        free(encoder->bindings[i].levels);
        free(encoder->bindings[i].inner_shares);
    }
    free(encoder->bindings);
    free(encoder);
}

void row_encoder_cleanup(struct row_encoder **encoder)
{
    row_encoder_free(*encoder);
}

static int bind(const struct feature_source *source, const struct table *table,
                struct binding *ret_binding, struct err *err)
{
    const struct column *column = table_column(table, source->name);

    if (!column || column->role != ROLE_FEATURE)
        return err_reason(err, ERR_INVALID, "DataInvalid", "%s has no usable column %s",
                          table->name, source->name);
    if (column->type != source->type)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: column %s is %s, the model was trained with %s", table->name,
                          source->name, value_type_names[column->type],
                          value_type_names[source->type]);
    ret_binding->column = column;
    if (source->type != VALUE_CATEGORICAL)
        return 0;
    ret_binding->levels = mem_zero(column->levels.count, sizeof(*ret_binding->levels));
    for (uint32_t code = 0; code < column->levels.count; code++) {
        uint32_t level = dictionary_find(&source->levels, dictionary_text(&column->levels, code));

        ret_binding->levels[code] = level == DICTIONARY_NONE ? source->levels.count : level;
    }
    return 0;
}

struct row_encoder *row_encoder_new(const struct features *features, const struct table *table,
                                    const uint32_t *rows, size_t row_count, enum features_use use,
                                    struct err *err)
{
    auto_row_encoder struct row_encoder *encoder = mem_zero(1, sizeof(*encoder));

    *encoder = (struct row_encoder){ features, table, rows,
                                     mem_zero(features->source_count, sizeof(struct binding)) };
    for (size_t i = 0; i < features->source_count; i++) {
        const struct feature_source *source = &features->sources[i];
        struct binding *binding = &encoder->bindings[i];

        if (bind(source, table, binding, err))
            return NULL;
        if (use == FEATURES_TRAINING && source->shares)
            binding->inner_shares = features_inner_shares(source, binding->column, binding->levels,
                                                          table, rows, row_count);
    }
    return TAKE(encoder);
}

/* The values of one row, by source. */
static void decode(const struct row_encoder *encoder, uint32_t row, double *ret_values)
{
    for (size_t i = 0; i < encoder->features->source_count; i++) {
        const struct binding *binding = &encoder->bindings[i];

        ret_values[i] = binding->levels ? binding->levels[column_code(binding->column, row)]
                                        : column_number(binding->column, row);
    }
}

void row_encoder_encode(const struct row_encoder *encoder, size_t first, size_t count,
                        float *ret_matrix)
{
    const struct features *features = encoder->features;
    auto_free double *values = mem_zero(features->source_count, sizeof(*values));

    for (size_t i = 0; i < count; i++) {
        uint32_t row = encoder->rows[first + i];
        float *encoded = ret_matrix + i * features->count;

        decode(encoder, row, values);
        features_encode(features, values, encoded);
        for (size_t j = 0; j < features->source_count; j++) {
            const struct feature_source *source = &features->sources[j];

            /* unknown levels have the overall share, in scoring as here */
            if (encoder->bindings[j].inner_shares && (uint32_t)values[j] < source->levels.count)
                encoded[source->first_feature + source->feature_count - 1] =
                    (float)encoder->bindings[j]
                        .inner_shares[(size_t)values[j] * FEATURES_INNER_FOLDS +
                                      features_inner_fold(encoder->table, row)];
        }
    }
}

int features_decode_rows(const struct features *features, const struct table *table,
                         const uint32_t *rows, size_t row_count, double *ret_values,
                         struct err *err)
{
    auto_row_encoder struct row_encoder *encoder =
        row_encoder_new(features, table, rows, row_count, FEATURES_SCORING, err);

    if (!encoder)
        return -1;
    for (size_t i = 0; i < row_count; i++)
        decode(encoder, rows[i], ret_values + i * features->source_count);
    return 0;
}

int features_encode_rows(const struct features *features, const struct table *table,
                         const uint32_t *rows, size_t row_count, enum features_use use,
                         float *ret_matrix, struct err *err)
{
    auto_row_encoder struct row_encoder *encoder =
        row_encoder_new(features, table, rows, row_count, use, err);

    if (!encoder)
        return -1;
    row_encoder_encode(encoder, 0, row_count, ret_matrix);
    return 0;
}
