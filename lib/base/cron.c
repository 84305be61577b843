#include "base/cron.h"

#include <strings.h>

#include "base/calendar.h"
#include "base/num.h"

#define DAY_S        86400
#define STEP_MAXIMUM 9999
/* Longer than any schedule can pause: 29 February is eight years apart around 2100. */
#define HORIZON_S (INT64_C(9) * 366 * DAY_S)

/* --- parsing --------------------------------------------------------------- */

struct part {
    const char *name;
    int minimum, maximum;
    const char *const *names; /* of minimum and up; NULL: numbers only */
};

static const char *const month_names[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
                                           "AUG", "SEP", "OCT", "NOV", "DEC", NULL };
static const char *const weekday_names[] = {
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, PARTS };
static const struct part parts[PARTS] = {
    [MINUTE] = { "minute", 0, 59, NULL },
    [HOUR] = { "hour", 0, 23, NULL },
    [DAY] = { "day of month", 1, 31, NULL },
    [MONTH] = { "month", 1, 12, month_names },
    [WEEKDAY] = { "day of week", 0, 6, weekday_names },
};

struct part_set {
    uint64_t bits;
    bool any;
};

/* Cuts what precedes the first `mark` off *rest; all of it when there is none. */
static struct span cut(struct span *rest, char mark)
{
    const char *found = rest->length > 0 ? memchr(rest->data, mark, rest->length) : NULL;
    struct span taken = { rest->data, found ? (size_t)(found - rest->data) : rest->length };
    size_t skipped = taken.length + (found ? 1 : 0);

    rest->data += skipped;
    rest->length -= skipped;
    return taken;
}

static int wrong(const struct part *part, struct span text, struct err *err)
{
    int shown = text.length < 64 ? (int)text.length : 64;

    return err_set(err, ERR_INVALID,
                   "%s: must be \"*\", numbers from %d to %d%s, ranges or steps "
                   "of them, not \"%.*s\"",
                   part->name, part->minimum, part->maximum, part->names ? ", names" : "", shown,
                   text.length > 0 ? text.data : "");
}

static bool read_value(const struct part *part, struct span text, int64_t *ret_value)
{
    for (int i = 0; part->names && part->names[i]; i++)
        if (text.length == 3 && strncasecmp(text.data, part->names[i], 3) == 0) {
            *ret_value = part->minimum + i;
            return true;
        }
    return num_int64(text, part->minimum, part->maximum, ret_value, NULL) == 0;
}

/* "*", "5", "1-5", each with or without "/step". */
static bool read_range(const struct part *part, struct span text, struct part_set *set)
{
    struct span rest = text, range = cut(&rest, '/');
    bool has_step = range.length < text.length;
    int64_t first = part->minimum, last = part->maximum, step = 1;

    if (has_step && num_int64(rest, 1, STEP_MAXIMUM, &step, NULL) < 0)
        return false;
    if (span_equals(range, "*") || span_equals(range, "?")) {
        set->any = set->any || step == 1;
    } else {
        struct span end = range, begin = cut(&end, '-');
        bool is_range = begin.length < range.length;

        if (!read_value(part, begin, &first) || (is_range && !read_value(part, end, &last)))
            return false;
        if (!is_range && !has_step)
            last = first;
    }
    for (int64_t i = first; i <= last; i += step)
        set->bits |= UINT64_C(1) << i;
    return first <= last;
}

static int read_part(const struct part *part, struct span text, struct part_set *ret_set,
                     struct err *err)
{
    struct part_set set = { 0 };
    struct span rest = text;

    do {
        struct span range = cut(&rest, ',');

        if (!read_range(part, range, &set) ||
            (rest.length == 0 && text.data[text.length - 1] == ','))
            return wrong(part, text, err);
    } while (rest.length > 0);
    *ret_set = set;
    return 0;
}

/* The next text without blanks; empty at the end. */
static struct span take_word(struct span *rest)
{
    struct span trimmed = span_trim(*rest), word = { trimmed.data, 0 };

    while (word.length < trimmed.length && trimmed.data[word.length] != ' ' &&
           trimmed.data[word.length] != '\t')
        word.length++;
    rest->data = trimmed.data + word.length;
    rest->length = trimmed.length - word.length;
    return word;
}

int cron_parse(const char *text, struct cron *ret_cron, struct err *err)
{
    struct part_set sets[PARTS];
    struct span rest = span_of(text), words[PARTS];
    int64_t tick_s;

    for (int i = 0; i < PARTS; i++)
        words[i] = take_word(&rest);
    if (words[PARTS - 1].length == 0 || span_trim(rest).length > 0)
        return err_set(err, ERR_INVALID,
                       "must have five fields (minute, hour, day of month, "
                       "month, day of week) like \"0 3 * * 0\"");
    for (int i = 0; i < PARTS; i++)
        if (read_part(&parts[i], words[i], &sets[i], err) < 0)
            return -1;
    struct cron cron = { .minutes = sets[MINUTE].bits,
                         .hours = (uint32_t)sets[HOUR].bits,
                         .days = (uint32_t)sets[DAY].bits,
                         .months = (uint32_t)sets[MONTH].bits,
                         .weekdays = (uint32_t)sets[WEEKDAY].bits,
                         .any_day = sets[DAY].any,
                         .any_weekday = sets[WEEKDAY].any };

    if (!cron_next(&cron, &zone_utc, 0, &tick_s))
        return err_set(err, ERR_INVALID, "must name a day that exists");
    *ret_cron = cron;
    return 0;
}

/* --- ticks ----------------------------------------------------------------- */

static bool has_bit(uint64_t bits, int64_t bit)
{
    return (bits >> bit & 1) != 0;
}

static bool is_day(const struct cron *cron, int64_t days, int day)
{
    bool month_day = has_bit(cron->days, day);
    bool weekday = has_bit(cron->weekdays, calendar_weekday(days));

    return cron->any_day || cron->any_weekday ? month_day && weekday : month_day || weekday;
}

/* The first minute of a day, from minute `from` on, that matches; -1: none. */
static int minute_of_day(const struct cron *cron, int from)
{
    for (int hour = from / 60; hour < 24; hour++) {
        if (!has_bit(cron->hours, hour))
            continue;
        for (int minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++)
            if (has_bit(cron->minutes, minute))
                return hour * 60 + minute;
    }
    return -1;
}

static int64_t floor_division(int64_t value, int64_t by)
{
    return value / by - (value % by < 0 ? 1 : 0);
}

/* The first tick at or after from_s and before until_s on a clock that is never changed. */
static bool next_local(const struct cron *cron, int64_t from_s, int64_t until_s,
                       int64_t *ret_tick_s)
{
    int64_t minute = floor_division(from_s + 59, 60), days = floor_division(minute, 1440), year;
    int from = (int)(minute - days * 1440), month, day;

    while (days * DAY_S < until_s) {
        calendar_date(days, &year, &month, &day);
        if (!has_bit(cron->months, month)) {
            days += calendar_month_days(year, month) - day + 1;
        } else {
            int found = is_day(cron, days, day) ? minute_of_day(cron, from) : -1;

            *ret_tick_s = days * DAY_S + found * INT64_C(60);
            if (found >= 0)
                return *ret_tick_s < until_s;
            days++;
        }
        from = 0;
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_s,
               int64_t *ret_tick_s)
{
    int64_t from_s = after_s + 1, end_s = after_s + HORIZON_S, until_s, local_s;

    while (from_s < end_s) {
        int32_t offset = zone_offset(zone, from_s, &until_s);

        if (until_s > end_s)
            until_s = end_s;
        if (next_local(cron, from_s + offset, until_s + offset, &local_s)) {
            *ret_tick_s = local_s - offset;
            return true;
        }
        from_s = until_s;
    }
    return false;
}

/* Ticks are ordered: the later the time that one looks from, the later the next tick. */
bool cron_last(const struct cron *cron, const struct zone *zone, int64_t after_s, int64_t until_s,
               int64_t *ret_tick_s)
{
    int64_t low_s, high_s = until_s, tick_s;

    if (!cron_next(cron, zone, after_s, &low_s) || low_s > until_s)
        return false;
    while (low_s < high_s) { /* low_s is a tick, and none is after high_s */
        int64_t middle_s = low_s + (high_s - low_s) / 2;

        if (cron_next(cron, zone, middle_s, &tick_s) && tick_s <= high_s)
            low_s = tick_s;
        else
            high_s = middle_s;
    }
    *ret_tick_s = low_s;
    return true;
}
