/* drift_json.c - distributions in model.json, which is untrusted when it is read. */
#include "base/fields.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ml/drift.h"

#define EXPECTED_MAXIMUM ((double)(1ll << 53)) /* counts are JSON numbers */

struct column_json {
    const char *name;
    int type;
    struct doubles edges, expected;
};

struct drift_json {
    struct list columns;
};

static const struct field column_items[] = {
    FIELD(struct column_json, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED | FIELD_NONEMPTY,
          .maximum = LIMIT_CSV_NAME),
    FIELD(struct column_json, type, "type", FIELD_ENUM, .flags = FIELD_REQUIRED,
          .names = value_type_names),
    FIELD(struct column_json, edges, "edges", FIELD_DOUBLES, .maximum = DRIFT_BINS),
    FIELD(struct column_json, expected, "expected", FIELD_DOUBLES,
          .flags = FIELD_REQUIRED | FIELD_NONEMPTY, .maximum = FEATURES_LEVELS + 1),
};
static const struct fields column_fields = FIELDS(struct column_json, column_items);

static const struct field drift_items[] = {
    FIELD(struct drift_json, columns, "columns", FIELD_OBJECTS, .flags = FIELD_REQUIRED,
          .maximum = LIMIT_CSV_COLUMNS + 1, .table = &column_fields),
};
static const struct fields drift_fields = FIELDS(struct drift_json, drift_items);

json_t *drift_to_json(const struct drift *drift)
{
    auto_arena struct arena arena = { 0 };
    struct column_json *columns = arena_zero(&arena, drift->count, sizeof(*columns));
    struct drift_json document = { { columns, drift->count } };

    for (size_t i = 0; i < drift->count; i++) {
        const struct drift_column *column = &drift->columns[i];
        double *expected = arena_zero(&arena, column->bin_count, sizeof(*expected));

        for (size_t bin = 0; bin < column->bin_count; bin++)
            expected[bin] = (double)column->expected[bin];
        columns[i] = (struct column_json){ .name = column->name,
                                           .type = (int)column->type,
                                           .edges = { column->edges, column->edge_count },
                                           .expected = { expected, column->bin_count } };
    }
    return fields_encode(&drift_fields, &document);
}

static int fail(size_t index, const char *what, struct err *err)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", "drift.columns[%zu].%s", index, what);
}

static int take_column(const struct column_json *json, size_t index, const char *name,
                       enum value_type type, size_t bin_count, struct drift_column *column,
                       struct err *err)
{
    if (strcmp(json->name, name) != 0 || json->type != (int)type)
        return fail(index, "name: not the column of the features", err);
    if (json->expected.count != bin_count)
        return fail(index, "expected: another number of bins", err);
    for (size_t i = 1; i < json->edges.count; i++)
        if (!(json->edges.items[i] > json->edges.items[i - 1]))
            return fail(index, "edges: must ascend", err);
    column->name = mem_strdup(name);
    column->type = type;
    column->edge_count = json->edges.count;
    column->edges = mem_zero(json->edges.count, sizeof(*column->edges));
    if (json->edges.count)
        memcpy(column->edges, json->edges.items, json->edges.count * sizeof(*column->edges));
    column->bin_count = bin_count;
    column->expected = mem_zero(bin_count, sizeof(*column->expected));
    for (size_t bin = 0; bin < bin_count; bin++) {
        double count = json->expected.items[bin];

        if (!(count >= 0 && count <= EXPECTED_MAXIMUM))
            return fail(index, "expected: must be counts", err);
        column->expected[bin] = (uint64_t)count;
    }
    return 0;
}

int drift_from_json(const json_t *json, const struct features *features, struct drift *ret_drift,
                    struct err *err)
{
    auto_arena struct arena arena = { 0 };
    auto_drift struct drift drift = { 0 };
    struct drift_json document;
    const struct column_json *columns;

    if (fields_decode(json, &drift_fields, "drift", &arena, &document, err))
        return -1;
    columns = document.columns.items;
    if (document.columns.count != features->source_count + 1)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "drift.columns: expected %zu columns, one per source and the score",
                          features->source_count + 1);
    drift.columns = mem_zero(document.columns.count, sizeof(*drift.columns));
    for (size_t i = 0; i < document.columns.count; i++) {
        const struct feature_source *source =
            i < features->source_count ? &features->sources[i] : NULL;
        enum value_type type = source ? source->type : VALUE_NUMERIC;
        size_t bins =
            type == VALUE_CATEGORICAL ? source->hot_count + 1u : columns[i].edges.count + 2;

        drift.count = i + 1;
        if (take_column(&columns[i], i, source ? source->name : "score", type, bins,
                        &drift.columns[i], err))
            return -1;
        drift.bin_total += bins;
    }
    *ret_drift = drift;
    drift = (struct drift){ 0 };
    return 0;
}
