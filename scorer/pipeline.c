#include "scorer/pipeline.h"

#include <pthread.h>

#include "base/mem.h"

struct shared {
    const struct pipeline *pipeline;
    pthread_mutex_t input;
    bool input_ended;   /* under input */
    uint64_t next_read; /* under input: number of the next block */
    pthread_mutex_t output;
    pthread_cond_t turn;
    uint64_t next_emitted; /* under output */
    bool failed;           /* under output */
    struct err err;        /* under output */
};

struct worker {
    struct shared *shared;
    struct block block;
    pthread_t thread;
};

static int read_block(const struct pipeline *pipeline, struct block *block, bool *ret_any,
                      struct err *err)
{
    if (*pipeline->stop)
        return err_reason(err, ERR_CANCELED, "Terminated", "stopped by a signal");
    return csv_read_block(pipeline->reader, pipeline->plan->rows, &block->csv, ret_any, err);
}

/* The next block and its number. False at the end; a failure to read has a number
 * too, so that it is reported after what was read before it. */
static bool take_block(struct worker *worker, uint64_t *ret_number, int *ret_outcome,
                       struct err *err)
{
    struct shared *shared = worker->shared;
    bool any = false, ended;

    pthread_mutex_lock(&shared->input);
    ended = shared->input_ended;
    *ret_outcome = 0;
    if (!ended) {
        *ret_outcome = read_block(shared->pipeline, &worker->block, &any, err);
        ended = *ret_outcome == 0 && !any;
        shared->input_ended = *ret_outcome != 0 || ended;
        if (!ended)
            *ret_number = shared->next_read++;
    }
    pthread_mutex_unlock(&shared->input);
    return !ended;
}

static void stop_reading(struct shared *shared)
{
    pthread_mutex_lock(&shared->input);
    shared->input_ended = true;
    pthread_mutex_unlock(&shared->input);
}

/* Waits for the turn of block `number` and hands it on. */
static void emit_in_turn(struct worker *worker, uint64_t number, int outcome,
                         const struct err *failure)
{
    struct shared *shared = worker->shared;
    bool failed;

    pthread_mutex_lock(&shared->output);
    while (shared->next_emitted != number)
        pthread_cond_wait(&shared->turn, &shared->output);
    if (!shared->failed && outcome != 0) {
        shared->failed = true;
        shared->err = *failure;
    } else if (!shared->failed) {
        shared->failed =
            shared->pipeline->emit(shared->pipeline->context, &worker->block, &shared->err) != 0;
    }
    failed = shared->failed;
    shared->next_emitted++;
    pthread_cond_broadcast(&shared->turn);
    pthread_mutex_unlock(&shared->output);
    if (failed)
        stop_reading(shared);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct err err;
    uint64_t number;
    int outcome;

    while (take_block(worker, &number, &outcome, &err)) {
        if (outcome == 0)
            outcome = block_score(&worker->block, &err);
        emit_in_turn(worker, number, outcome, &err);
    }
    return NULL;
}

/* The calling thread is a worker too. Fewer threads than asked for are no error:
 * the result is the same. */
static void run_workers(struct worker *workers, unsigned count)
{
    unsigned started = 1;

    while (started < count &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    while (started-- > 1)
        pthread_join(workers[started].thread, NULL);
}

int pipeline_run(const struct pipeline *pipeline, struct err *err)
{
    struct shared shared = { .pipeline = pipeline,
                             .input = PTHREAD_MUTEX_INITIALIZER,
                             .output = PTHREAD_MUTEX_INITIALIZER,
                             .turn = PTHREAD_COND_INITIALIZER };
    auto_free struct worker *workers = mem_zero(pipeline->threads, sizeof(*workers));
    unsigned ready = 0;
    int outcome = 0;

    while (ready < pipeline->threads && outcome == 0) {
        workers[ready].shared = &shared;
        outcome = block_init(&workers[ready].block, pipeline->plan, err);
        ready++;
    }
    if (outcome == 0) {
        run_workers(workers, pipeline->threads);
        if (shared.failed) {
            *err = shared.err;
            outcome = -1;
        }
    }
    while (ready-- > 0)
        block_release(&workers[ready].block);
    return outcome;
}
