/* Ingest: find, read, hash and check the history file. */
#include "trainer/training.h"

#include "trainer/guards.h"

struct ingest {
    const struct training *training;
    const struct history_reader *reader;
};

static void update_progress(void *context, uint64_t rows)
{
    const struct ingest *ingest = context;
    if (ingest->training->progress != NULL)
        ingest->training->progress(
            ingest->training->progress_context,
            atomic_load_explicit(&ingest->reader->read, memory_order_relaxed), ingest->reader->size,
            rows);
}

static int read_table(struct training *training, struct history_reader *reader, struct err *err)
{
    struct ingest ingest = { training, reader };
    const struct data_spec *data = training->job.training.data;
    const struct column_override *columns = data->columns.items;
    auto_free struct type_override *overrides = mem_zero(data->columns.count, sizeof(*overrides));
    for (size_t i = 0; i < data->columns.count; i++) /* both enums have one order */
        overrides[i] = (struct type_override){ columns[i].name, (enum value_type)columns[i].type };
    struct table_options options = { .target = data->target,
                                     .positive_label = data->positive_label,
                                     .id = data->id,
                                     .drop = data->drop,
                                     .sensitive = data->sensitive,
                                     .overrides = overrides,
                                     .override_count = data->columns.count,
                                     .progress = update_progress,
                                     .progress_context = &ingest };
    return table_read(training->history.name, history_reader_source(reader), &options,
                      &training->table, err);
}

static int read_history(struct training *training, struct err *err)
{
    struct history *history = &training->history;
    /* What was chosen is the original, not the copy of an earlier stage. */
    const char *generation =
        history->copy_uri == NULL ? training->job.training.data->generation : NULL;
    auto_history_reader struct history_reader reader = { 0 };
    if (history_reader_init(&reader, history, training->stores, generation, err) < 0 ||
        read_table(training, &reader, err) < 0)
        return -1;
    return history_reader_finish(&reader, history->sha256, err);
}

int stage_ingest(struct training *training, struct err *err)
{
    const char *uri = training->job.training.data->uri;
    if (history_locate(&training->history, training->stores, uri, &training->arena, err) < 0 ||
        read_history(training, err) < 0)
        return -1;
    for (size_t i = 0; i < training->table.warning_count; i++)
        training_warn(training, "%s", training->table.warnings[i]);
    if (guard_size(training, err) < 0 || guard_rows(training, err) < 0)
        return -1;
    guard_leaks(training);
    return 0;
}
