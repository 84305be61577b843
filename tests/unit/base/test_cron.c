/* Goal: a schedule ticks when Kubernetes' CronJob would, also where clocks change.
 * Method: the ticks that follow a time, as a table in the zones of the database and compared with
 * a walk over every minute; the last tick of a stretch; bad schedules with what is said about them.
 */
#include "unit.h"

#include "base/calendar.h"
#include "base/cron.h"
#include "base/num.h"

static int64_t seconds(const char *time)
{
    int64_t ms;

    assert_int_equal(num_time_ms(span_of(time), &ms, NULL), 0);
    return ms / 1000;
}

static struct cron parse(const char *text)
{
    struct cron cron;
    struct err err;

    if (cron_parse(text, &cron, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return cron;
}

static struct zone read_zone(const char *name, struct arena *arena)
{
    struct zone zone;
    struct err err;

    if (zone_read(ZONE_FOLDER, name, arena, &zone, &err) < 0)
        fail_msg("%s", err.message);
    return zone;
}

static void test_next(void **state)
{
    static const struct {
        const char *schedule, *zone, *after, *next;
    } cases[] = {
        { "0 3 * * 0", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T03:00:00Z" },
        { "0 3 * * 0", "UTC", "2026-01-04T02:59:59Z", "2026-01-04T03:00:00Z" },
        { "0 3 * * 0", "UTC", "2026-01-04T03:00:00Z", "2026-01-11T03:00:00Z" },
        { "* * * * *", "UTC", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z" },
        { "*/15 * * * *", "UTC", "2026-01-01T00:46:00Z", "2026-01-01T01:00:00Z" },
        { "5/20 * * * *", "UTC", "2026-01-01T00:26:00Z", "2026-01-01T00:45:00Z" },
        { "10-20/5 0 * * *", "UTC", "2026-01-01T00:10:00Z", "2026-01-01T00:15:00Z" },
        { "0 0,12 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z" },
        { "30 4 1,15 * *", "UTC", "2026-01-01T05:00:00Z", "2026-01-15T04:30:00Z" },
        { "0 0 1 jan *", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z" },
        { "0 0 * MAR-May MON", "UTC", "2026-01-01T00:00:00Z", "2026-03-02T00:00:00Z" },
        { "0 0 * * mon-fri", "UTC", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z" },
        /* both days restricted: either; a step restricts, "*" and "?" do not */
        { "0 0 13 * 5", "UTC", "2026-01-03T00:00:00Z", "2026-01-09T00:00:00Z" },
        { "0 0 13 * 5", "UTC", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z" },
        { "0 0 13 * ?", "UTC", "2026-01-03T00:00:00Z", "2026-01-13T00:00:00Z" },
        { "0 0 */2 * 1", "UTC", "2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z" },
        { "0 0 */2 * 1", "UTC", "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z" },
        { "0 0 */1 * 1", "UTC", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z" },
        { "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z" },
        { "0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z" },
        /* a time zone */
        { "0 3 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z" },
        { "0 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z" },
        { "0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z" },
        { "0 3 * * *", "Europe/Berlin", "2060-07-01T02:00:00Z", "2060-07-02T01:00:00Z" },
        /* 02:30 does not exist on 29 March 2026 in Berlin: the day is left out */
        { "30 2 * * *", "Europe/Berlin", "2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z" },
        { "0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z" },
        /* 02:30 comes twice on 25 October 2026 */
        { "30 2 * * *", "Europe/Berlin", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z" },
        { "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z" },
        { "30 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z" },
        /* midnight does not exist on 4 November 2018 in Sao Paulo */
        { "0 0 * * *", "America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z" },
        { "30 1 * * *", "America/Sao_Paulo", "2018-11-03T05:00:00Z", "2018-11-04T03:30:00Z" },
        /* half an hour in Lord Howe; a day that Apia never had */
        { "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T15:15:00Z" },
        { "0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", "2012-12-29T22:00:00Z" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *name =
            mem_format("%s %s after %s", cases[i].schedule, cases[i].zone, cases[i].after);
        auto_arena struct arena arena = { 0 };
        struct zone zone = read_zone(cases[i].zone, &arena);
        struct cron cron = parse(cases[i].schedule);
        int64_t tick_s;
        char text[NUM_TIME_TEXT];

        CASE(name, cron_next(&cron, &zone, seconds(cases[i].after), &tick_s));
        num_format_time(tick_s * 1000, text);
        if (strcmp(text, cases[i].next) != 0)
            fail_msg("%s: %s, not %s", name, text, cases[i].next);
    }
}

/* The definition, minute by minute. */
static bool ticks_at(const struct cron *cron, const struct zone *zone, int64_t time_s)
{
    int64_t until_s, local_s = time_s + zone_offset(zone, time_s, &until_s);
    int64_t days = local_s / 86400, year;
    int minute = (int)(local_s / 60 % 60), hour = (int)(local_s / 3600 % 24), month, day;

    calendar_date(days, &year, &month, &day);
    bool by_day = cron->days >> day & 1, by_weekday = cron->weekdays >> calendar_weekday(days) & 1;
    bool is_day = cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
    return local_s % 60 == 0 && (cron->minutes >> minute & 1) && (cron->hours >> hour & 1) &&
           (cron->months >> month & 1) && is_day;
}

static void test_next_and_last_against_every_minute(void **state)
{
    static const char *const schedules[] = { "*/7 * * * *", "30 1-3 * * *", "0 0 * * 0",
                                             "59 23 31 3,10 1-5" };
    static const char *const zones[] = { "Europe/Berlin", "Australia/Lord_Howe",
                                         "America/New_York" };
    static const char *const begins[] = { "2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z",
                                          "2026-10-03T00:00:00Z", "2026-10-24T00:00:00Z",
                                          "2026-10-31T00:00:00Z" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(schedules) * ARRAY_SIZE(zones) * ARRAY_SIZE(begins); i++) {
        auto_arena struct arena arena = { 0 };
        struct cron cron = parse(schedules[i % ARRAY_SIZE(schedules)]);
        struct zone zone = read_zone(zones[i / ARRAY_SIZE(schedules) % ARRAY_SIZE(zones)], &arena);
        int64_t begin_s = seconds(begins[i / ARRAY_SIZE(schedules) / ARRAY_SIZE(zones)]);
        int64_t expected_s = 0, tick_s, next_s;

        assert_true(cron_next(&cron, &zone, begin_s, &next_s));
        for (int64_t at_s = begin_s + 60; at_s <= begin_s + 3 * 86400; at_s += 60) {
            bool ticks = ticks_at(&cron, &zone, at_s), found;

            assert_int_equal(ticks, next_s == at_s);
            if (ticks) {
                expected_s = at_s;
                assert_true(cron_next(&cron, &zone, at_s, &next_s));
            }
            if (!ticks && at_s / 60 % 11 != 0)
                continue;
            found = cron_last(&cron, &zone, begin_s, at_s, &tick_s);
            assert_int_equal(found, expected_s > 0);
            assert_true(!found || tick_s == expected_s);
        }
    }
}

static void test_last_of_years(void **state)
{
    struct cron cron = parse("* * * * *");
    int64_t tick_s;

    (void)state;
    assert_true(cron_last(&cron, &zone_utc, seconds("1990-01-01T00:00:00Z"),
                          seconds("2026-01-01T00:00:59Z"), &tick_s));
    assert_int_equal(tick_s, seconds("2026-01-01T00:00:00Z"));
    assert_false(cron_last(&cron, &zone_utc, tick_s, tick_s, &tick_s));
    assert_false(cron_last(&cron, &zone_utc, tick_s + 3600, tick_s, &tick_s));
}

static void test_bad_schedules(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "must have five fields" },
        { "0 3 * *", "must have five fields" },
        { "0 3 * * 0 2026", "must have five fields" },
        { "@weekly", "must have five fields" },
        { "TZ=UTC 0 3 * * 0", "must have five fields" },
        { "60 3 * * 0", "minute: must be" },
        { "0 24 * * 0", "hour: must be" },
        { "0 3 0 * *", "day of month: must be" },
        { "0 3 * 13 *", "month: must be" },
        { "0 3 * * 7", "day of week: must be \"*\", numbers from 0 to 6, names" },
        { "0 3 * * sunday", "day of week: must be" },
        { "0 3 mon * *", "day of month: must be" },
        { "0-60 3 * * *", "minute: must be" },
        { "5-1 3 * * *", "minute: must be" },
        { "1-2-3 3 * * *", "minute: must be" },
        { "*/0 3 * * *", "minute: must be" },
        { "*/ 3 * * *", "minute: must be" },
        { "1/2/3 3 * * *", "minute: must be" },
        { "1, 3 * * *", "minute: must be" },
        { ",1 3 * * *", "minute: must be" },
        { "1,,2 3 * * *", "minute: must be" },
        { "-1 3 * * *", "minute: must be" },
        { "*-5 3 * * *", "minute: must be" },
        { "0 0 30 2 *", "must name a day that exists" },
        { "0 0 31 4,6,9,11 *", "must name a day that exists" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cron cron;
        struct err err;

        CASE(cases[i].text, cron_parse(cases[i].text, &cron, &err) < 0);
        if (!strstr(err.message, cases[i].message))
            fail_msg("%s: \"%s\"", cases[i].text, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_next_and_last_against_every_minute),
        cmocka_unit_test(test_last_of_years),
        cmocka_unit_test(test_bad_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
