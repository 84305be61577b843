/* cell.c - cells as numbers and booleans. */
#include "ml/cell.h"

#include <math.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

const char *const value_type_names[] = { "Numeric", "Categorical", "Boolean", NULL };

enum word { WORD_OTHER, WORD_MISSING, WORD_TRUE, WORD_FALSE, WORD_1, WORD_0 };

/* A word of up to WORD_MAXIMUM small letters as one number. */
#define WORD_MAXIMUM 5
#define WORD(a, b, c, d, e)                                                                        \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |              \
     (uint64_t)(e) << 32)

/* Where a word is among those known. No two of them share a place: the compiler would say that one
 * is overridden. */
#define WORD_PLACES          32
#define WORD_PLACE(word)     ((word)*UINT64_C(0x044ce62649640bd1) >> 59)
#define KNOWN(word, meaning) [WORD_PLACE(word)] = { word, meaning }

static const struct known_word {
    uint64_t word;
    enum word meaning;
} known_words[WORD_PLACES] = {
    KNOWN(WORD(0, 0, 0, 0, 0), WORD_MISSING),
    KNOWN(WORD('n', 'a', 0, 0, 0), WORD_MISSING),
    KNOWN(WORD('n', '/', 'a', 0, 0), WORD_MISSING),
    KNOWN(WORD('#', 'n', '/', 'a', 0), WORD_MISSING),
    KNOWN(WORD('n', 'a', 'n', 0, 0), WORD_MISSING),
    KNOWN(WORD('n', 'u', 'l', 'l', 0), WORD_MISSING),
    KNOWN(WORD('y', 'e', 's', 0, 0), WORD_TRUE),
    KNOWN(WORD('t', 'r', 'u', 'e', 0), WORD_TRUE),
    KNOWN(WORD('y', 0, 0, 0, 0), WORD_TRUE),
    KNOWN(WORD('t', 0, 0, 0, 0), WORD_TRUE),
    KNOWN(WORD('n', 'o', 0, 0, 0), WORD_FALSE),
    KNOWN(WORD('f', 'a', 'l', 's', 'e'), WORD_FALSE),
    KNOWN(WORD('n', 0, 0, 0, 0), WORD_FALSE),
    KNOWN(WORD('f', 0, 0, 0, 0), WORD_FALSE),
    KNOWN(WORD('1', 0, 0, 0, 0), WORD_1),
    KNOWN(WORD('0', 0, 0, 0, 0), WORD_0),
};

/* Capitals of eight bytes as small letters: a byte's highest bit tells of a sum whether it is as
 * large as a letter. */
static uint64_t small_letters(uint64_t bytes)
{
    uint64_t low = bytes & EACH_BYTE(0x7f);
    uint64_t from_a = low + EACH_BYTE(0x80 - 'A'), behind_z = low + EACH_BYTE(0x7f - 'Z');
    uint64_t capitals = (from_a ^ behind_z) & ~bytes & EACH_BYTE(0x80);

    return bytes | capitals >> 2;
}

/* Of a text without blanks around it that has room. No branch depends on which word it is, which
 * nothing could predict. */
static enum word word_of(struct span text)
{
    if (text.length > WORD_MAXIMUM)
        return WORD_OTHER;
    uint64_t word = small_letters(span_load(text.data) & ~(UINT64_MAX << 8 * text.length));
    const struct known_word *known = &known_words[WORD_PLACE(word)];

    return known->word == word ? known->meaning : WORD_OTHER;
}

enum cell_outcome cell_number(struct span cell, double *ret_number)
{
    struct span text = span_trim(cell);

    if (num_double_roomy(text, ret_number))
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
    static const struct {
        enum cell_outcome outcome;
        double number;
    } booleans[] = {
        [WORD_OTHER] = { CELL_FAULT, NAN }, [WORD_MISSING] = { CELL_MISSING, NAN },
        [WORD_TRUE] = { CELL_VALUE, 1 },    [WORD_FALSE] = { CELL_VALUE, 0 },
        [WORD_1] = { CELL_VALUE, 1 },       [WORD_0] = { CELL_VALUE, 0 },
    };
    enum word word = word_of(span_trim(cell));

    *ret_number = booleans[word].number;
    return booleans[word].outcome;
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
