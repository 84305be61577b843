/* clock.h - the two clocks, as a port that tests replace by virtual time.
 *
 * Durations and deadlines use monotonic time, which never jumps and goes on while
 * the machine sleeps; wall time is only written into objects and compared with
 * times that other machines wrote. */
#pragma once

#include <stdint.h>

struct clock {
    int64_t (*monotonic_ms)(void *context);
    int64_t (*wall_ms)(void *context); /* since 1970-01-01 UTC */
    void *context;
};

/* The machine's clocks. */
extern const struct clock clock_system;

static inline int64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->context);
}

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->context);
}
