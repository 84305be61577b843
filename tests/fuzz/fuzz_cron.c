/* Properties: a schedule that is accepted has a next tick; ticks ascend and begin a minute; the
 * last tick before one is the one before. */
#include <stdint.h>

#include "base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_strndup((const char *)data, size);
    int64_t tick_s = 1767225600, next_s, last_s;
    struct cron cron;

    if (cron_parse(text, &cron, NULL) < 0)
        return 0;
    for (int i = 0; i < 5; i++) {
        if (!cron_next(&cron, &zone_utc, tick_s, &next_s) || next_s <= tick_s || next_s % 60 != 0)
            abort();
        if (!cron_last(&cron, &zone_utc, tick_s, next_s + 59, &last_s) || last_s != next_s)
            abort();
        tick_s = next_s;
    }
    return 0;
}
