/* cell.c - cells as numbers and booleans. */
#include "ml/cell.h"

#include <math.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

const char *const value_type_names[] = { "Numeric", "Categorical", "Boolean", NULL };

/* A word of up to WORD_MAXIMUM letters as one number, so that all words are looked for at
 * once. */
#define WORD_MAXIMUM 5
#define WORD(a, b, c, d, e)                                                                        \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |              \
     (uint64_t)(e) << 32)

enum word { WORD_OTHER, WORD_MISSING, WORD_TRUE, WORD_FALSE, WORD_1, WORD_0 };

/* Of a text without blanks around it. */
static enum word word_of(struct span text)
{
    uint64_t word = 0;
    if (text.length > WORD_MAXIMUM)
        return WORD_OTHER;
    for (size_t i = 0; i < text.length; i++) {
        bool is_capital = text.data[i] >= 'A' && text.data[i] <= 'Z';
        word |= (uint64_t)((unsigned char)text.data[i] | (is_capital ? 0x20U : 0)) << 8 * i;
    }
    switch (word) {
    case WORD(0, 0, 0, 0, 0):
        return text.length == 0 ? WORD_MISSING : WORD_OTHER;
    case WORD('n', 'a', 0, 0, 0):
    case WORD('n', '/', 'a', 0, 0):
    case WORD('#', 'n', '/', 'a', 0):
    case WORD('n', 'a', 'n', 0, 0):
    case WORD('n', 'u', 'l', 'l', 0):
        return WORD_MISSING;
    case WORD('y', 'e', 's', 0, 0):
    case WORD('t', 'r', 'u', 'e', 0):
    case WORD('y', 0, 0, 0, 0):
    case WORD('t', 0, 0, 0, 0):
        return WORD_TRUE;
    case WORD('n', 'o', 0, 0, 0):
    case WORD('f', 'a', 'l', 's', 'e'):
    case WORD('n', 0, 0, 0, 0):
    case WORD('f', 0, 0, 0, 0):
        return WORD_FALSE;
    case WORD('1', 0, 0, 0, 0):
        return WORD_1;
    case WORD('0', 0, 0, 0, 0):
        return WORD_0;
    default:
        return WORD_OTHER;
    }
}

enum cell_outcome cell_number(struct span cell, double *ret_number)
{
    struct span text = span_trim(cell);

    if (num_double_quick(text, ret_number))
        return CELL_VALUE;
    if (word_of(text) != WORD_MISSING)
        return CELL_FAULT;
    *ret_number = NAN;
    return CELL_MISSING;
}

bool cell_is_boolean_word(struct span cell)
{
    enum word word = word_of(span_trim(cell));

    return word == WORD_TRUE || word == WORD_FALSE;
}

enum cell_outcome cell_boolean(struct span cell, double *ret_number)
{
    switch (word_of(span_trim(cell))) {
    case WORD_MISSING:
        *ret_number = NAN;
        return CELL_MISSING;
    case WORD_TRUE:
    case WORD_1:
        *ret_number = 1;
        return CELL_VALUE;
    case WORD_FALSE:
    case WORD_0:
        *ret_number = 0;
        return CELL_VALUE;
    case WORD_OTHER:
        return CELL_FAULT;
    }
    return CELL_FAULT;
}

#define DATE_PARTS  3
#define YEAR_DIGITS 4

/* Takes up to four digits off the front; the number, or -1. */
static int take_digits(struct span *text, size_t *ret_digits)
{
    int number = 0;
    size_t digits = 0;

    while (digits < YEAR_DIGITS && digits < text->length && text->data[digits] >= '0' &&
           text->data[digits] <= '9')
        number = number * 10 + (text->data[digits++] - '0');
    text->data += digits;
    text->length -= digits;
    *ret_digits = digits;
    return digits > 0 ? number : -1;
}

static bool is_day_or_month(int number, size_t digits)
{
    return digits <= 2 && number >= 1 && number <= 31;
}

static bool is_year(int number, size_t digits)
{
    return digits == YEAR_DIGITS && number >= 1900 && number < 2200;
}

bool cell_is_date(struct span cell)
{
    struct span text = span_trim(cell);
    int numbers[DATE_PARTS];
    size_t digits[DATE_PARTS];
    char separator = '\0';

    for (size_t i = 0; i < DATE_PARTS; i++) {
        if (i > 0) {
            if (text.length == 0 || !memchr("-./", text.data[0], 3) ||
                (i == 2 && text.data[0] != separator))
                return false;
            separator = text.data[0];
            text.data++;
            text.length--;
        }
        numbers[i] = take_digits(&text, &digits[i]);
    }
    bool year_first = is_year(numbers[0], digits[0]) && is_day_or_month(numbers[2], digits[2]);
    bool year_last = is_day_or_month(numbers[0], digits[0]) && is_year(numbers[2], digits[2]);
    bool time_follows = text.length > 1 && (text.data[0] == 'T' || text.data[0] == ' ') &&
                        text.data[1] >= '0' && text.data[1] <= '9';
    return (year_first || year_last) && is_day_or_month(numbers[1], digits[1]) &&
           (text.length == 0 || time_follows);
}

#define FAULT_EXCERPT 60 /* bytes of a cell that a message quotes */

void cell_fault(uint64_t line, const char *column, struct span cell, enum value_type type,
                struct row_fault *ret_fault)
{
    size_t length = cell.length > FAULT_EXCERPT ? FAULT_EXCERPT : cell.length;

    length = utf8_valid_prefix(cell.data, length);
    *ret_fault = (struct row_fault){ .line = line };
    snprintf(ret_fault->column, sizeof(ret_fault->column), "%s", column);
    snprintf(ret_fault->why, sizeof(ret_fault->why), "\"%.*s%s\" is not a %s", (int)length,
             cell.data, length < cell.length ? "..." : "",
             type == VALUE_BOOLEAN ? "boolean" : "number");
}
