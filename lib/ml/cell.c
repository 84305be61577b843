/* cell.c - cells as numbers and booleans. */
#include "ml/cell.h"

#include <math.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

const char *const value_type_names[] = { "Numeric", "Categorical", "Boolean", NULL };

#define WORD_MAXIMUM 5 /* the longest of the words below */

static bool is_one_of(struct span cell, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cell.length == strlen(words[i]) && strncasecmp(cell.data, words[i], cell.length) == 0)
            return true;
    return false;
}

static bool is_missing(struct span cell)
{
    static const char *const words[] = { "NA", "N/A", "#N/A", "NaN", "null" };

    return cell.length == 0 ||
           (cell.length <= WORD_MAXIMUM && is_one_of(cell, words, ARRAY_SIZE(words)));
}

enum cell_outcome cell_number(struct span cell, double *ret_number)
{
    struct span text = span_trim(cell);

    if (num_double_quick(text, ret_number))
        return CELL_VALUE;
    if (!is_missing(text))
        return CELL_FAULT;
    *ret_number = NAN;
    return CELL_MISSING;
}

static const char *const true_words[] = { "yes", "true", "y", "t" };
static const char *const false_words[] = { "no", "false", "n", "f" };

bool cell_is_boolean_word(struct span cell)
{
    struct span text = span_trim(cell);

    return text.length > 0 && text.length <= WORD_MAXIMUM &&
           (is_one_of(text, true_words, ARRAY_SIZE(true_words)) ||
            is_one_of(text, false_words, ARRAY_SIZE(false_words)));
}

enum cell_outcome cell_boolean(struct span cell, double *ret_number)
{
    struct span text = span_trim(cell);

    if (is_missing(text)) {
        *ret_number = NAN;
        return CELL_MISSING;
    }
    if (text.length > WORD_MAXIMUM)
        return CELL_FAULT;
    if (span_equals(text, "1") || is_one_of(text, true_words, ARRAY_SIZE(true_words)))
        *ret_number = 1;
    else if (span_equals(text, "0") || is_one_of(text, false_words, ARRAY_SIZE(false_words)))
        *ret_number = 0;
    else
        return CELL_FAULT;
    return CELL_VALUE;
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
