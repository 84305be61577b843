/* Goal: local time is what the IANA database says, before, between and after the transitions that
 * a file lists, and a damaged file is refused.
 * Method: zones of the installed database at times around their changes; rules alone for far
 * years; a small file made by hand, cut at every byte and damaged in every count. */
#include "unit.h"

#include "base/num.h"
#include "base/zone.h"

static int64_t seconds(const char *time)
{
    int64_t ms;
    struct err err;

    if (num_time_ms(span_of(time), &ms, &err) < 0)
        fail_msg("%s: %s", time, err.message);
    return ms / 1000;
}

static void test_zones_of_the_database(void **state)
{
    static const struct {
        const char *zone, *time;
        int32_t offset;
        const char *until; /* NULL: not looked at */
    } cases[] = {
        { "UTC", "2026-07-01T00:00:00Z", 0, NULL },
        { "Etc/UTC", "2026-07-01T00:00:00Z", 0, NULL },
        { "Europe/Berlin", "2026-03-29T00:59:59Z", 3600, "2026-03-29T01:00:00Z" },
        { "Europe/Berlin", "2026-03-29T01:00:00Z", 7200, "2026-10-25T01:00:00Z" },
        { "Europe/Berlin", "2026-10-25T01:00:00Z", 3600, "2027-03-28T01:00:00Z" },
        { "Europe/Berlin", "2036-07-01T00:00:00Z", 7200, "2036-10-26T01:00:00Z" },
        { "Europe/Berlin", "2037-12-31T00:00:00Z", 3600, "2038-03-28T01:00:00Z" },
        { "Europe/Berlin", "2050-07-01T00:00:00Z", 7200, "2050-10-30T01:00:00Z" },
        { "Europe/Berlin", "1950-07-01T00:00:00Z", 3600, NULL },
        { "America/New_York", "2026-03-08T06:59:59Z", -18000, "2026-03-08T07:00:00Z" },
        { "America/New_York", "2026-03-08T07:00:00Z", -14400, "2026-11-01T06:00:00Z" },
        { "America/New_York", "2100-07-01T00:00:00Z", -14400, NULL },
        { "Australia/Sydney", "2026-01-01T00:00:00Z", 39600, "2026-04-04T16:00:00Z" },
        { "Australia/Sydney", "2060-01-01T00:00:00Z", 39600, NULL },
        { "Australia/Sydney", "2060-07-01T00:00:00Z", 36000, NULL },
        { "Australia/Lord_Howe", "2026-06-01T00:00:00Z", 37800, NULL },
        { "Australia/Lord_Howe", "2060-12-01T00:00:00Z", 39600, NULL },
        { "America/Sao_Paulo", "2018-11-04T02:59:59Z", -10800, "2018-11-04T03:00:00Z" },
        { "America/Sao_Paulo", "2018-11-04T03:00:00Z", -7200, "2019-02-17T02:00:00Z" },
        { "America/Sao_Paulo", "2026-01-01T00:00:00Z", -10800, NULL },
        { "Asia/Kolkata", "2026-01-01T00:00:00Z", 19800, NULL },
        { "Pacific/Apia", "2011-12-30T09:59:59Z", -36000, "2011-12-30T10:00:00Z" },
        { "Pacific/Apia", "2011-12-30T10:00:00Z", 50400, NULL },
        { "Europe/Dublin", "2050-01-01T00:00:00Z", 0, NULL },
        { "Europe/Dublin", "2050-07-01T00:00:00Z", 3600, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *name = mem_format("%s at %s", cases[i].zone, cases[i].time);
        auto_arena struct arena arena = { 0 };
        struct zone zone;
        struct err err;
        int64_t until_s;

        if (zone_read(ZONE_FOLDER, cases[i].zone, &arena, &zone, &err) < 0)
            fail_msg("%s", err.message);
        CASE(name, zone_offset(&zone, seconds(cases[i].time), &until_s) == cases[i].offset);
        CASE(name, !cases[i].until || until_s == seconds(cases[i].until));
    }
}

/* A list of transitions and the rule that continues it meet without a gap: what holds until
 * until_s is not what holds from then on, and time goes on. */
static void test_segments_follow_each_other(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct zone zone;
    struct err err;
    int64_t at_s = seconds("1960-01-01T00:00:00Z"), until_s;
    int changes = 0;

    (void)state;
    assert_int_equal(zone_read(ZONE_FOLDER, "Europe/Berlin", &arena, &zone, &err), 0);
    for (; at_s < seconds("2100-01-01T00:00:00Z"); at_s = until_s, changes++) {
        int32_t offset = zone_offset(&zone, at_s, &until_s);
        int64_t ignored_s;

        assert_true(until_s > at_s);
        assert_int_equal(zone_offset(&zone, until_s - 1, &ignored_s), offset);
    }
    assert_int_equal(changes, 2 * (2100 - 1980) + 1); /* summer time since 1980 */
}

static void test_rules(void **state)
{
    static const struct {
        const char *rule, *time;
        int32_t offset;
    } cases[] = {
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T00:59:59Z", 3600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27T01:00:00Z", 7200 },
        { "EST5EDT,M3.2.0,M11.1.0", "2050-11-06T05:59:59Z", -14400 },
        { "EST5EDT,M3.2.0,M11.1.0", "2050-11-06T06:00:00Z", -18000 },
        { "<-03>3", "2050-01-01T00:00:00Z", -10800 },
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2050-07-01T00:00:00Z", 3600 },
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2050-12-01T00:00:00Z", 0 },
        { "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2050-12-01T00:00:00Z", 39600 },
        { "EET-2EEST,M3.4.4/50,M10.4.4/50", "2050-03-25T23:59:59Z", 7200 }, /* Gaza */
        { "EET-2EEST,M3.4.4/50,M10.4.4/50", "2050-03-26T00:00:00Z", 10800 },
        { "AAA0BBB,J60/0,J300/0", "2052-02-29T12:00:00Z", 0 }, /* J60 is 1 March */
        { "AAA0BBB,J60/0,J300/0", "2052-03-01T00:00:00Z", 3600 },
        { "AAA0BBB,59/0,300/0", "2052-02-29T00:00:00Z", 3600 },
        { "AAA0BBB,59/-1,300/0", "2052-02-28T23:00:00Z", 3600 },
        { "XXX3EDT4,0/0,J365/23", "2050-01-01T02:59:59Z", -14400 }, /* all the year */
        { "XXX3EDT4,0/0,J365/23", "2050-07-01T00:00:00Z", -14400 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct zone zone = { .has_rule = true };
        struct err err;
        int64_t until_s;

        if (zone_parse_rule(span_of(cases[i].rule), &zone.rule, &err) < 0)
            fail_msg("%s: %s", cases[i].rule, err.message);
        CASE(cases[i].rule,
             zone_offset(&zone, seconds(cases[i].time), &until_s) == cases[i].offset);
    }
}

static void test_bad_rules(void **state)
{
    static const char *const cases[] = {
        "",
        "CET",
        "CE-1",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-25",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,366,5",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M3.5.0,M10.5.0 ",
        "<CET-1",
        "<>3",
        "CET-1:60",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct zone_rule rule;
        struct err err;

        CASE(cases[i], zone_parse_rule(span_of(cases[i]), &rule, &err) < 0);
        CASE(cases[i], err.kind == ERR_INVALID);
    }
}

/* One transition, at 1000 seconds, from 0 to an hour; then the rule of Berlin. */
#define HEADER "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
static const char made_file[] = HEADER "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1"
                                       "\0\0\0\0\0\0"
                                       "X" HEADER "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\4"
                                       "\0\0\0\0\0\0\3\350"
                                       "\1"
                                       "\0\0\0\0\0\0\0\0\16\20\0\0"
                                       "ABC\0"
                                       "\nCET-1CEST,M3.5.0,M10.5.0/3\n";

static int parse(const char *bytes, size_t length, struct zone *ret_zone)
{
    static struct arena arena;
    struct err err = { 0 };
    int outcome;

    arena_release(&arena);
    outcome = zone_parse((struct span){ bytes, length }, &arena, ret_zone, &err);
    assert_true(outcome == 0 || err.kind == ERR_INVALID);
    if (outcome < 0)
        arena_release(&arena);
    return outcome;
}

static void test_a_file_made_by_hand(void **state)
{
    struct zone zone;
    int64_t until_s;

    (void)state;
    assert_int_equal(parse(made_file, sizeof(made_file) - 1, &zone), 0);
    assert_int_equal(zone_offset(&zone, 999, &until_s), 0);
    assert_int_equal(until_s, 1000);
    assert_int_equal(zone_offset(&zone, 1000, &until_s), 3600);
    assert_int_equal(zone_offset(&zone, seconds("2026-07-01T00:00:00Z"), &until_s), 7200);
    for (size_t length = 0; length < sizeof(made_file) - 1; length++)
        assert_int_equal(parse(made_file, length, &zone), -1);
}

static void test_damaged_files(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        char byte;
    } cases[] = {
        { "magic", 0, 'X' },
        { "version 1", 4, 0 },
        { "count of types beyond the end", 36, 0x7f },
        { "count of characters beyond the end", 40, (char)0xff },
        { "leap seconds", 51 + 31, 1 },
        { "no type", 51 + 39, 0 },
        { "unknown type of a transition", 51 + 44 + 8, 2 },
        { "an offset of years", 51 + 44 + 9, 0x7f },
        { "no rule begins", sizeof(made_file) - 1 - 28, 'X' },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char bytes[sizeof(made_file)];
        struct zone zone;

        memcpy(bytes, made_file, sizeof(bytes));
        CASE(cases[i].name, bytes[cases[i].at] != cases[i].byte);
        bytes[cases[i].at] = cases[i].byte;
        CASE(cases[i].name, parse(bytes, sizeof(bytes) - 1, &zone) == -1);
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "",        "/etc/passwd", "../../etc/passwd", "Europe//Berlin",
        "Europe/", "a b",         "Local;",           "Europe/Berlin\n"
    };
    auto_arena struct arena arena = { 0 };
    struct zone zone;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CASE(bad[i], zone_read(ZONE_FOLDER, bad[i], &arena, &zone, &err) < 0);
        CASE(bad[i], err.kind == ERR_INVALID);
    }
    assert_int_equal(zone_read(ZONE_FOLDER, "Mars/Olympus", &arena, &zone, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(zone_read(NULL, "Europe/Berlin", &arena, &zone, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(zone_read(NULL, "UTC", &arena, &zone, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones_of_the_database),
        cmocka_unit_test(test_segments_follow_each_other),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_a_file_made_by_hand),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
