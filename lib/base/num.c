#include "base/num.h"

#include <math.h>
#include <pthread.h>

#include "base/mem.h"

/* How much of an offending text a message quotes. */
#define QUOTED_MAXIMUM 64

static int not_a_number(struct span text, const char *expected, struct err *err)
{
    int shown = text.length < QUOTED_MAXIMUM ? (int)text.length : QUOTED_MAXIMUM;

    return err_set(err, ERR_INVALID, "must be %s, not \"%.*s%s\"", expected, shown,
                   text.length > 0 ? text.data : "", text.length > QUOTED_MAXIMUM ? "..." : "");
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* --- integers ------------------------------------------------------------- */

static bool parse_int64(struct span text, int64_t *ret_value)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t position = negative ? 1 : 0;
    int64_t value = 0;

    if (position == text.length)
        return false;
    for (; position < text.length; position++) {
        if (!is_digit(text.data[position]))
            return false;
        int digit = text.data[position] - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

int num_int64(struct span text, int64_t minimum, int64_t maximum, int64_t *ret_value,
              struct err *err)
{
    char expected[80];
    int64_t value;

    if (parse_int64(text, &value) && value >= minimum && value <= maximum) {
        *ret_value = value;
        return 0;
    }
    snprintf(expected, sizeof(expected), "an integer from %" PRId64 " to %" PRId64, minimum,
             maximum);
    return not_a_number(text, expected, err);
}

/* --- decimal numbers ------------------------------------------------------ */

/* A decimal number taken apart: its value is significand * 10^exponent unless
 * there were more significant digits than fit. */
struct decimal_parts {
    uint64_t significand;
    int64_t exponent;
    bool negative;
    bool inexact; /* digits were left out of the significand */
};

#define SIGNIFICAND_DIGITS 19 /* always fit 64 bits */
#define EXPONENT_MAXIMUM   100000

static size_t scan_digits(struct span text, size_t position, bool after_point, int *digit_count,
                          struct decimal_parts *parts)
{
    for (; position < text.length && is_digit(text.data[position]); position++) {
        uint64_t digit = (uint64_t)(text.data[position] - '0');

        if (*digit_count < SIGNIFICAND_DIGITS) {
            parts->significand = parts->significand * 10 + digit;
            *digit_count += parts->significand > 0;
            parts->exponent -= after_point;
        } else {
            parts->inexact = parts->inexact || digit > 0;
            parts->exponent += !after_point;
        }
    }
    return position;
}

/* [eE][+-]?digits at the end of the text. */
static bool scan_exponent(struct span text, size_t position, int64_t *exponent)
{
    bool negative = false;
    int64_t value = 0;

    if (position < text.length && (text.data[position] == '+' || text.data[position] == '-'))
        negative = text.data[position++] == '-';
    if (position == text.length)
        return false;
    for (; position < text.length; position++) {
        if (!is_digit(text.data[position]))
            return false;
        if (value < EXPONENT_MAXIMUM)
            value = value * 10 + (text.data[position] - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

/* Grammar: [+-]? (digits [. digits*] | . digits) ([eE] [+-]? digits)? */
static bool scan_decimal(struct span text, struct decimal_parts *parts)
{
    size_t position = 0, start, digits;
    int digit_count = 0;

    *parts = (struct decimal_parts){ 0 };
    if (text.length > 0 && (text.data[0] == '+' || text.data[0] == '-'))
        parts->negative = text.data[position++] == '-';
    start = position;
    position = scan_digits(text, position, false, &digit_count, parts);
    digits = position - start;
    if (position < text.length && text.data[position] == '.') {
        start = ++position;
        position = scan_digits(text, position, true, &digit_count, parts);
        digits += position - start;
    }
    if (digits == 0)
        return false;
    if (position == text.length)
        return true;
    if (text.data[position] != 'e' && text.data[position] != 'E')
        return false;
    return scan_exponent(text, position + 1, &parts->exponent);
}

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale) {
        fputs("the C locale is not available\n", stderr);
        abort();
    }
}

static double correctly_rounded(struct span text)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char short_text[128];

    pthread_once(&once, make_c_locale);
    if (text.length < sizeof(short_text)) {
        memcpy(short_text, text.data, text.length);
        short_text[text.length] = '\0';
        return strtod_l(short_text, NULL, c_locale);
    }
    auto_free char *long_text = mem_strndup(text.data, text.length);
    return strtod_l(long_text, NULL, c_locale);
}

/* Significands below 2^53 and powers of ten up to 10^22 are exact doubles, so
 * one multiplication or division rounds correctly (Clinger, "How to read
 * floating point numbers accurately", 1990). That covers what data files hold;
 * the C library does the rest. */
static const double powers_of_ten[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Up to SHORT_DIGITS digits with or without a point among them, which is what most cells
 * hold; false for everything else. */
#define SHORT_DIGITS 15 /* always below 2^53 */
static bool short_decimal(struct span text, double *ret_value)
{
    uint64_t significand = 0;
    size_t point = text.length; /* position of it */

    if (text.length == 0 || text.length > SHORT_DIGITS + 1 || !is_digit(text.data[0]))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (is_digit(text.data[i]))
            significand = significand * 10 + (uint64_t)(text.data[i] - '0');
        else if (text.data[i] == '.' && point == text.length)
            point = i;
        else
            return false;
    }
    if (point == text.length && text.length > SHORT_DIGITS)
        return false;
    size_t decimals = point < text.length ? text.length - point - 1 : 0;

    *ret_value = decimals > 0 ? (double)significand / powers_of_ten[decimals] : (double)significand;
    return true;
}

#define HIGHEST_BITS EACH_BYTE(0x80)

/* The highest bit of each byte that is no digit; of a digit, a byte has the value. */
static uint64_t find_others(uint64_t bytes)
{
    return (((bytes & ~HIGHEST_BITS) + EACH_BYTE(0x7f - 9)) | bytes) & HIGHEST_BITS;
}

/* Eight digits, one a byte, the first one lowest: to pairs, fours and all of them. */
static uint32_t join_digits(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8);
    return (uint32_t)(((digits & 0x000000ff000000ff) * (100 + (UINT64_C(1000000) << 32)) +
                       (digits >> 16 & 0x000000ff000000ff) * (1 + (UINT64_C(10000) << 32))) >>
                      32);
}

#define WORD_BYTES 8
bool num_double_roomy(struct span text, double *ret_value)
{
    if (text.length == 0 || text.length > WORD_BYTES)
        return num_double_quick(text, ret_value);
    unsigned zeros = WORD_BYTES - (unsigned)text.length; /* that stand in front */
    uint64_t digits = (span_load(text.data) ^ EACH_BYTE('0')) << 8 * zeros;
    uint64_t others = find_others(digits);

    if (others == 0) {
        *ret_value = join_digits(digits);
        return true;
    }
    /* One point among digits is taken out by moving up what is before it. */
    uint64_t before = (others >> 7) - 1, behind = ~((others << 1) - 1);
    uint64_t points = EACH_BYTE('.' ^ '0') & ~before & ~behind;

    if ((others & (others - 1)) != 0 || (digits & ~before & ~behind) != points || text.length == 1)
        return num_double_quick(text, ret_value);
    unsigned decimals = (unsigned)__builtin_clzll(others) / 8;

    *ret_value = join_digits((digits & before) << 8 | (digits & behind)) / powers_of_ten[decimals];
    return true;
}

bool num_double_quick(struct span text, double *ret_value)
{
    struct decimal_parts parts;
    double value;

    if (short_decimal(text, ret_value))
        return true;
    if (!scan_decimal(text, &parts))
        return false;
    if (!parts.inexact && parts.significand <= (UINT64_C(1) << 53) && parts.exponent >= -22 &&
        parts.exponent <= 22) {
        value = (double)parts.significand;
        value = parts.exponent < 0 ? value / powers_of_ten[-parts.exponent]
                                   : value * powers_of_ten[parts.exponent];
        *ret_value = parts.negative ? -value : value;
        return true;
    }
    value = correctly_rounded(text);
    if (!isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

int num_double(struct span text, double *ret_value, struct err *err)
{
    if (num_double_quick(text, ret_value))
        return 0;
    return not_a_number(text, "a decimal number", err);
}

/* 15 digits give every shorter decimal back as it was written, and 17 always
 * suffice; only below the normal range can fewer than 15 be the shortest. */
size_t num_format_double(double value, char text[NUM_DOUBLE_TEXT])
{
    int precision = fabs(value) < 0x1p-1022 ? 1 : 15;
    int length = snprintf(text, NUM_DOUBLE_TEXT, "%.*g", precision, value);

    while (precision < 17) {
        double again;

        if (num_double_quick((struct span){ text, (size_t)length }, &again) && again == value)
            break;
        length = snprintf(text, NUM_DOUBLE_TEXT, "%.*g", ++precision, value);
    }
    return (size_t)length;
}

/* value * 10^decimals, rounded as the decimal number that it exactly is; false when that may be
 * more than a double tells apart. The product is rounded once, by less than its distance to a
 * half, unless it is one. */
static bool scale_and_round(double size, int decimals, uint64_t *ret_scaled)
{
    if (decimals < 0 || (size_t)decimals >= ARRAY_SIZE(powers_of_ten))
        return false;
    double scaled = size * powers_of_ten[decimals];

    if (!(scaled < 1e15))
        return false;
    uint64_t whole = (uint64_t)scaled;
    double rest = scaled - (double)whole;

    if (rest == 0.5) {
        double lost = fma(size, powers_of_ten[decimals], -scaled);

        *ret_scaled = whole + (lost > 0 || (lost == 0 && whole % 2 == 1));
    } else {
        *ret_scaled = whole + (rest > 0.5);
    }
    return true;
}

/* The digits of a number in units of 10^-decimals, in text[0] to text[returned - 1]. */
static size_t print_scaled(uint64_t scaled, bool negative, int decimals, char *text)
{
    char reversed[NUM_DOUBLE_TEXT];
    size_t length = 0;

    for (int place = 0; place <= decimals || scaled > 0; place++) {
        if (place == decimals && decimals > 0)
            reversed[length++] = '.';
        reversed[length++] = (char)('0' + scaled % 10);
        scaled /= 10;
    }
    if (negative)
        reversed[length++] = '-';
    for (size_t i = 0; i < length; i++)
        text[i] = reversed[length - 1 - i];
    text[length] = '\0';
    return length;
}

size_t num_format_fixed(double value, int decimals, char text[NUM_DOUBLE_TEXT])
{
    uint64_t scaled;

    if (scale_and_round(fabs(value), decimals, &scaled))
        return print_scaled(scaled, value < 0 && scaled > 0, decimals, text);
    int length = snprintf(text, NUM_DOUBLE_TEXT, "%.*f", decimals, value);

    if (length >= NUM_DOUBLE_TEXT)
        return num_format_double(value, text);
    return (size_t)length;
}

/* --- quantities ----------------------------------------------------------- */

struct quantity_suffix {
    const char *text;
    int decimal_exponent, binary_exponent;
};

static const struct quantity_suffix quantity_suffixes[] = {
    { "", 0, 0 },    { "n", -9, 0 },  { "u", -6, 0 },  { "m", -3, 0 },
    { "k", 3, 0 },   { "M", 6, 0 },   { "G", 9, 0 },   { "T", 12, 0 },
    { "P", 15, 0 },  { "E", 18, 0 },  { "Ki", 0, 10 }, { "Mi", 0, 20 },
    { "Gi", 0, 30 }, { "Ti", 0, 40 }, { "Pi", 0, 50 }, { "Ei", 0, 60 },
};

/* Splits the suffix off. An exponent ("1e3") is part of the number. */
static const struct quantity_suffix *take_suffix(struct span *text)
{
    size_t end = text->length;

    while (end > 0 && !is_digit(text->data[end - 1]) && text->data[end - 1] != '.')
        end--;
    struct span suffix = { text->data + end, text->length - end };

    for (size_t i = 0; i < ARRAY_SIZE(quantity_suffixes); i++) {
        if (span_equals(suffix, quantity_suffixes[i].text)) {
            text->length = end;
            return &quantity_suffixes[i];
        }
    }
    return NULL;
}

/* significand * 2^binary * 10^decimal, when that is a whole int64. */
static bool scale_exactly(uint64_t significand, int binary, int64_t decimal, int64_t *ret_value)
{
    unsigned __int128 value = (unsigned __int128)significand << binary;

    for (; decimal < 0 && value > 0; decimal++) {
        if (value % 10 != 0)
            return false;
        value /= 10;
    }
    for (; decimal > 0 && value > 0 && value <= INT64_MAX; decimal--)
        value *= 10;
    if (value > INT64_MAX)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static bool has_exponent(struct span number)
{
    return memchr(number.data, 'e', number.length) || memchr(number.data, 'E', number.length);
}

int num_quantity_milli(struct span text, int64_t *ret_milli, struct err *err)
{
    static const char expected[] = "a quantity like 500m, 1.5 or 2Gi";
    struct span number = text;
    const struct quantity_suffix *suffix = take_suffix(&number);
    struct decimal_parts parts;
    int64_t milli;

    if (!suffix || !scan_decimal(number, &parts))
        return not_a_number(text, expected, err);
    if (suffix->text[0] && has_exponent(number))
        return not_a_number(text, expected, err);
    if (parts.inexact || !scale_exactly(parts.significand, suffix->binary_exponent,
                                        parts.exponent + suffix->decimal_exponent + 3, &milli))
        return not_a_number(text, "a quantity below 9e15 in steps of 1m", err);
    *ret_milli = parts.negative ? -milli : milli;
    return 0;
}
