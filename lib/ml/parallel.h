/* parallel.h - independent tasks on as many threads as we may use.
 *
 * Results must not depend on the number of threads: a task writes only to what
 * belongs to its index. Tasks start in order of their index. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define PARALLEL_MAXIMUM 64 /* threads; more gain nothing on our task sizes */

/* How many threads the container may keep busy: the smaller of the CPU affinity
 * and the cgroup's quota (cgroup.h); at least 1. A process that starts more is
 * throttled by the kernel. */
unsigned parallel_threads(void);

typedef int (*parallel_task)(void *context, size_t index, struct err *err);

/* Runs task(context, 0 .. count - 1) on at most `threads` threads, the caller
 * being one of them. After a failure no further task starts; the failure with
 * the lowest index is returned. */
int parallel_run(unsigned threads, size_t count, parallel_task task, void *context, struct err *err)
    __attribute__((warn_unused_result));
