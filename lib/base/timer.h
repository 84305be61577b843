/* timer.h - one-shot timers for a single-threaded event loop.
 *
 * A timer is a struct inside the object that needs it (zeroed = idle). Setting
 * an armed timer moves it. Callbacks run from timers_run() only and may set or
 * stop any timer, their own included. Due timers run in order of due time,
 * equal times in the order of setting. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct timer {
    void (*fire)(void *context);
    void *context;
    int64_t due_ms;
    uint64_t sequence;
    size_t position; /* in the heap, counted from 1; 0: idle */
};

struct timers {
    const struct clock *clock;
    struct timer **heap;
    size_t count, capacity;
    uint64_t sequence;
};

void timers_init(struct timers *timers, const struct clock *clock);
void timers_release(struct timers *timers); /* armed timers become idle */

/* timer->fire must be set. A delay below 0 counts as 0. */
void timer_set(struct timers *timers, struct timer *timer, int64_t delay_ms);
void timer_stop(struct timers *timers, struct timer *timer); /* idle: no effect */

/* Runs what is due and returns the milliseconds to the next timer, -1: none. */
int64_t timers_run(struct timers *timers);
