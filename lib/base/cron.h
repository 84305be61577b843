/* cron.h - schedules of five fields: minute, hour, day of month, month, day of week.
 *
 * The syntax and meaning are those of Kubernetes' CronJob: lists ("1,15"), ranges
 * ("1-5", "MON-FRI"), steps ("*" "/15", "10-50/20", "5/10": from 5 on), names of months and
 * weekdays in any case, 0 to 6 for Sunday to Saturday, "?" as "*". Where both days are
 * restricted, either is enough; "*" with a step restricts.
 *
 * A schedule ticks in every minute whose local time matches. So where clocks are put
 * forward, a tick in the hour that is left out does not happen; where they are put back, a
 * tick in the hour that comes twice happens twice. Times are seconds since 1970. */
#pragma once

#include "base/zone.h"

struct cron {
    uint64_t minutes;                       /* bit n: minute n            */
    uint32_t hours, days, months, weekdays; /* likewise                 */
    bool any_day, any_weekday;              /* "*": does not restrict     */
};

/* ERR_INVALID says which field is wrong and what was expected; also for a schedule that never
 * ticks (30 February). */
int cron_parse(const char *text, struct cron *ret_cron, struct err *err)
    __attribute__((warn_unused_result));

/* The first tick after after_s. False: there is none in years. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s,
               int64_t *ret_tick_s);

/* The last tick after after_s that is not after until_s. False: there is none. */
bool cron_last(const struct cron *cron, const struct zone *zone, int64_t after_s, int64_t until_s,
               int64_t *ret_tick_s);
