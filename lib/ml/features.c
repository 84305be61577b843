/* features.c - encoding of tables and records by fitted features. */
#include "ml/features.h"

#include <math.h>

#include "base/mem.h"
#include "ml/features_build.h"

void features_release(struct features *features)
{
    for (size_t i = 0; i < features->source_count; i++) {
        free(features->sources[i].name);
        free(features->sources[i].shares);
        dictionary_release(&features->sources[i].levels);
    }
    for (size_t i = 0; i < features->count; i++)
        free(features->items[i].name);
    free(features->sources);
    free(features->items);
    *features = (struct features){ 0 };
}

static void name_item(struct features *features, size_t *position, size_t source, char *take_name)
{
    features->items[*position] = (struct feature){ .name = take_name, .source = source };
    (*position)++;
}

static void name_items(struct features *features, size_t index)
{
    struct feature_source *source = &features->sources[index];
    size_t position = source->first_feature;

    if (source->type != VALUE_CATEGORICAL) {
        name_item(features, &position, index, mem_strdup(source->name));
        return;
    }
    for (uint32_t level = 0; level < source->hot_count; level++)
        name_item(
            features, &position, index,
            mem_format("%s=%s", source->name,
                       source->levels.texts[level][0] ? source->levels.texts[level] : "(missing)"));
    if (source->has_other)
        name_item(features, &position, index, mem_format("%s=(other)", source->name));
    if (source->shares)
        name_item(features, &position, index, mem_format("%s (share)", source->name));
}

void features_lay_out(struct features *features)
{
    features->count = 0;
    for (size_t i = 0; i < features->source_count; i++) {
        struct feature_source *source = &features->sources[i];

        source->first_feature = features->count;
        source->feature_count =
            source->type == VALUE_CATEGORICAL
                ? source->hot_count + (source->has_other ? 1u : 0u) + (source->shares ? 1u : 0u)
                : 1u;
        features->count += source->feature_count;
    }
    features->items = mem_zero(features->count, sizeof(*features->items));
    for (size_t i = 0; i < features->source_count; i++)
        name_items(features, i);
}

int8_t *features_monotone(const struct features *features)
{
    auto_free int8_t *directions = mem_zero(features->count, sizeof(*directions));
    bool any = false;

    for (size_t i = 0; i < features->count; i++) {
        directions[i] = features->sources[features->items[i].source].monotone;
        any |= directions[i] != 0;
    }
    return any ? TAKE(directions) : NULL;
}

/* --- encoding --------------------------------------------------------------- */

/* `share` is given apart because training rows have one of their own. */
static void encode_category(const struct feature_source *source, uint32_t level, double share,
                            float *ret_features)
{
    size_t position = source->hot_count;

    memset(ret_features, 0, position * sizeof(*ret_features));
    if (level < source->hot_count)
        ret_features[level] = 1;
    if (source->has_other)
        ret_features[position++] = level >= source->hot_count;
    if (source->shares)
        ret_features[position] = (float)share;
}

/* Models compute with floats; what is too large for one stays the largest. */
static float encode_number(double number)
{
    if (number > FEATURES_LARGEST)
        return FEATURES_LARGEST;
    return number < -FEATURES_LARGEST ? -FEATURES_LARGEST : (float)number;
}

void features_encode(const struct features *features, const double *values, float *ret_row)
{
    for (size_t i = 0; i < features->source_count; i++) {
        const struct feature_source *source = &features->sources[i];

        if (source->type == VALUE_CATEGORICAL) {
            uint32_t level = (uint32_t)values[i];
            encode_category(source, level, source->shares ? source->shares[level] : 0,
                            ret_row + source->first_feature);
        } else {
            ret_row[source->first_feature] = encode_number(values[i]);
        }
    }
}

/* --- records ---------------------------------------------------------------- */

int features_match(const struct features *features, const struct csv_reader *reader,
                   size_t **ret_cells, struct err *err)
{
    auto_free size_t *cells = mem_zero(features->source_count, sizeof(*cells));

    for (size_t i = 0; i < features->source_count; i++)
        if (csv_find(reader, span_of(features->sources[i].name), &cells[i], err))
            return -1;
    *ret_cells = TAKE(cells);
    return 0;
}

bool features_decode(const struct features *features, const size_t *cells,
                     const struct csv_record *record, double *ret_values,
                     struct row_fault *ret_fault, uint64_t *unseen)
{
    for (size_t i = 0; i < features->source_count; i++) {
        const struct feature_source *source = &features->sources[i];
        struct span cell = record->cells[cells[i]];
        enum cell_outcome outcome = CELL_VALUE;

        if (source->type == VALUE_CATEGORICAL) {
            uint32_t level = dictionary_find_roomy(&source->levels, cell_category(cell));

            *unseen += level == DICTIONARY_NONE && !source->has_other;
            ret_values[i] = level == DICTIONARY_NONE ? source->levels.count : level;
        } else {
            outcome = source->type == VALUE_NUMERIC ? cell_number(cell, &ret_values[i])
                                                    : cell_boolean(cell, &ret_values[i]);
        }
        if (outcome == CELL_FAULT) {
            cell_fault(record->line, source->name, cell, source->type, ret_fault);
            return false;
        }
    }
    return true;
}
