/* Durations and times: the part of num.h that knows calendars. */
#include "base/num.h"

#include "base/calendar.h"
#include "base/mem.h"

#define NANO      INT64_C(1000000000)
#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* What Go's time.Duration, an int64 of nanoseconds, can hold. */
#define DURATION_MAXIMUM_MS (INT64_MAX / 1000000)

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* --- durations ------------------------------------------------------------ */

struct duration_unit {
    const char *text;
    int64_t ms;
};

/* "ms" stands before "m", of which it is a continuation. */
static const struct duration_unit duration_units[] = {
    { "ms", 1 },
    { "h", HOUR_MS },
    { "m", MINUTE_MS },
    { "s", SECOND_MS },
};

static const struct duration_unit *take_unit(struct span *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
        const struct duration_unit *unit = &duration_units[i];
        size_t length = strlen(unit->text);

        if (text->length >= length && memcmp(text->data, unit->text, length) == 0) {
            text->data += length;
            text->length -= length;
            return unit;
        }
    }
    return NULL;
}

/* The digits at the front as a number; false when it cannot be a duration. */
static bool take_digits(struct span *text, int64_t *ret_value, int64_t *ret_scale)
{
    int64_t value = 0, scale = 1;

    for (; text->length > 0 && is_digit(text->data[0]); text->data++, text->length--) {
        value = value * 10 + (text->data[0] - '0');
        scale *= 10;
        if (value > DURATION_MAXIMUM_MS || scale > INT64_MAX / 100)
            return false;
    }
    *ret_value = value;
    *ret_scale = scale;
    return true;
}

/* One "1.5h" at the front. What is finer than a millisecond is refused. */
static bool take_duration_part(struct span *text, int64_t *total_ms)
{
    int64_t whole, fraction = 0, whole_scale, fraction_scale = 1, part_ms, fraction_ms;

    if (!take_digits(text, &whole, &whole_scale))
        return false;
    if (text->length > 0 && text->data[0] == '.') {
        text->data++, text->length--;
        if (!take_digits(text, &fraction, &fraction_scale))
            return false;
    }
    if (whole_scale == 1 && fraction_scale == 1)
        return false;
    const struct duration_unit *unit = take_unit(text);

    if (!unit || __builtin_mul_overflow(whole, unit->ms, &part_ms) ||
        __builtin_mul_overflow(fraction, unit->ms, &fraction_ms) ||
        fraction_ms % fraction_scale != 0)
        return false;
    return !__builtin_add_overflow(part_ms, fraction_ms / fraction_scale, &part_ms) &&
           !__builtin_add_overflow(*total_ms, part_ms, total_ms) &&
           *total_ms <= DURATION_MAXIMUM_MS;
}

int num_duration_ms(struct span text, int64_t *ret_ms, struct err *err)
{
    struct span rest = text;
    int64_t total_ms = 0;
    bool valid = text.length > 0;

    if (span_equals(text, "0"))
        rest.length = 0;
    while (valid && rest.length > 0)
        valid = take_duration_part(&rest, &total_ms);
    if (!valid) {
        int shown = text.length < 64 ? (int)text.length : 64;

        return err_set(err, ERR_INVALID,
                       "must be a duration like 1h30m, 1.5s or 100ms, not \"%.*s\"", shown,
                       text.length > 0 ? text.data : "");
    }
    *ret_ms = total_ms;
    return 0;
}

size_t num_format_duration(int64_t duration_ms, char text[NUM_DURATION_TEXT])
{
    size_t length = 0;

    if (duration_ms <= 0)
        return (size_t)snprintf(text, NUM_DURATION_TEXT, "0s");
    if (duration_ms < SECOND_MS)
        return (size_t)snprintf(text, NUM_DURATION_TEXT, "%" PRId64 "ms", duration_ms);
    int64_t hours = duration_ms / HOUR_MS, minutes = duration_ms % HOUR_MS / MINUTE_MS;
    int64_t ms = duration_ms % MINUTE_MS;

    if (hours > 0)
        length += (size_t)snprintf(text, NUM_DURATION_TEXT, "%" PRId64 "h", hours);
    if (minutes > 0)
        length +=
            (size_t)snprintf(text + length, NUM_DURATION_TEXT - length, "%" PRId64 "m", minutes);
    if (ms > 0) {
        length += (size_t)snprintf(text + length, NUM_DURATION_TEXT - length, "%" PRId64 ".%03d",
                                   ms / SECOND_MS, (int)(ms % SECOND_MS));
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.')
            length--;
        text[length++] = 's';
        text[length] = '\0';
    }
    return length;
}

/* --- times ---------------------------------------------------------------- */

/* Exactly `width` digits within the range, then one of the characters `ends`
 * (none when it is empty). */
static bool take_fixed(struct span *text, size_t width, int minimum, int maximum, const char *ends,
                       int *ret_value)
{
    int value = 0;

    if (text->length < width + (*ends ? 1 : 0))
        return false;
    for (size_t i = 0; i < width; i++) {
        if (!is_digit(text->data[i]))
            return false;
        value = value * 10 + (text->data[i] - '0');
    }
    if (value < minimum || value > maximum)
        return false;
    if (*ends && (text->data[width] == '\0' || !strchr(ends, text->data[width])))
        return false;
    size_t taken = width + (*ends ? 1 : 0);

    text->data += taken;
    text->length -= taken;
    *ret_value = value;
    return true;
}

/* ".123456" to milliseconds; what is finer is cut off. */
static bool take_fraction(struct span *text, int64_t *ret_ms)
{
    int64_t ms = 0, weight = 100;
    size_t digits = 0;

    if (text->length == 0 || text->data[0] != '.') {
        *ret_ms = 0;
        return true;
    }
    for (text->data++, text->length--; text->length > 0 && is_digit(text->data[0]);
         text->data++, text->length--, digits++) {
        ms += weight * (text->data[0] - '0');
        weight /= 10;
    }
    *ret_ms = ms;
    return digits > 0;
}

/* "Z" or "+02:00" as the last thing. */
static bool take_offset(struct span *text, int64_t *ret_offset_ms)
{
    int hours, minutes;

    if (span_equals(*text, "Z")) {
        *ret_offset_ms = 0;
        return true;
    }
    if (text->length != 6 || (text->data[0] != '+' && text->data[0] != '-'))
        return false;
    int sign = text->data[0] == '-' ? -1 : 1;

    text->data++, text->length--;
    if (!take_fixed(text, 2, 0, 23, ":", &hours) || !take_fixed(text, 2, 0, 59, "", &minutes))
        return false;
    *ret_offset_ms = sign * (hours * HOUR_MS + minutes * MINUTE_MS);
    return true;
}

static bool parse_time(struct span rest, int64_t *ret_unix_ms)
{
    int year, month, day, hour, minute, second;
    int64_t fraction_ms, offset_ms;

    if (!take_fixed(&rest, 4, 0, 9999, "-", &year) || !take_fixed(&rest, 2, 1, 12, "-", &month) ||
        !take_fixed(&rest, 2, 1, calendar_month_days(year, month), "T", &day) ||
        !take_fixed(&rest, 2, 0, 23, ":", &hour) || !take_fixed(&rest, 2, 0, 59, ":", &minute) ||
        !take_fixed(&rest, 2, 0, 59, "", &second) || !take_fraction(&rest, &fraction_ms) ||
        !take_offset(&rest, &offset_ms))
        return false;
    *ret_unix_ms = calendar_days(year, month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS +
                   second * SECOND_MS + fraction_ms - offset_ms;
    return true;
}

int num_time_ms(struct span text, int64_t *ret_unix_ms, struct err *err)
{
    int shown = text.length < 64 ? (int)text.length : 64;

    if (parse_time(text, ret_unix_ms))
        return 0;
    return err_set(err, ERR_INVALID, "must be a time like 2026-11-23T07:00:00Z, not \"%.*s\"",
                   shown, text.length > 0 ? text.data : "");
}

/* The last so many digits of a number. Returns where the text goes on. */
static char *put_digits(char *at, int64_t value, int count)
{
    for (int i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

/* The time up to seconds, without a zone. Returns where the text goes on. By hand: a status has
 * dozens of times, and is written whenever it is looked at. */
static char *put_seconds(char text[NUM_TIME_TEXT], int64_t unix_ms, int64_t *ret_rest_ms)
{
    static const struct {
        int64_t unit_ms;
        char before;
    } parts[] = { { HOUR_MS, 'T' }, { MINUTE_MS, ':' }, { SECOND_MS, ':' } };
    int64_t days = unix_ms / DAY_MS, rest_ms = unix_ms % DAY_MS, year;
    int month, day;
    char *at = text;

    if (rest_ms < 0) {
        rest_ms += DAY_MS;
        days--;
    }
    calendar_date(days, &year, &month, &day);
    if (year >= 0 && year <= 9999)
        at = put_digits(at, year, 4);
    else
        at += snprintf(at, NUM_TIME_TEXT, "%04" PRId64, year);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        *at++ = parts[i].before;
        at = put_digits(at, rest_ms / parts[i].unit_ms, 2);
        rest_ms %= parts[i].unit_ms;
    }
    *ret_rest_ms = rest_ms;
    return at;
}

void num_format_time(int64_t unix_ms, char text[NUM_TIME_TEXT])
{
    int64_t rest_ms;
    char *at = put_seconds(text, unix_ms, &rest_ms);

    memcpy(at, "Z", sizeof("Z"));
}

void num_format_micro_time(int64_t unix_ms, char text[NUM_TIME_TEXT])
{
    int64_t rest_ms;
    char *at = put_seconds(text, unix_ms, &rest_ms);

    *at++ = '.';
    at = put_digits(at, rest_ms, 3);
    memcpy(at, "000Z", sizeof("000Z"));
}

void num_format_nano_time(int64_t unix_ns, char text[NUM_TIME_TEXT])
{
    int64_t rest_ns = unix_ns % NANO, unix_s = unix_ns / NANO, rest_ms;
    char *at;

    if (rest_ns < 0) {
        rest_ns += NANO;
        unix_s--;
    }
    at = put_seconds(text, unix_s * SECOND_MS, &rest_ms);
    *at++ = '.';
    at = put_digits(at, rest_ns, 9);
    memcpy(at, "Z", sizeof("Z"));
}
