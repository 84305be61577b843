#include "scorer/pipeline.h"

#include <pthread.h>

#include "base/mem.h"

/* Blocks a thread may be ahead of the output, the one it works on included. */
#define SLOTS_OF_A_THREAD 2

enum slot_state {
    SLOT_FREE,
    SLOT_TAKEN, /* a worker reads or scores it       */
    SLOT_DONE,  /* waits for the blocks before it    */
};

/* A block on its way from the input to the output. Whoever took it owns all but `state`. */
struct slot {
    enum slot_state state; /* under output */
    uint64_t number;       /* of the block in the file */
    struct block block;
    int outcome;
    struct err err; /* when outcome is not 0 */
};

struct shared {
    const struct pipeline *pipeline;
    pthread_mutex_t input;
    bool input_ended;   /* under input */
    uint64_t next_read; /* under input: number of the next block */
    pthread_mutex_t output;
    pthread_cond_t freed;
    struct slot *slots;
    size_t slot_count;
    bool is_emitting;      /* under output: a worker hands on the block next_emitted */
    uint64_t next_emitted; /* under output */
    bool failed;           /* whoever emits owns these two */
    struct err err;
};

struct worker {
    struct shared *shared;
    struct model_session *session;
    pthread_t thread;
};

/* --- slots ------------------------------------------------------------------- */

/* The first one, so that those in use stay in the cache. */
static struct slot *find_free(const struct shared *shared)
{
    for (size_t i = 0; i < shared->slot_count; i++)
        if (shared->slots[i].state == SLOT_FREE)
            return &shared->slots[i];
    return NULL;
}

/* The block whose turn it is, if it is done. */
static struct slot *find_next(const struct shared *shared)
{
    for (size_t i = 0; i < shared->slot_count; i++)
        if (shared->slots[i].state == SLOT_DONE && shared->slots[i].number == shared->next_emitted)
            return &shared->slots[i];
    return NULL;
}

/* Waits while all are in use: the output is behind by as much as memory allows. */
static struct slot *take_slot(struct shared *shared)
{
    struct slot *slot;

    pthread_mutex_lock(&shared->output);
    while (!(slot = find_free(shared)))
        pthread_cond_wait(&shared->freed, &shared->output);
    slot->state = SLOT_TAKEN;
    pthread_mutex_unlock(&shared->output);
    return slot;
}

/* Under output. */
static void free_slot(struct shared *shared, struct slot *slot)
{
    slot->state = SLOT_FREE;
    pthread_cond_signal(&shared->freed);
}

/* --- input ------------------------------------------------------------------- */

static int read_block(const struct pipeline *pipeline, struct block *block, bool *ret_any,
                      struct err *err)
{
    if (*pipeline->stop)
        return err_reason(err, ERR_CANCELED, "Terminated", "stopped by a signal");
    return csv_read_block(pipeline->reader, pipeline->plan->rows, &block->csv, ret_any, err);
}

/* The next block and its number. False at the end; a failure to read has a number
 * too, so that it is reported after what was read before it. */
static bool fill_slot(struct shared *shared, struct slot *slot)
{
    bool any = false, ended;

    pthread_mutex_lock(&shared->input);
    ended = shared->input_ended;
    if (!ended) {
        slot->outcome = read_block(shared->pipeline, &slot->block, &any, &slot->err);
        ended = slot->outcome == 0 && !any;
        shared->input_ended = slot->outcome != 0 || ended;
        if (!ended)
            slot->number = shared->next_read++;
    }
    pthread_mutex_unlock(&shared->input);
    return !ended;
}

/* A slot with the next block; NULL at the end. */
static struct slot *take_block(struct shared *shared)
{
    struct slot *slot = take_slot(shared);

    if (fill_slot(shared, slot))
        return slot;
    pthread_mutex_lock(&shared->output);
    free_slot(shared, slot);
    pthread_mutex_unlock(&shared->output);
    return NULL;
}

static void stop_reading(struct shared *shared)
{
    pthread_mutex_lock(&shared->input);
    shared->input_ended = true;
    pthread_mutex_unlock(&shared->input);
}

/* --- output ------------------------------------------------------------------ */

/* Hands one block on, or nothing after a failure. */
static void emit(struct shared *shared, const struct slot *slot)
{
    const struct pipeline *pipeline = shared->pipeline;

    if (shared->failed)
        return;
    if (slot->outcome != 0) {
        shared->failed = true;
        shared->err = slot->err;
    } else {
        shared->failed = pipeline->emit(pipeline->context, &slot->block, &shared->err) != 0;
    }
    if (shared->failed)
        stop_reading(shared);
}

/* A block is done. Hands on all whose turn it is, unless another worker is at it,
 * who will look again. */
static void put_block(struct shared *shared, struct slot *slot)
{
    pthread_mutex_lock(&shared->output);
    slot->state = SLOT_DONE;
    while (!shared->is_emitting && (slot = find_next(shared))) {
        shared->is_emitting = true;
        pthread_mutex_unlock(&shared->output);
        emit(shared, slot);
        pthread_mutex_lock(&shared->output);
        shared->is_emitting = false;
        shared->next_emitted++;
        free_slot(shared, slot);
    }
    pthread_mutex_unlock(&shared->output);
}

/* --- workers ----------------------------------------------------------------- */

static void *work(void *context)
{
    struct worker *worker = context;
    struct slot *slot;

    while ((slot = take_block(worker->shared))) {
        if (slot->outcome == 0)
            slot->outcome = block_score(&slot->block, worker->session, &slot->err);
        put_block(worker->shared, slot);
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

static int run_sessions(struct shared *shared, unsigned count, struct err *err)
{
    auto_free struct worker *workers = mem_zero(count, sizeof(*workers));
    unsigned ready = 0;
    int outcome = 0;

    while (ready < count && outcome == 0) {
        workers[ready].shared = shared;
        workers[ready].session = model_session_new(shared->pipeline->plan->model, err);
        if (workers[ready].session)
            ready++;
        else
            outcome = -1;
    }
    if (outcome == 0)
        run_workers(workers, count);
    while (ready-- > 0)
        model_session_free(workers[ready].session);
    return outcome;
}

int pipeline_run(const struct pipeline *pipeline, struct err *err)
{
    size_t slot_count = pipeline->threads == 1 ? 1 : SLOTS_OF_A_THREAD * (size_t)pipeline->threads;
    auto_free struct slot *slots = mem_zero(slot_count, sizeof(*slots));
    struct shared shared = { .pipeline = pipeline,
                             .input = PTHREAD_MUTEX_INITIALIZER,
                             .output = PTHREAD_MUTEX_INITIALIZER,
                             .freed = PTHREAD_COND_INITIALIZER,
                             .slots = slots,
                             .slot_count = slot_count };
    int outcome;

    for (size_t i = 0; i < slot_count; i++)
        block_init(&slots[i].block, pipeline->plan);
    outcome = run_sessions(&shared, pipeline->threads, err);
    for (size_t i = 0; i < slot_count; i++)
        block_release(&slots[i].block);
    if (outcome == 0 && shared.failed) {
        *err = shared.err;
        outcome = -1;
    }
    return outcome;
}
