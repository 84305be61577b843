/* pipeline.h - blocks of a file through worker threads, in order.
 *
 * Every worker takes the next block under one lock and works on it alone. A block
 * that is done waits for those before it, not its worker: that one takes the next,
 * and whoever completes the block whose turn it is hands on all that follow it. Two
 * blocks per thread (one for a single thread) are all there are, so memory is
 * bounded, and results appear in the order of the file. A failure is that of the
 * earliest block, whatever thread met it first. */
#pragma once

#include <signal.h>

#include "scorer/block.h"

/* Takes one scored block, in order; never called by two threads at once. */
typedef int (*pipeline_emit)(void *context, const struct block *block, struct err *err);

struct pipeline {
    struct csv_reader *reader;
    const struct block_plan *plan;
    unsigned threads; /* at least 1 */
    pipeline_emit emit;
    void *context;
    const volatile sig_atomic_t *stop; /* set: ERR_CANCELED, reason Terminated */
};

int pipeline_run(const struct pipeline *pipeline, struct err *err)
    __attribute__((warn_unused_result));
