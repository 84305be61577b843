/* Goal: no worker waits for a slower one while there is room, memory stays bounded, and
 * the results come in the order of the file with the earliest failure. Method: a file that
 * counts the bytes it gave; the first block is not handed on before later ones were read. */
#include "bank.h"

#include "patience.h"
#include "scorer/load.h"
#include "scorer/pipeline.h"

#define THREADS   2
#define SLOTS     (2 * THREADS)
#define BLOCKS    12
#define ROW_BYTES 256 /* a block is 256 KiB, ... */
#define BLOCK     (BLOCK_ROWS * ROW_BYTES)
#define CHUNK     (64 * KIB) /* ... and the reader reads that much at once */

struct file {
    struct buf text;
    size_t header_length;
    struct byte_source source;
    pthread_mutex_t lock;
    pthread_cond_t read;
    size_t given; /* under lock */
    bool is_held; /* the first block waits for the fourth */
    size_t emitted;
    struct model model;
    struct csv_reader *reader;
    struct block_plan plan;
};

static int give(void *context, void *buffer, size_t capacity, size_t *ret_length, struct err *err)
{
    (void)err;
    struct file *file = context;
    pthread_mutex_lock(&file->lock);
    size_t rest = file->text.length - file->given;
    *ret_length = rest < capacity ? rest : capacity;
    memcpy(buffer, file->text.data + file->given, *ret_length);
    file->given += *ret_length;
    pthread_cond_signal(&file->read);
    pthread_mutex_unlock(&file->lock);
    return 0;
}

/* Rows of ROW_BYTES, as many as BLOCKS blocks have. */
static void file_init(struct file *file, struct arena *arena)
{
    struct model_source model = { .uri = bank_train(arena) };
    struct err err;
    *file = (struct file){ .lock = PTHREAD_MUTEX_INITIALIZER, .read = PTHREAD_COND_INITIALIZER };
    buf_init(&file->text, 16 * MIB);
    buf_string(&file->text, "id,age\n");
    file->header_length = file->text.length;
    for (int i = 0; i < BLOCKS * BLOCK_ROWS; i++)
        buf_format(&file->text, "%0*d,%d\n", ROW_BYTES - 4, i, 20 + i % 50);
    file->source = (struct byte_source){ give, file };
    if (load_model(NULL, &model, &file->model, &err))
        fail_msg("%s", err.message);
}

static void file_open(struct file *file)
{
    static const struct strings no_columns;
    struct err err;
    file->given = file->emitted = 0;
    csv_reader_free(file->reader);
    block_plan_release(&file->plan);
    file->reader = csv_reader_new("weekly.csv", &file->source, &err);
    assert_non_null(file->reader);
    assert_int_equal(
        block_plan_init(&file->plan, &file->model, file->reader, &no_columns, 0, 0.5, &err), 0);
    assert_int_equal(file->plan.rows, BLOCK_ROWS);
}

static void file_release(struct file *file)
{
    csv_reader_free(file->reader);
    block_plan_release(&file->plan);
    model_release(&file->model);
    buf_release(&file->text);
}

static size_t end_of_block(const struct file *file, size_t number)
{
    return file->header_length + (number + 1) * BLOCK;
}

/* The first block is not handed on before the last one that may wait behind it was read: another
 * worker has to do that. */
static bool wait_for_later_blocks(struct file *file)
{
    const struct timespec end = patience_end();
    bool is_time = true;
    while (file->given < end_of_block(file, SLOTS - 1) && is_time)
        is_time = patience_wait(&file->read, &file->lock, &end);
    return is_time;
}

/* Any worker may come here, so that what is wrong is returned, not asserted. */
static int take(void *context, const struct block *block, struct err *err)
{
    struct file *file = context;
    bool is_bounded, is_ahead = true;
    if (block->scored != BLOCK_ROWS || block->csv.first_line != 2 + file->emitted * BLOCK_ROWS)
        return err_set(err, ERR_INVALID, "block %zu begins in line %" PRIu64, file->emitted,
                       block->csv.first_line);
    pthread_mutex_lock(&file->lock);
    if (file->is_held && file->emitted == 0)
        is_ahead = wait_for_later_blocks(file);
    is_bounded = file->given <= end_of_block(file, file->emitted + SLOTS - 1) + CHUNK;
    pthread_mutex_unlock(&file->lock);
    if (!is_ahead)
        return err_set(err, ERR_INVALID, "block %d is not read while the first one is held",
                       SLOTS - 1);
    if (file->is_held && !is_bounded)
        return err_set(err, ERR_INVALID, "too much was read before block %zu", file->emitted);
    file->emitted++;
    return 0;
}

static int run_file(struct file *file, unsigned threads, struct err *err)
{
    static const volatile sig_atomic_t never;
    file_open(file);
    struct pipeline pipeline = { .reader = file->reader,
                                 .plan = &file->plan,
                                 .threads = threads,
                                 .emit = take,
                                 .context = file,
                                 .stop = &never };
    return pipeline_run(&pipeline, err);
}

static void later_blocks_are_scored_while_the_first_is_held(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct file file;
    struct err err;
    file_init(&file, &arena);
    file.is_held = true;
    if (run_file(&file, THREADS, &err))
        fail_msg("%s", err.message);
    assert_int_equal(file.emitted, BLOCKS);
    file_release(&file);
}

static void the_earliest_failure_wins(void **state)
{
    (void)state;
    auto_arena struct arena arena = { 0 };
    struct file file;
    file_init(&file, &arena);
    file.text.data[end_of_block(&file, 4) + 10] = '\0';           /* a failure to score */
    file.text.data[end_of_block(&file, 5) + 7 * ROW_BYTES] = '"'; /* and one to read    */
    for (unsigned threads = 1; threads <= THREADS; threads++) {
        for (int attempt = 0; attempt < 20; attempt++) {
            struct err err = { 0 };
            assert_int_equal(run_file(&file, threads, &err), -1);
            assert_non_null(strstr(err.message, "NUL"));
            assert_int_equal(file.emitted, 5);
        }
    }
    file_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_blocks_are_scored_while_the_first_is_held),
        cmocka_unit_test(the_earliest_failure_wins),
    };
    return cmocka_run_group_tests(tests, bank_set_up, bank_tear_down);
}
