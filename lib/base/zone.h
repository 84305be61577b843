/* zone.h - time zones: how far local time is from UTC, at any time.
 *
 * A zone is a list of transitions and a rule for the time after the last of them,
 * as a compiled file of the IANA database holds them (TZif, RFC 9636, version 2 or
 * later). Unlike the C library's, a zone is a value: nothing is global, the
 * environment is not read, and any number of them serves any number of threads.
 * Times are seconds since 1970, offsets seconds east of Greenwich. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* When a rule changes the clocks, in every year. */
struct zone_change {
    enum { ZONE_JULIAN, ZONE_DAY_OF_YEAR, ZONE_WEEKDAY } kind;
    int month, week; /* WEEKDAY: month 1 to 12, week 1 to 5 (the last one)       */
    int day;         /* JULIAN: 1 to 365, no 29 February; DAY_OF_YEAR: 0 to 365;
                      * WEEKDAY: 0 (Sunday) to 6                                 */
    int32_t time_s;  /* of the local clock before the change; may be negative    */
};

struct zone_rule {
    bool changes; /* there is a summer time */
    int32_t standard_s, summer_s;
    struct zone_change start, end; /* of summer time */
};

struct zone {
    size_t count;           /* of transitions                             */
    const int64_t *times_s; /* ascending                                  */
    const int32_t *offsets; /* offsets[i] holds from times_s[i] on        */
    int32_t first_offset;   /* before the first of them                   */
    bool has_rule;          /* else the last offset holds for ever        */
    struct zone_rule rule;
};

extern const struct zone zone_utc;

/* "UTC", "Europe/Berlin": a name that can be in the database. ERR_INVALID. */
int zone_check_name(const char *text, struct err *err) __attribute__((warn_unused_result));

/* The zone of this name below a folder such as ZONE_FOLDER (NULL: none; UTC is known
 * without a file). What is read lives in the arena. ERR_NOT_FOUND when there is no such
 * zone, ERR_INVALID when the file is no compiled zone. */
int zone_read(const char *folder, const char *name, struct arena *arena, struct zone *ret_zone,
              struct err *err) __attribute__((warn_unused_result));

/* The content of a compiled file. */
int zone_parse(struct span file, struct arena *arena, struct zone *ret_zone, struct err *err)
    __attribute__((warn_unused_result));

/* A rule as POSIX writes it in TZ: "CET-1CEST,M3.5.0,M10.5.0/3". */
int zone_parse_rule(struct span text, struct zone_rule *ret_rule, struct err *err)
    __attribute__((warn_unused_result));

/* The offset that a rule alone gives, as zone_offset(). */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t time_s, int64_t *ret_until_s);

/* The offset that holds at time_s. It holds until just before *ret_until_s (INT64_MAX: for
 * ever). */
int32_t zone_offset(const struct zone *zone, int64_t time_s, int64_t *ret_until_s);
