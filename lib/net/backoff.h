/* backoff.h - pure: how long to wait before the next attempt.
 *
 * Exponential with full jitter over the upper half: attempt n (from 0) waits
 * between 0.5 and 1 times min(base * 2^n, cap), and never less than what a
 * Retry-After asked for (itself bounded by 10 minutes). */
#pragma once

#include <stdint.h>

#include "base/random.h"

struct backoff {
    int64_t base_ms, cap_ms;
};

int64_t backoff_delay_ms(const struct backoff *backoff, unsigned attempt, unsigned retry_after_ms,
                         struct random *random);
