/* features_json.c - features in model.json, which is untrusted when it is read. */
#include "base/fields.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ml/features_build.h"

struct source_json {
    const char *name;
    int type;
    struct strings levels;
    int64_t hot;
    bool other;
    struct doubles shares;
};

struct features_json {
    struct list sources;
};

static const struct field source_items[] = {
    FIELD(struct source_json, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY,
          .maximum = LIMIT_CSV_NAME),
    FIELD(struct source_json, type, "type", FIELD_ENUM, .flags = FIELD_REQUIRED,
          .names = value_type_names),
    FIELD(struct source_json, levels, "levels", FIELD_STRINGS, .maximum = LIMIT_MODEL_LEVELS),
    FIELD(struct source_json, hot, "hot", FIELD_INT, .fallback = "0", .maximum = FEATURES_LEVELS),
    FIELD(struct source_json, other, "other", FIELD_BOOL, .fallback = "false"),
    FIELD(struct source_json, shares, "shares", FIELD_DOUBLES, .maximum = LIMIT_MODEL_LEVELS),
};
static const struct fields source_fields = FIELDS(struct source_json, source_items);

static const struct field features_items[] = {
    FIELD(struct features_json, sources, "sources", FIELD_OBJECTS,
          .flags = FIELD_REQUIRED | FIELD_NONEMPTY, .maximum = LIMIT_CSV_COLUMNS,
          .table = &source_fields),
};
static const struct fields features_fields = FIELDS(struct features_json, features_items);

json_t *features_to_json(const struct features *features)
{
    auto_free struct source_json *sources = mem_zero(features->source_count, sizeof(*sources));
    struct features_json document = { { sources, features->source_count } };

    for (size_t i = 0; i < features->source_count; i++) {
        const struct feature_source *source = &features->sources[i];

        sources[i] = (struct source_json){
            .name = source->name,
            .type = (int)source->type,
            .levels = { (const char **)source->levels.texts, source->levels.count },
            .hot = source->hot_count,
            .other = source->has_other,
            .shares = { source->shares, source->shares ? source->levels.count + 1u : 0 },
        };
    }
    return fields_encode(&features_fields, &document);
}

static int fail(size_t index, const char *what, struct err *err)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", "features.sources[%zu].%s", index, what);
}

static int take_source(const struct source_json *json, size_t index, struct feature_source *source,
                       struct err *err)
{
    bool category = json->type == VALUE_CATEGORICAL;

    if (!category && (json->levels.count || json->hot || json->other || json->shares.count))
        return fail(index, "levels: only a Categorical column has levels", err);
    if ((size_t)json->hot > json->levels.count)
        return fail(index, "hot: more than there are levels", err);
    if (json->shares.count && json->shares.count != json->levels.count + 1)
        return fail(index, "shares: expected one per level and one more", err);
    source->name = mem_strdup(json->name);
    source->type = (enum value_type)json->type;
    source->hot_count = (uint32_t)json->hot;
    source->has_other = json->other;
    for (size_t i = 0; i < json->levels.count; i++)
        if (dictionary_add(&source->levels, span_of(json->levels.items[i])) != i)
            return fail(index, "levels: a level is there twice", err);
    if (json->shares.count) {
        source->shares = mem_zero(json->shares.count, sizeof(*source->shares));
        memcpy(source->shares, json->shares.items, json->shares.count * sizeof(*source->shares));
    }
    return 0;
}

int features_from_json(const json_t *json, struct features *ret_features, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_features struct features features = { 0 };
    struct features_json document;
    const struct source_json *sources;

    if (fields_decode(json, &features_fields, "features", &arena, &document, err))
        return -1;
    sources = document.sources.items;
    features.sources = mem_zero(document.sources.count, sizeof(*features.sources));
    for (size_t i = 0; i < document.sources.count; i++) {
        features.source_count = i + 1;
        if (take_source(&sources[i], i, &features.sources[i], err))
            return -1;
    }
    features_lay_out(&features);
    *ret_features = features;
    features = (struct features){ 0 };
    return 0;
}
