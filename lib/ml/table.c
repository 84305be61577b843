/* table.c - reading a training file into columns. */
#include "ml/table.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "ml/table_build.h"

#define FIRST_CAPACITY 1024
#define TABLE_WARNING  1024 /* bytes of one sentence */
#define PROGRESS_ROWS  1000 /* between two calls of options->progress */

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].name);
        packed_release(&table->columns[i].values);
        dictionary_release(&table->columns[i].levels);
    }
    for (size_t i = 0; i < table->grouping_count; i++) {
        packed_release(&table->groupings[i].codes);
        dictionary_release(&table->groupings[i].levels);
    }
    for (size_t i = 0; i < table->warning_count; i++)
        free(table->warnings[i]);
    free(table->groupings);
    free(table->warnings);
    free(table->columns);
    free(table->name);
    free(table->labels);
    packed_release(&table->lines);
    free(table->row_keys);
    free(table->id_text);
    packed_release(&table->id_offsets);
    *table = (struct table){ 0 };
}

static void builder_release(struct table_builder *builder)
{
    table_release(&builder->table);
    csv_reader_free(builder->reader);
    free(builder->numbers);
    dictionary_release(&builder->label_values);
}

void table_warn(struct table *table, const char *format, ...)
{
    va_list arguments;
    char sentence[TABLE_WARNING];

    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    utf8_one_line(sentence, strlen(sentence)); /* column names may hold anything */
    table->warnings =
        mem_resize(table->warnings, table->warning_count + 1, sizeof(*table->warnings));
    table->warnings[table->warning_count++] = mem_strdup(sentence);
}

void table_count_fault(struct table_builder *builder, const struct row_fault *fault)
{
    if (builder->table.rejected == 0 || fault->line < builder->first_fault.line)
        builder->first_fault = *fault;
    builder->table.rejected++;
    builder->read++;
}

/* --- columns and their roles ------------------------------------------------ */

/* The column that a member of the job names; the error says which member. */
static int find_column(struct table_builder *builder, const char *member, const char *name,
                       size_t *ret_index, struct err *err)
{
    if (csv_find(builder->reader, span_of(name), ret_index, err))
        return err_wrap(err, "%s", member);
    return 0;
}

static int make_groupings(struct table_builder *builder, struct err *err)
{
    const struct strings *names = &builder->options->sensitive;
    struct table *table = &builder->table;

    table->groupings = mem_zero(names->count, sizeof(*table->groupings));
    table->grouping_count = names->count;
    for (size_t i = 0; i < names->count; i++)
        if (find_column(builder, "data.sensitive", names->items[i], &table->groupings[i].column,
                        err))
            return -1;
    return 0;
}

static int set_roles(struct table_builder *builder, struct err *err)
{
    const struct table_options *options = builder->options;
    struct column *columns = builder->table.columns;
    size_t index;

    for (size_t i = 0; i < options->drop.count; i++) {
        if (find_column(builder, "data.drop", options->drop.items[i], &index, err))
            return -1;
        columns[index].role = ROLE_DROPPED;
    }
    for (size_t i = 0; i < options->override_count; i++) {
        if (find_column(builder, "data.columns", options->overrides[i].name, &index, err))
            return -1;
        columns[index].type = options->overrides[i].type;
    }
    if (find_column(builder, "data.target", options->target, &builder->target_column, err))
        return -1;
    columns[builder->target_column].role = ROLE_TARGET;
    builder->id_column = SIZE_MAX;
    if (!options->id)
        return 0;
    if (find_column(builder, "data.id", options->id, &builder->id_column, err))
        return -1;
    columns[builder->id_column].role = ROLE_ID;
    return 0;
}

static void make_columns(struct table_builder *builder)
{
    const struct csv_header *header = csv_header(builder->reader);
    struct table *table = &builder->table;

    table->name = mem_strdup(csv_name(builder->reader));
    table->columns = mem_zero(header->count, sizeof(*table->columns));
    table->column_count = header->count;
    builder->numbers = mem_zero(header->count, sizeof(*builder->numbers));
    for (size_t i = 0; i < header->count; i++)
        table->columns[i].name = mem_strndup(header->names[i].data, header->names[i].length);
}

/* --- rows ------------------------------------------------------------------- */

static void grow(struct table_builder *builder)
{
    builder->capacity = builder->capacity ? builder->capacity * 2 : FIRST_CAPACITY;
    builder->table.labels = mem_resize(builder->table.labels, builder->capacity, 1);
}

static void add_id(struct table_builder *builder, struct span id, uint64_t line)
{
    struct table *table = &builder->table;
    char line_text[24];

    if (builder->id_column == SIZE_MAX) {
        int length = snprintf(line_text, sizeof(line_text), "%" PRIu64, line);
        id = (struct span){ line_text, (size_t)length };
    }
    if (builder->id_text_length + id.length + 1 > builder->id_text_capacity) {
        builder->id_text_capacity = (builder->id_text_length + id.length + 1) * 2;
        table->id_text = mem_resize(table->id_text, builder->id_text_capacity, 1);
    }
    packed_add(&table->id_offsets, (double)builder->id_text_length);
    memcpy(table->id_text + builder->id_text_length, id.data, id.length);
    builder->id_text_length += id.length;
    table->id_text[builder->id_text_length++] = '\0';
}

static bool blank_fault(const struct csv_record *record, const char *column, const char *why,
                        struct row_fault *ret_fault)
{
    *ret_fault = (struct row_fault){ .line = record->line };
    snprintf(ret_fault->column, sizeof(ret_fault->column), "%s", column);
    snprintf(ret_fault->why, sizeof(ret_fault->why), "%s", why);
    return false;
}

static bool has_numbers(const struct column *column)
{
    return column->role == ROLE_FEATURE && column->type != VALUE_CATEGORICAL;
}

/* The numbers and booleans of a row that is only added when all are good. */
static bool read_numbers(struct table_builder *builder, const struct csv_record *record,
                         struct row_fault *ret_fault)
{
    const struct table *table = &builder->table;

    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        double *number = &builder->numbers[i];

        if (has_numbers(column) && (column->type == VALUE_NUMERIC
                                        ? cell_number(record->cells[i], number)
                                        : cell_boolean(record->cells[i], number)) == CELL_FAULT) {
            cell_fault(record->line, column->name, record->cells[i], column->type, ret_fault);
            return false;
        }
    }
    return true;
}

/* After read_numbers(), so that bad rows add no levels. */
static void add_values(struct table_builder *builder, const struct csv_record *record)
{
    struct table *table = &builder->table;

    for (size_t i = 0; i < table->column_count; i++) {
        struct column *column = &table->columns[i];

        if (has_numbers(column))
            packed_add(&column->values, builder->numbers[i]);
        else if (column->role == ROLE_FEATURE)
            packed_add(&column->values,
                       dictionary_add(&column->levels, cell_category(record->cells[i])));
    }
    for (size_t i = 0; i < table->grouping_count; i++) {
        struct grouping *grouping = &table->groupings[i];

        packed_add(
            &grouping->codes,
            dictionary_add(&grouping->levels, cell_category(record->cells[grouping->column])));
    }
}

static bool add_record(struct table_builder *builder, const struct csv_record *record,
                       struct row_fault *ret_fault)
{
    struct table *table = &builder->table;
    struct span label = span_trim(record->cells[builder->target_column]);
    struct span id = { NULL, 0 };

    if (builder->id_column != SIZE_MAX) {
        id = span_trim(record->cells[builder->id_column]);
        if (id.length == 0)
            return blank_fault(record, builder->options->id, "the id is blank", ret_fault);
    }
    if (label.length == 0)
        return blank_fault(record, builder->options->target, "the label is blank", ret_fault);
    if (!read_numbers(builder, record, ret_fault))
        return false;
    add_values(builder, record);
    add_id(builder, id, record->line);
    (void)dictionary_add(&builder->label_values, label);
    table->labels[table->row_count] = span_equals(label, builder->options->positive_label);
    table->positives += table->labels[table->row_count];
    packed_add(&table->lines, (double)record->line);
    table->row_count++;
    return true;
}

static void tell_progress(const struct table_builder *builder)
{
    if (builder->options->progress && builder->read % PROGRESS_ROWS == 0)
        builder->options->progress(builder->options->progress_context, builder->read);
}

static int take_record(struct table_builder *builder, const struct csv_record *record,
                       struct err *err)
{
    struct row_fault fault;

    if (builder->table.row_count == UINT32_MAX - 1)
        return err_reason(err, ERR_TOO_BIG, "DataInvalid", "%s has more than %u rows",
                          builder->table.name, UINT32_MAX - 1);
    if (builder->table.row_count == builder->capacity)
        grow(builder);
    if (add_record(builder, record, &fault))
        builder->read++;
    else
        table_count_fault(builder, &fault);
    tell_progress(builder);
    return 0;
}

static int read_window(struct table_builder *builder, struct err *err)
{
    struct table_window window __attribute__((cleanup(table_window_release))) = { 0 };

    if (table_window_read(builder, &window, err))
        return -1;
    table_infer_types(builder, &window);
    for (size_t i = 0; i < window.record_count; i++)
        if (take_record(builder, &window.records[i], err))
            return -1;
    return 0;
}

static int read_rest(struct table_builder *builder, struct err *err)
{
    for (;;) {
        enum csv_outcome outcome;
        struct csv_record record;
        struct row_fault fault;

        if (csv_read(builder->reader, &outcome, &record, &fault, err))
            return -1;
        if (outcome == CSV_END)
            return 0;
        if (outcome == CSV_FAULT)
            table_count_fault(builder, &fault);
        else if (take_record(builder, &record, err))
            return -1;
    }
}

int table_read(const char *name, const struct byte_source *source,
               const struct table_options *options, struct table *ret_table, struct err *err)
{
    struct table_builder builder __attribute__((cleanup(builder_release))) = { .options = options };

    builder.reader = csv_reader_new(name, source, err);
    if (!builder.reader)
        return -1;
    make_columns(&builder);
    if (make_groupings(&builder, err) || set_roles(&builder, err) || read_window(&builder, err) ||
        read_rest(&builder, err) || table_check(&builder, err))
        return -1;
    *ret_table = builder.table;
    builder.table = (struct table){ 0 };
    return 0;
}

const char *table_id(const struct table *table, size_t row)
{
    return table->id_text + (size_t)packed_get(&table->id_offsets, row);
}

size_t table_bytes(const struct table *table)
{
    size_t rows = table->row_count;
    size_t bytes = rows * (sizeof(*table->labels) + sizeof(*table->row_keys)) +
                   packed_bytes(&table->lines) + packed_bytes(&table->id_offsets);

    for (size_t i = 0; i < table->column_count; i++)
        bytes += packed_bytes(&table->columns[i].values);
    for (size_t i = 0; i < table->grouping_count; i++)
        bytes += packed_bytes(&table->groupings[i].codes);
    if (rows == 0)
        return bytes;
    const char *last = table_id(table, rows - 1); /* ids lie one behind the other */
    return bytes + (size_t)(last - table->id_text) + strlen(last) + 1;
}

const struct column *table_column(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}
