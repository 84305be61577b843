/* table_check.c - is a complete table fit for training? */
#include <math.h>

#include "base/mem.h"
#include "ml/table_build.h"

#define IDLIKE_SHARE    0.5
#define DATES_SHARE     0.9 /* of the categories of a column */
#define VALUES_IN_ERROR 5   /* label values that a message lists */

/* "line 17: 12 fields, header has 13" or "line 17, Age: ..." */
static void describe_fault(const struct row_fault *fault, char *text, size_t size)
{
    snprintf(text, size, "line %" PRIu64 "%s%s: %s", fault->line, fault->column[0] ? ", " : "",
             fault->column, fault->why);
}

static int check_rows(struct table_builder *builder, struct err *err)
{
    struct table *table = &builder->table;
    char fault[512];

    if (builder->read == 0)
        return err_reason(err, ERR_INVALID, "DataInvalid", "%s has a header but no rows",
                          table->name);
    if (table->rejected == 0)
        return 0;
    describe_fault(&builder->first_fault, fault, sizeof(fault));
    if ((double)table->rejected > TABLE_TOLERATED_SHARE * (double)builder->read)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s %s (%zu of %" PRIu64 " rows are bad, at most %g %% are tolerated)",
                          table->name, fault, table->rejected, builder->read,
                          TABLE_TOLERATED_SHARE * 100);
    table_warn(table, "%s: %zu of %" PRIu64 " rows are bad and left out; the first: %s",
               table->name, table->rejected, builder->read, fault);
    return 0;
}

/* "No, Yes" */
static void list_labels(const struct dictionary *values, struct buf *out)
{
    for (uint32_t i = 0; i < values->count && i < VALUES_IN_ERROR; i++)
        buf_format(out, "%s%.40s", i ? ", " : "", values->texts[i]);
    if (values->count > VALUES_IN_ERROR)
        buf_string(out, ", ...");
}

static int check_labels(struct table_builder *builder, struct err *err)
{
    const struct table *table = &builder->table;
    const char *target = builder->options->target, *positive = builder->options->positive_label;
    uint32_t count = builder->label_values.count;
    auto_buf struct buf values;

    buf_init(&values, 512);
    list_labels(&builder->label_values, &values);
    if (count == 1)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: the target column %s has one class only: %s", table->name, target,
                          buf_text(&values));
    if (table->positives == 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: the positive label %s is not in the target column %s (it has %s)",
                          table->name, positive, target, buf_text(&values));
    if (count > 2)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s: the target column %s has %u values, expected two (it has %s)",
                          table->name, target, count, buf_text(&values));
    return 0;
}

/* The second of two rows with one id that comes first in the file, or none. */
static bool find_duplicate(const struct table *table, size_t *ret_first, size_t *ret_second)
{
    size_t slot_count = 16;
    auto_free uint32_t *slots = NULL;

    while (slot_count < table->row_count * 2)
        slot_count *= 2;
    slots = mem_zero(slot_count, sizeof(*slots));
    for (size_t row = 0; row < table->row_count; row++) {
        size_t slot = dictionary_hash(span_of(table_id(table, row)), 0) & (slot_count - 1);

        for (; slots[slot]; slot = (slot + 1) & (slot_count - 1))
            if (strcmp(table_id(table, slots[slot] - 1), table_id(table, row)) == 0) {
                *ret_first = slots[slot] - 1;
                *ret_second = row;
                return true;
            }
        slots[slot] = (uint32_t)row + 1;
    }
    return false;
}

static int check_ids(const struct table_builder *builder, struct err *err)
{
    const struct table *table = &builder->table;
    size_t first, second;

    if (!find_duplicate(table, &first, &second))
        return 0;
    return err_reason(err, ERR_INVALID, "DataInvalid",
                      "%s line %" PRIu64 ", %s: the id %.80s is there already, in line %" PRIu64,
                      table->name, table_line(table, second), builder->options->id,
                      table_id(table, second), table_line(table, first));
}

static bool is_constant(const struct column *column, size_t row_count)
{
    if (column->type == VALUE_CATEGORICAL)
        return column->levels.count < 2;
    double first = column_number(column, 0);
    for (size_t row = 1; row < row_count; row++) {
        double number = column_number(column, row);

        if (number != first && !(isnan(number) && isnan(first)))
            return false;
    }
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static bool is_numbering(const struct column *column, size_t row_count)
{
    auto_free double *sorted = mem_zero(row_count, sizeof(*sorted));

    for (size_t row = 0; row < row_count; row++) {
        sorted[row] = column_number(column, row);
        if (isnan(sorted[row]) || sorted[row] != floor(sorted[row]))
            return false;
    }
    qsort(sorted, row_count, sizeof(*sorted), compare_doubles);
    for (size_t row = 1; row < row_count; row++)
        if (sorted[row] == sorted[row - 1])
            return false;
    return true;
}

static bool is_idlike(const struct column *column, size_t row_count)
{
    if (row_count < TABLE_IDLIKE_ROWS)
        return false;
    if (column->type == VALUE_CATEGORICAL)
        return (double)column->levels.count > IDLIKE_SHARE * (double)row_count;
    return column->type == VALUE_NUMERIC && is_numbering(column, row_count);
}

static bool is_empty(const struct column *column, size_t row_count)
{
    if (column->type == VALUE_CATEGORICAL)
        return column->levels.count == 1 && dictionary_text(&column->levels, 0).length == 0;
    for (size_t row = 0; row < row_count; row++)
        if (!isnan(column_number(column, row)))
            return false;
    return true;
}

static bool is_overridden(const struct table_options *options, const char *name)
{
    for (size_t i = 0; i < options->override_count; i++)
        if (strcmp(options->overrides[i].name, name) == 0)
            return true;
    return false;
}

static bool has_dates(const struct column *column)
{
    size_t values = 0, dates = 0;

    if (column->type != VALUE_CATEGORICAL)
        return false;
    for (uint32_t code = 0; code < column->levels.count; code++) {
        struct span text = dictionary_text(&column->levels, code);

        values += text.length > 0;
        dates += cell_is_date(text);
    }
    return values > 0 && (double)dates >= DATES_SHARE * (double)values;
}

static void leave_out(struct table *table, struct column *column, const char *why)
{
    column->why = why;
    table_warn(table, "%s: column %s is left out: %s", table->name, column->name, why);
    column->role = ROLE_LEFT_OUT;
    packed_release(&column->values);
    dictionary_release(&column->levels);
}

static void leave_out_useless(struct table *table, const struct table_options *options)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct column *column = &table->columns[i];

        if (column->role != ROLE_FEATURE)
            continue;
        if (is_empty(column, table->row_count))
            leave_out(table, column, "it has no values");
        else if (is_constant(column, table->row_count))
            leave_out(table, column, "it has one value only");
        else if (has_dates(column) && !is_overridden(options, column->name))
            leave_out(table, column,
                      "it holds dates: give a number such as the days since then, or name its type "
                      "in data.columns");
        else if (is_idlike(column, table->row_count))
            leave_out(table, column, "almost every row has its own value, as in an id");
    }
}

static uint64_t hash_bytes(const void *bytes, size_t length, uint64_t key)
{
    return dictionary_hash((struct span){ bytes, length }, key);
}

/* Of what models see: a column that is left out would make copies look different. */
static void make_row_keys(struct table *table)
{
    table->row_keys = mem_zero(table->row_count, sizeof(*table->row_keys));
    for (size_t row = 0; row < table->row_count; row++) {
        uint64_t key = table->labels[row];

        for (size_t i = 0; i < table->column_count; i++) {
            const struct column *column = &table->columns[i];

            if (column->role != ROLE_FEATURE)
                continue;
            if (column->type == VALUE_CATEGORICAL) {
                uint32_t code = column_code(column, row);
                key = hash_bytes(&code, sizeof(code), key);
            } else {
                /* One NaN, one zero. */
                double number = column_number(column, row);
                number = isnan(number) ? INFINITY : number + 0.0;
                key = hash_bytes(&number, sizeof(number), key);
            }
        }
        table->row_keys[row] = key;
    }
}

int table_check(struct table_builder *builder, struct err *err)
{
    if (check_rows(builder, err) || check_labels(builder, err) || check_ids(builder, err))
        return -1;
    leave_out_useless(&builder->table, builder->options);
    make_row_keys(&builder->table);
    return 0;
}
