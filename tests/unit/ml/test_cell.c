/* Goal: cells mean what cell.h says: words of booleans and of what is missing in any case of
 * letters, with blanks around them; nothing else is a word.
 * Method: a table of words, each in all cases, and with one byte changed or added; whatever
 * stands behind a cell in memory does not matter. */
#include "check.h"

#include <strings.h>

#include "base/mem.h"
#include "ml/cell.h"

enum meaning { MISSING, TRUE_WORD, FALSE_WORD, TRUE_DIGIT, FALSE_DIGIT, NO_WORD };

static const struct {
    const char *text;
    enum meaning meaning;
} words[] = {
    { "", MISSING },     { "na", MISSING },   { "n/a", MISSING },      { "#n/a", MISSING },
    { "nan", MISSING },  { "null", MISSING }, { "true", TRUE_WORD },   { "yes", TRUE_WORD },
    { "y", TRUE_WORD },  { "t", TRUE_WORD },  { "false", FALSE_WORD }, { "no", FALSE_WORD },
    { "n", FALSE_WORD }, { "f", FALSE_WORD }, { "1", TRUE_DIGIT },     { "0", FALSE_DIGIT },
};

static enum meaning meaning_of(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(words[i].text, text) == 0)
            return words[i].meaning;
    return NO_WORD;
}

/* With room behind it that begins as the cell itself ends or goes on. */
static void check_cell(const char *text, const char *behind)
{
    enum meaning meaning = meaning_of(text);
    char room[3 * SPAN_ROOM] = { 0 };
    double number = -1;

    for (size_t blanks = 0; blanks < 3; blanks++) {
        int length = snprintf(room, sizeof(room), "%.*s%s%.*s", (int)blanks, " \t", text,
                              (int)blanks, "\t ");
        struct span cell = { room, (size_t)length };

        memcpy(room + length, behind, strlen(behind) + 1);
        enum cell_outcome outcome = cell_boolean(cell, &number);

        if (meaning == MISSING)
            assert_true(outcome == CELL_MISSING && isnan(number));
        else if (meaning == NO_WORD)
            assert_int_equal(outcome, CELL_FAULT);
        else
            assert_true(outcome == CELL_VALUE &&
                        number == (meaning == TRUE_WORD || meaning == TRUE_DIGIT));
        assert_int_equal(cell_is_boolean_word(cell), meaning == TRUE_WORD || meaning == FALSE_WORD);
        if (meaning == MISSING)
            assert_true(cell_number(cell, &number) == CELL_MISSING && isnan(number));
        else if (meaning == TRUE_DIGIT || meaning == FALSE_DIGIT)
            assert_true(cell_number(cell, &number) == CELL_VALUE && number == text[0] - '0');
    }
}

/* Every letter small or capital. */
static void check_cases(const char *word)
{
    size_t length = strlen(word);

    for (unsigned capitals = 0; capitals < 1u << length; capitals++) {
        char text[16];

        for (size_t i = 0; i <= length; i++)
            text[i] = (char)(capitals >> i & 1 && word[i] >= 'a' ? word[i] - 32 : word[i]);
        check_cell(text, "");
        check_cell(text, ",yes");
        check_cell(text, "es");
    }
}

static void words_are_known_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        check_cases(words[i].text);
}

/* No byte but the same letter in the other case may stand in a word's place. */
static void other_words_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        for (size_t place = 0; place <= strlen(words[i].text); place++)
            for (int byte = 1; byte < 256; byte++) {
                char text[16];

                if (strchr(" \t", byte))
                    continue;
                snprintf(text, sizeof(text), "%s", words[i].text);
                text[place] = (char)byte;
                text[place + 1] = place == strlen(words[i].text) ? '\0' : text[place + 1];
                check_cell(text, "");
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_known_in_any_case),
        cmocka_unit_test(other_words_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
