/* The rule at the end of a compiled time zone: POSIX.1-2017, 8.3, TZ, with the longer times that
 * RFC 9636 allows. */
#include "base/calendar.h"
#include "base/zone.h"

#define DAY_S         86400
#define CHANGE_TIME_S 7200 /* 02:00, where a rule names no time */
#define OFFSET_HOURS  24
#define CHANGE_HOURS  167

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static bool take(struct span *text, char character)
{
    if (text->length == 0 || text->data[0] != character)
        return false;
    text->data++, text->length--;
    return true;
}

/* --- parsing --------------------------------------------------------------- */

/* "CET" or "<-03>"; what the zone is called does not matter here. */
static bool take_name(struct span *text)
{
    size_t length = 0;

    if (take(text, '<')) {
        while (length < text->length && text->data[length] != '>')
            length++;
        text->data += length, text->length -= length;
        return length > 0 && take(text, '>');
    }
    while (length < text->length && is_letter(text->data[length]))
        length++;
    text->data += length, text->length -= length;
    return length >= 3;
}

/* One to three digits. */
static bool take_number(struct span *text, int minimum, int maximum, int *ret_value)
{
    int value = 0;
    size_t digits = 0;

    for (; digits < 3 && digits < text->length && text->data[digits] >= '0' &&
           text->data[digits] <= '9';
         digits++)
        value = value * 10 + (text->data[digits] - '0');
    text->data += digits, text->length -= digits;
    *ret_value = value;
    return digits > 0 && value >= minimum && value <= maximum;
}

/* "2", "-3:30", "10:00:00" to seconds. */
static bool take_time(struct span *text, int hours_maximum, int32_t *ret_s)
{
    int sign = take(text, '-') ? -1 : 1, hours, minutes = 0, seconds = 0;

    if (sign > 0)
        (void)take(text, '+');
    if (!take_number(text, 0, hours_maximum, &hours) ||
        (take(text, ':') && (!take_number(text, 0, 59, &minutes) ||
                             (take(text, ':') && !take_number(text, 0, 59, &seconds)))))
        return false;
    *ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* "M3.5.0/3", "J60", "59" */
static bool take_change(struct span *text, struct zone_change *change)
{
    bool valid;

    *change = (struct zone_change){ .time_s = CHANGE_TIME_S };
    if (take(text, 'M')) {
        change->kind = ZONE_WEEKDAY;
        valid = take_number(text, 1, 12, &change->month) && take(text, '.') &&
                take_number(text, 1, 5, &change->week) && take(text, '.') &&
                take_number(text, 0, 6, &change->day);
    } else if (take(text, 'J')) {
        change->kind = ZONE_JULIAN;
        valid = take_number(text, 1, 365, &change->day);
    } else {
        change->kind = ZONE_DAY_OF_YEAR;
        valid = take_number(text, 0, 365, &change->day);
    }
    return valid && (!take(text, '/') || take_time(text, CHANGE_HOURS, &change->time_s));
}

/* What follows the standard time. */
static bool take_summer(struct span *text, struct zone_rule *rule)
{
    if (!take_name(text))
        return false;
    rule->changes = true;
    rule->summer_s = rule->standard_s + 3600;
    if (text->length > 0 && text->data[0] != ',') {
        if (!take_time(text, OFFSET_HOURS, &rule->summer_s))
            return false;
        rule->summer_s = -rule->summer_s;
    }
    return take(text, ',') && take_change(text, &rule->start) && take(text, ',') &&
           take_change(text, &rule->end);
}

int zone_parse_rule(struct span text, struct zone_rule *ret_rule, struct err *err)
{
    struct zone_rule rule = { 0 };
    struct span rest = text;
    bool valid = take_name(&rest) && take_time(&rest, OFFSET_HOURS, &rule.standard_s);

    rule.standard_s = -rule.standard_s; /* POSIX counts westwards */
    if (valid && rest.length > 0)
        valid = take_summer(&rest, &rule);
    if (!valid || rest.length > 0)
        return err_set(err, ERR_INVALID, "must be a rule like CET-1CEST,M3.5.0,M10.5.0/3");
    *ret_rule = rule;
    return 0;
}

/* --- looking up ------------------------------------------------------------ */

/* The day of a change, since 1970. */
static int64_t change_day(const struct zone_change *change, int64_t year)
{
    int64_t january = calendar_days(year, 1, 1), first;
    int day, days;

    switch (change->kind) {
    case ZONE_JULIAN: /* 29 February is not counted */
        return january + change->day - 1 +
               (change->day >= 60 && calendar_month_days(year, 2) == 29 ? 1 : 0);
    case ZONE_DAY_OF_YEAR:
        return january + change->day;
    case ZONE_WEEKDAY:
        break;
    }
    first = calendar_days(year, change->month, 1);
    days = calendar_month_days(year, change->month);
    day = (change->day - calendar_weekday(first) + 7) % 7 + 7 * (change->week - 1);
    while (day >= days)
        day -= 7;
    return first + day;
}

/* The change that holds at time_s is the last one at or before it; where summer time ends and
 * begins at once, it goes on. A year has two changes, so three years show what is around. */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t time_s, int64_t *ret_until_s)
{
    int64_t last_s = INT64_MIN, year;
    int32_t offset = rule->standard_s;
    int month, day;

    *ret_until_s = INT64_MAX;
    if (!rule->changes)
        return offset;
    calendar_date(time_s / DAY_S, &year, &month, &day);
    for (int64_t i = year - 2; i <= year + 2; i++) {
        int64_t start_s =
            change_day(&rule->start, i) * DAY_S + rule->start.time_s - rule->standard_s;
        int64_t end_s = change_day(&rule->end, i) * DAY_S + rule->end.time_s - rule->summer_s;

        if (end_s <= time_s && end_s > last_s)
            last_s = end_s, offset = rule->standard_s;
        if (start_s <= time_s && start_s >= last_s)
            last_s = start_s, offset = rule->summer_s;
        if (start_s > time_s && start_s < *ret_until_s)
            *ret_until_s = start_s;
        if (end_s > time_s && end_s < *ret_until_s)
            *ret_until_s = end_s;
    }
    return offset;
}
