/* table_infer.c - column types from the first rows. */
#include "ml/table_build.h"

#include "base/limits.h"
#include "base/mem.h"

#define WINDOW_BLOCK_RECORDS 1024
#define WINDOW_BYTES         (32 * MIB) /* files with very long rows get fewer of them */
#define NUMERIC_SHARE        0.9

void table_window_release(struct table_window *window)
{
    for (size_t i = 0; i < window->block_count; i++)
        csv_block_release(&window->blocks[i]);
    for (size_t i = 0; i < window->record_count; i++)
        free(window->records[i].cells);
    free(window->blocks);
    free(window->records);
    *window = (struct table_window){ 0 };
}

static void keep_record(struct table_window *window, const struct csv_record *record,
                        size_t cell_count)
{
    struct csv_record *kept = &window->records[window->record_count++];

    *kept = (struct csv_record){ record->line, mem_zero(cell_count, sizeof(*kept->cells)) };
    memcpy(kept->cells, record->cells, cell_count * sizeof(*kept->cells));
}

static int keep_block(struct table_builder *builder, struct table_window *window,
                      struct csv_block *block, struct err *err)
{
    for (;;) {
        enum csv_outcome outcome;
        struct csv_record record;
        struct row_fault fault;

        if (csv_next(block, &outcome, &record, &fault, err))
            return -1;
        if (outcome == CSV_END)
            return 0;
        if (outcome == CSV_FAULT)
            table_count_fault(builder, &fault);
        else
            keep_record(window, &record, builder->table.column_count);
    }
}

int table_window_read(struct table_builder *builder, struct table_window *window, struct err *err)
{
    size_t bytes = 0;
    bool any = true;

    window->records =
        mem_zero(TABLE_INFERENCE_ROWS + WINDOW_BLOCK_RECORDS, sizeof(*window->records));
    while (any && window->record_count < TABLE_INFERENCE_ROWS && bytes < WINDOW_BYTES) {
        struct csv_block *block;

        window->blocks =
            mem_resize(window->blocks, window->block_count + 1, sizeof(*window->blocks));
        block = &window->blocks[window->block_count++];
        *block = (struct csv_block){ 0 };
        if (csv_read_block(builder->reader, WINDOW_BLOCK_RECORDS, block, &any, err))
            return -1;
        if (any && keep_block(builder, window, block, err))
            return -1;
        bytes += block->capacity;
    }
    return 0;
}

static enum value_type infer(const struct table_window *window, size_t column)
{
    size_t values = 0, numbers = 0, words = 0, true_words = 0;

    for (size_t i = 0; i < window->record_count; i++) {
        struct span cell = window->records[i].cells[column];
        double number;
        enum cell_outcome outcome = cell_number(cell, &number);

        values += outcome != CELL_MISSING;
        numbers += outcome == CELL_VALUE;
        if (outcome != CELL_FAULT || !cell_is_boolean_word(cell))
            continue;
        words++;
        true_words += cell_boolean(cell, &number) == CELL_VALUE && number > 0;
    }
    if (words == values && true_words > 0 && true_words < words)
        return VALUE_BOOLEAN;
    /* A column without a single value is constant whatever it is called. */
    return (double)numbers >= NUMERIC_SHARE * (double)values ? VALUE_NUMERIC : VALUE_CATEGORICAL;
}

void table_infer_types(struct table_builder *builder, const struct table_window *window)
{
    for (size_t i = 0; i < builder->table.column_count; i++) {
        struct column *column = &builder->table.columns[i];
        bool overridden = false;

        for (size_t j = 0; j < builder->options->override_count; j++)
            if (strcmp(builder->options->overrides[j].name, column->name) == 0)
                overridden = true; /* set with the roles */
        if (column->role == ROLE_FEATURE && !overridden)
            column->type = infer(window, i);
    }
}
