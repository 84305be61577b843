/* weights.json: the saved form of linear.h. */
#include "ml/linear.h"

#include <math.h>

#include "base/fields.h"
#include "base/mem.h"

/* What one column looks like in the file; knots are left out when there are none. */
struct saved_column {
    double centre, scale, weight, missing_weight, missing_share;
    struct doubles knots, quantiles;
};
static const struct field saved_column_items[] = {
    FIELD(struct saved_column, centre, "centre", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_column, scale, "scale", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_column, weight, "weight", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_column, missing_weight, "missingWeight", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_column, missing_share, "missingShare", FIELD_DOUBLE, .fallback = "0"),
    FIELD(struct saved_column, knots, "knots", FIELD_DOUBLES, .maximum = LINEAR_KNOTS + 2),
    FIELD(struct saved_column, quantiles, "quantiles", FIELD_DOUBLES, .maximum = LINEAR_KNOTS + 2),
};
static const struct fields saved_column_fields = FIELDS(struct saved_column, saved_column_items);

struct saved_linear {
    double intercept;
    struct list columns;
};
static const struct field saved_linear_items[] = {
    FIELD(struct saved_linear, intercept, "intercept", FIELD_DOUBLE, .flags = FIELD_REQUIRED),
    FIELD(struct saved_linear, columns, "columns", FIELD_OBJECTS, .flags = FIELD_REQUIRED,
          .maximum = LINEAR_COLUMNS_MAXIMUM, .table = &saved_column_fields),
};
static const struct fields saved_linear_fields = FIELDS(struct saved_linear, saved_linear_items);

json_t *linear_to_json(const struct linear *linear)
{
    auto_free struct saved_column *columns = mem_zero(linear->column_count, sizeof(*columns));
    for (size_t i = 0; i < linear->column_count; i++) {
        const struct linear_column *column = &linear->columns[i];
        columns[i] = (struct saved_column){
            .centre = column->centre,
            .scale = column->scale,
            .weight = column->weight,
            .missing_weight = column->missing_weight,
            .missing_share = column->missing_share,
            .knots = { column->map.knots, column->map.count },
            .quantiles = { column->map.quantiles, column->map.count },
        };
    }
    const struct saved_linear saved = { linear->intercept, { columns, linear->column_count } };
    return fields_encode(&saved_linear_fields, &saved);
}

static int damaged(size_t column, const char *why, struct err *err)
{
    return err_reason(err, ERR_INVALID, "DataInvalid", "columns[%zu]: %s", column, why);
}

static double *copy_doubles(const struct doubles *source)
{
    double *copy = mem_zero(source->count, sizeof(*copy));
    if (source->count > 0)
        memcpy(copy, source->items, source->count * sizeof(*copy));
    return copy;
}

static int load_column(const struct saved_column *saved, size_t index,
                       struct linear_column *ret_column, struct err *err)
{
    if (!(saved->scale > 0))
        return damaged(index, "scale must be greater than 0", err);
    if (saved->knots.count != saved->quantiles.count)
        return damaged(index, "needs as many quantiles as knots", err);
    for (size_t i = 1; i < saved->knots.count; i++) {
        if (!(saved->knots.items[i - 1] < saved->knots.items[i]))
            return damaged(index, "knots must ascend", err);
    }
    *ret_column = (struct linear_column){
        .map = { copy_doubles(&saved->knots), copy_doubles(&saved->quantiles), saved->knots.count },
        .centre = saved->centre,
        .scale = saved->scale,
        .weight = saved->weight,
        .missing_weight = saved->missing_weight,
        .missing_share = saved->missing_share,
    };
    return 0;
}

int linear_from_json(const json_t *json, size_t columns, struct linear *ret_linear, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    struct saved_linear saved;
    if (fields_decode(json, &saved_linear_fields, "", &arena, &saved, err) < 0)
        return -1;
    if (saved.columns.count != columns)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "columns: %zu weights, but the model has %zu features",
                          saved.columns.count, columns);
    auto_linear struct linear linear = { .columns = mem_zero(columns, sizeof(*linear.columns)),
                                         .column_count = columns,
                                         .intercept = saved.intercept };
    const struct saved_column *items = saved.columns.items;
    for (size_t i = 0; i < columns; i++) {
        if (load_column(&items[i], i, &linear.columns[i], err) < 0)
            return -1;
    }
    *ret_linear = linear;
    linear = (struct linear){ 0 };
    return 0;
}
