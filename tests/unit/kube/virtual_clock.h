/* virtual_clock.h - a clock that moves only when a test says so. */
#pragma once

#include "base/clock.h"

struct virtual_clock {
    int64_t monotonic_ms, wall_ms;
};

static int64_t virtual_monotonic_ms(void *context)
{
    return ((struct virtual_clock *)context)->monotonic_ms;
}

static int64_t virtual_wall_ms(void *context)
{
    return ((struct virtual_clock *)context)->wall_ms;
}

static inline struct clock virtual_clock_port(struct virtual_clock *clock)
{
    return (struct clock){ virtual_monotonic_ms, virtual_wall_ms, clock };
}

static inline void virtual_clock_advance(struct virtual_clock *clock, int64_t ms)
{
    clock->monotonic_ms += ms;
    clock->wall_ms += ms;
}
