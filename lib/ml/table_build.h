/* table_build.h - what the parts of table_read() share; nobody else includes it. */
#pragma once

#include "ml/csv.h"
#include "ml/table.h"

/* A table while it grows. Labels have room for `capacity` rows. */
struct table_builder {
    struct table table;
    const struct table_options *options;
    struct csv_reader *reader;
    size_t id_column, target_column; /* id: SIZE_MAX without one */
    double *numbers;                 /* of the row that is being added, by column */
    size_t capacity, id_text_length, id_text_capacity;
    struct dictionary label_values;
    uint64_t read; /* rows, good and bad */
    struct row_fault first_fault;
};

/* The first rows of the file, kept as they are until types are known. */
struct table_window {
    struct csv_block *blocks;
    size_t block_count;
    struct csv_record *records;
    size_t record_count;
};
void table_window_release(struct table_window *window);

/* Reads the window; bad rows are counted in the builder. */
int table_window_read(struct table_builder *builder, struct table_window *window, struct err *err)
    __attribute__((warn_unused_result));

/* Sets the type of every feature column by the window. */
void table_infer_types(struct table_builder *builder, const struct table_window *window);

void table_count_fault(struct table_builder *builder, const struct row_fault *fault);
void table_warn(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The checks of a complete table: number of rows and bad rows, labels, ids; then
 * leaves useless columns out. */
int table_check(struct table_builder *builder, struct err *err) __attribute__((warn_unused_result));
