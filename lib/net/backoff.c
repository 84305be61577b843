#include "net/backoff.h"

#define RETRY_AFTER_MAXIMUM_MS (10 * 60 * 1000)

int64_t backoff_delay_ms(const struct backoff *backoff, unsigned attempt, unsigned retry_after_ms,
                         struct random *random)
{
    int64_t longest = backoff->base_ms, asked = retry_after_ms;

    while (attempt-- > 0 && longest < backoff->cap_ms)
        longest *= 2;
    if (longest > backoff->cap_ms)
        longest = backoff->cap_ms;
    if (asked > RETRY_AFTER_MAXIMUM_MS)
        asked = RETRY_AFTER_MAXIMUM_MS;
    int64_t shortest = longest / 2;
    int64_t delay = shortest + (int64_t)random_below(random, (uint64_t)(longest - shortest) + 1);
    return delay > asked ? delay : asked;
}
