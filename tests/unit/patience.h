/* patience.h - waits for what another thread has to do, and no longer than no machine takes. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define PATIENCE_S 60

/* What now begins may take until then. */
static inline struct timespec patience_end(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += PATIENCE_S;
    return end;
}

/* pthread_cond_wait(); false when the time is over. */
static inline bool patience_wait(pthread_cond_t *changed, pthread_mutex_t *mutex,
                                 const struct timespec *end)
{
    return pthread_cond_clockwait(changed, mutex, CLOCK_MONOTONIC, end) != ETIMEDOUT;
}
