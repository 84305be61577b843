/* Goal: numbers, quantities, durations and times are read exactly, whole and in
 * range, and what is printed reads back as the same value.
 * Method: tables of text and expected value; refusals in tables of their own. */
#include "unit.h"

#include <math.h>

#include "base/num.h"
#include "base/random.h"

static void integers_are_read_whole_and_in_range(void **state)
{
    static const struct {
        const char *text;
        int64_t minimum, maximum;
        bool valid;
        int64_t value;
    } cases[] = {
        { "0", 0, 9, true, 0 },
        { "-5", -5, 5, true, -5 },
        { "007", 0, 9, true, 7 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
        { "9223372036854775808", INT64_MIN, INT64_MAX, false, 0 },
        { "10", 0, 9, false, 0 },
        { "-1", 0, 9, false, 0 },
        { "", 0, 9, false, 0 },
        { "-", -9, 9, false, 0 },
        { "+1", 0, 9, false, 0 },
        { " 1", 0, 9, false, 0 },
        { "1 ", 0, 9, false, 0 },
        { "1.0", 0, 9, false, 0 },
        { "12abc", 0, 99, false, 0 },
        { "0x1", 0, 99, false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        int64_t value = 4711;
        int result =
            num_int64(span_of(cases[i].text), cases[i].minimum, cases[i].maximum, &value, &err);

        CASE(cases[i].text, (result == 0) == cases[i].valid);
        CASE(cases[i].text, value == (cases[i].valid ? cases[i].value : 4711));
        CASE(cases[i].text, err.kind == (cases[i].valid ? ERR_NONE : ERR_INVALID));
    }
}

static void integer_errors_say_what_was_expected(void **state)
{
    struct err err = { 0 };
    int64_t value;

    (void)state;
    assert_int_equal(num_int64(span_of("ten"), 0, 10, &value, &err), -1);
    assert_string_equal(err.message, "must be an integer from 0 to 10, not \"ten\"");
}

static void decimals_are_correctly_rounded(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        { "0", 0.0 },
        { "-0", -0.0 },
        { "12", 12.0 },
        { "+12", 12.0 },
        { "-3.5", -3.5 },
        { ".5", 0.5 },
        { "5.", 5.0 },
        { "1e-3", 1e-3 },
        { "1E+3", 1e3 },
        { "0.1", 0.1 },
        { "123456789012345678901234567890", 123456789012345678901234567890.0 },
        { "0.000000000000000000000000000001", 1e-30 },
        { "9007199254740993", 9007199254740992.0 },
        { "9007199254740993.00000000000000000000000001", 9007199254740994.0 },
        { "2.2250738585072011e-308", 2.2250738585072011e-308 },
        { "4.9406564584124654e-324", 0x1p-1074 },
        { "1.7976931348623157e308", 1.7976931348623157e308 },
        { "1e-999999999999", 0.0 },
        { "0e999999999999", 0.0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double value = 4711;

        CASE(cases[i].text, num_double(span_of(cases[i].text), &value, NULL) == 0);
        CASE(cases[i].text, memcmp(&value, &cases[i].value, sizeof(value)) == 0);
    }
}

static void what_is_no_decimal_is_refused(void **state)
{
    static const char *const cases[] = {
        "",     "+",    "-",     ".",     "e5",    "1e",       "1e+",   "nan",   "inf",
        "-inf", "0x10", "0x1p3", "1,5",   "1.2.3", " 1",       "1 ",    "1e400", "-1e400",
        "1e5.", "--1",  "1d",    "1_000", "NaN",   "Infinity", "1e1e1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double value = 4711;

        CASE(cases[i], !num_double_quick(span_of(cases[i]), &value));
        CASE(cases[i], value == 4711);
    }
}

static void printed_doubles_read_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.1, "0.1" }, { 1e300, "1e+300" },  { 0x1p-1074, "5e-324" },
        { 100, "100" }, { -2.5, "-2.5" },     { 1.0 / 3, "0.3333333333333333" },
        { 0, "0" },     { 5e-310, "5e-310" },
    };
    struct random random;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[NUM_DOUBLE_TEXT];

        assert_int_equal(num_format_double(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    random_seed(&random, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_next(&random);
        char text[NUM_DOUBLE_TEXT];
        double value, again;

        memcpy(&value, &bits, sizeof(value));
        if (value - value != 0)
            continue;
        size_t length = num_format_double(value, text);

        CASE(text, length < NUM_DOUBLE_TEXT);
        CASE(text, num_double_quick((struct span){ text, length }, &again));
        CASE(text, again == value);
    }
}

static void fixed_places(void **state)
{
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {
        { 0.86714, 4, "0.8671" }, { -0.00001, 2, "0.00" }, { -0.0, 0, "0" },       { 2.5, 0, "2" },
        { 1e300, 2, "1e+300" },   { -1.5, 1, "-1.5" },     { 1234, 2, "1234.00" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[NUM_DOUBLE_TEXT];

        assert_int_equal(num_format_fixed(cases[i].value, cases[i].decimals, text),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

/* Rounding is that of the C library's printf, also of what is exactly between two numbers. */
static void fixed_places_are_those_of_printf(void **state)
{
    struct random random;

    (void)state;
    random_seed(&random, 21);
    for (int i = 0; i < 200000; i++) {
        int decimals = (int)random_below(&random, 13);
        double scale = ldexp(1, (int)random_below(&random, 60) - 40);
        double value = (random_unit(&random) - 0.5) * scale;
        char text[NUM_DOUBLE_TEXT], expected[64];

        if (random_below(&random, 2) == 0) /* ties */
            value = ldexp((double)random_below(&random, 100000), -(int)random_below(&random, 12));
        int length = snprintf(expected, sizeof(expected), "%.*f", decimals, value);

        if (length >= NUM_DOUBLE_TEXT || (value < 0 && strspn(expected, "-0.") == (size_t)length))
            continue;
        assert_int_equal(num_format_fixed(value, decimals, text), length);
        assert_string_equal(text, expected);
    }
}

/* Short decimals are read another way than those with an exponent. */
static void both_ways_of_reading_agree(void **state)
{
    static const char characters[] = "0123456789.";
    struct random random;

    (void)state;
    random_seed(&random, 22);
    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t length = 1 + random_below(&random, 18);
        double quick = -1, other = -1;

        for (size_t j = 0; j < length; j++)
            text[j] = characters[random_below(&random, j == 0 ? 10 : 11)];
        memcpy(text + length, "e0", 2);
        bool is_number = num_double_quick((struct span){ text, length }, &quick);

        assert_int_equal(is_number, num_double_quick((struct span){ text, length + 2 }, &other));
        assert_true(quick == other);
    }
}

/* What is read eight bytes at once, and what is too long or no such number. */
static void numbers_with_room_are_read_the_same(void **state)
{
    static const char *const alphabets[] = { "0123456789", "0123456789.",
                                             "0123456789.-+eE /:", "09.\x80\xae\xb0\xff" };
    struct random random;

    (void)state;
    random_seed(&random, 23);
    for (int i = 0; i < 400000; i++) {
        const char *alphabet = alphabets[i % (int)ARRAY_SIZE(alphabets)];
        size_t length = random_below(&random, 12);
        char text[12 + SPAN_ROOM];
        double quick = 4711, roomy = 4711;

        for (size_t j = 0; j < sizeof(text); j++)
            text[j] = alphabet[random_below(&random, strlen(alphabet))];
        bool is_number = num_double_quick((struct span){ text, length }, &quick);

        assert_int_equal(num_double_roomy((struct span){ text, length }, &roomy), is_number);
        assert_true(quick == roomy);
    }
}

static void quantities_are_exact(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t milli;
    } cases[] = {
        { "0", true, 0 },
        { "1", true, 1000 },
        { "500m", true, 500 },
        { "1.5", true, 1500 },
        { "0.001", true, 1 },
        { "1e3", true, 1000000 },
        { "1E3", true, 1000000 },
        { "1E", false, 0 },
        { "1k", true, 1000000 },
        { "1Ki", true, 1024000 },
        { "1Gi", true, INT64_C(1073741824000) },
        { "0.5Ki", true, 512000 },
        { "1.5Gi", true, INT64_C(1610612736000) },
        { "+2", true, 2000 },
        { "-2", true, -2000 },
        { "1000000n", true, 1 },
        { "1000u", true, 1 },
        { "1.10000000000000000000", true, 1100 },
        { "1u", false, 0 },
        { "0.0001", false, 0 },
        { "1.5m", false, 0 },
        { "8Ei", false, 0 },
        { "", false, 0 },
        { "m", false, 0 },
        { "1 Gi", false, 0 },
        { "1gi", false, 0 },
        { "1K", false, 0 },
        { "1e3m", false, 0 },
        { "1E3k", false, 0 },
        { "1e", false, 0 },
        { "nan", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t milli = 4711;
        bool valid = num_quantity_milli(span_of(cases[i].text), &milli, NULL) == 0;

        CASE(cases[i].text, valid == cases[i].valid);
        CASE(cases[i].text, milli == (valid ? cases[i].milli : 4711));
    }
}

static void durations_both_ways(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *printed;
    } cases[] = {
        { "0", 0, "0s" },
        { "0s", 0, "0s" },
        { "5m", 300000, "5m" },
        { "5m0s", 300000, "5m" },
        { "1h30m", 5400000, "1h30m" },
        { "90m", 5400000, "1h30m" },
        { "1.5s", 1500, "1.5s" },
        { "1.005s", 1005, "1.005s" },
        { "100ms", 100, "100ms" },
        { "1h1ms", 3600001, "1h0.001s" },
        { "0.5h", 1800000, "30m" },
        { ".5s", 500, "500ms" },
        { "10s", 10000, "10s" },
        { "100s", 100000, "1m40s" },
        { "24h", 86400000, "24h" },
        { "2562047h", INT64_C(9223369200000), "2562047h" },
    };
    static const char *const refused[] = {
        "",    "5",     "-5m", "+5m",      "m",    ".s",       "5 m",
        "5m ", "5d",    "1us", "1.5ms",    "1e3s", "2562048h", "99999999999999999999h",
        "00",  "1h-5m", "5M",  "0.00001s",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char printed[NUM_DURATION_TEXT];
        int64_t ms = -1, again = -1;

        CASE(cases[i].text, num_duration_ms(span_of(cases[i].text), &ms, NULL) == 0);
        CASE(cases[i].text, ms == cases[i].ms);
        assert_int_equal(num_format_duration(ms, printed), strlen(cases[i].printed));
        assert_string_equal(printed, cases[i].printed);
        CASE(printed, num_duration_ms(span_of(printed), &again, NULL) == 0 && again == ms);
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        int64_t ms = -1;

        CASE(refused[i], num_duration_ms(span_of(refused[i]), &ms, NULL) == -1 && ms == -1);
    }
}

static void times_both_ways(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *printed, *printed_micro;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z" },
        { "2026-11-23T07:00:00Z", 1795417200000, "2026-11-23T07:00:00Z",
          "2026-11-23T07:00:00.000000Z" },
        { "2026-11-23T09:00:00+02:00", 1795417200000, "2026-11-23T07:00:00Z",
          "2026-11-23T07:00:00.000000Z" },
        { "2024-02-29T23:59:59.1239Z", 1709251199123, "2024-02-29T23:59:59Z",
          "2024-02-29T23:59:59.123000Z" },
        { "2000-03-01T00:00:00-00:30", 951870600000, "2000-03-01T00:30:00Z",
          "2000-03-01T00:30:00.000000Z" },
        { "1969-12-31T23:59:59.5Z", -500, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.500000Z" },
        { "0000-01-01T00:00:00Z", -62167219200000, "0000-01-01T00:00:00Z",
          "0000-01-01T00:00:00.000000Z" },
        { "9999-12-31T23:59:59Z", 253402300799000, "9999-12-31T23:59:59Z",
          "9999-12-31T23:59:59.000000Z" },
    };
    static const char *const refused[] = {
        "",
        "2026-11-23",
        "2026-11-23T07:00:00",
        "2026-11-23 07:00:00Z",
        "2026-11-23T07:00Z",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T07:60:00Z",
        "2026-11-23T07:00:60Z",
        "2026-11-23T07:00:00.Z",
        "2026-11-23T07:00:00+0200",
        "2026-11-23T07:00:00Zx",
        "2026-00-23T07:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char printed[NUM_TIME_TEXT];
        int64_t ms = 4711;

        CASE(cases[i].text, num_time_ms(span_of(cases[i].text), &ms, NULL) == 0);
        assert_int_equal(ms, cases[i].ms);
        num_format_time(ms, printed);
        assert_string_equal(printed, cases[i].printed);
        num_format_micro_time(ms, printed);
        assert_string_equal(printed, cases[i].printed_micro);
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        int64_t ms = 4711;

        CASE(refused[i], num_time_ms(span_of(refused[i]), &ms, NULL) == -1 && ms == 4711);
    }
}

static void nanoseconds_sort_as_text(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = { { -1, "1969-12-31T23:59:59.999999999Z" },
                  { 0, "1970-01-01T00:00:00.000000000Z" },
                  { 1, "1970-01-01T00:00:00.000000001Z" },
                  { 1767225600123456789, "2026-01-01T00:00:00.123456789Z" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[NUM_TIME_TEXT];

        num_format_nano_time(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        CASE(text, i == 0 || strcmp(cases[i - 1].text, text) < 0);
    }
}

/* Against the C library's calendar, over the years that it and we both know. */
static void every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -200000; day < 200000; day += 7) {
        char ours[NUM_TIME_TEXT], theirs[NUM_TIME_TEXT];
        time_t seconds = (time_t)(day * 86400);
        struct tm calendar;

        gmtime_r(&seconds, &calendar);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &calendar);
        num_format_time(day * 86400000, ours);
        assert_string_equal(ours, theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_whole_and_in_range),
        cmocka_unit_test(integer_errors_say_what_was_expected),
        cmocka_unit_test(decimals_are_correctly_rounded),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(printed_doubles_read_back),
        cmocka_unit_test(fixed_places),
        cmocka_unit_test(fixed_places_are_those_of_printf),
        cmocka_unit_test(both_ways_of_reading_agree),
        cmocka_unit_test(numbers_with_room_are_read_the_same),
        cmocka_unit_test(quantities_are_exact),
        cmocka_unit_test(durations_both_ways),
        cmocka_unit_test(times_both_ways),
        cmocka_unit_test(nanoseconds_sort_as_text),
        cmocka_unit_test(every_day_agrees_with_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
