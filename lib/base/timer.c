#include "base/timer.h"

#include <stdbool.h>

#include "base/mem.h"

/* A binary heap. Positions count from 1, so that parent and children of n are
 * n/2, 2n and 2n+1 and 0 can mean "idle". */

void timers_init(struct timers *timers, const struct clock *clock)
{
    *timers = (struct timers){ .clock = clock };
}

void timers_release(struct timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i]->position = 0;
    free(timers->heap);
    *timers = (struct timers){ 0 };
}

static bool runs_before(const struct timer *left, const struct timer *right)
{
    if (left->due_ms != right->due_ms)
        return left->due_ms < right->due_ms;
    return left->sequence < right->sequence;
}

static void place(struct timers *timers, struct timer *timer, size_t position)
{
    timers->heap[position - 1] = timer;
    timer->position = position;
}

/* Moves the timer from `position`, which is free, to where it belongs. */
static void settle(struct timers *timers, struct timer *timer, size_t position)
{
    while (position > 1 && runs_before(timer, timers->heap[position / 2 - 1])) {
        place(timers, timers->heap[position / 2 - 1], position);
        position /= 2;
    }
    for (;;) {
        size_t child = 2 * position;

        if (child > timers->count)
            break;
        if (child < timers->count && runs_before(timers->heap[child], timers->heap[child - 1]))
            child++;
        if (!runs_before(timers->heap[child - 1], timer))
            break;
        place(timers, timers->heap[child - 1], position);
        position = child;
    }
    place(timers, timer, position);
}

void timer_set(struct timers *timers, struct timer *timer, int64_t delay_ms)
{
    int64_t now_ms = clock_monotonic_ms(timers->clock);

    if (delay_ms < 0)
        delay_ms = 0;
    if (__builtin_add_overflow(now_ms, delay_ms, &timer->due_ms))
        timer->due_ms = INT64_MAX;
    timer->sequence = ++timers->sequence;
    if (timer->position == 0) {
        if (timers->count == timers->capacity) {
            timers->capacity = timers->capacity > 0 ? 2 * timers->capacity : 16;
            timers->heap = mem_resize(timers->heap, timers->capacity, sizeof(timers->heap[0]));
        }
        timer->position = ++timers->count;
    }
    settle(timers, timer, timer->position);
}

void timer_stop(struct timers *timers, struct timer *timer)
{
    size_t position = timer->position;

    if (position == 0)
        return;
    struct timer *last = timers->heap[timers->count - 1];

    timers->count--;
    timer->position = 0;
    if (last != timer)
        settle(timers, last, position);
}

/* A callback that sets a timer with no delay must not keep this loop busy for
 * ever: what is set during the run waits for the next one. */
int64_t timers_run(struct timers *timers)
{
    int64_t now_ms = clock_monotonic_ms(timers->clock);
    uint64_t newest = timers->sequence;

    while (timers->count > 0) {
        struct timer *first = timers->heap[0];

        if (first->due_ms > now_ms || first->sequence > newest)
            break;
        timer_stop(timers, first);
        first->fire(first->context);
    }
    if (timers->count == 0)
        return -1;
    now_ms = clock_monotonic_ms(timers->clock);
    return timers->heap[0]->due_ms > now_ms ? timers->heap[0]->due_ms - now_ms : 0;
}
