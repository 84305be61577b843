#include "base/clock.h"

static int64_t read_clock_ms(clockid_t which)
{
    struct timespec now = { 0 };

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Not CLOCK_MONOTONIC, which stands still while the machine sleeps: a lease, a token and a
 * backoff go on to age then. */
static int64_t system_monotonic_ms(void *context)
{
    (void)context;
    return read_clock_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall_ms(void *context)
{
    (void)context;
    return read_clock_ms(CLOCK_REALTIME);
}

const struct clock clock_system = {
    .monotonic_ms = system_monotonic_ms,
    .wall_ms = system_wall_ms,
};
