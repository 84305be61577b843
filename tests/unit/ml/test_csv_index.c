/* Goal: the index has every comma and newline, and says what else there is; lines are
 * counted up to the first that is too many, too far behind, quoted or not ended.
 * Method: random texts of few characters, at every length around the size of a chunk and
 * at odd addresses, against a plain loop; both twins. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/csv_index.h"

#define LENGTH 400

static void check_index(const struct csv_index *index, const char *text, size_t length)
{
    bool has_quotes = false, is_plain = true;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        has_quotes |= text[i] == '"';
        is_plain &= (unsigned char)text[i] > 0 && (unsigned char)text[i] < 0x80;
        if (text[i] != ',' && text[i] != '\n')
            continue;
        assert_true(count < index->count);
        assert_int_equal(index->ends[count++],
                         i + (text[i] == '\n' ? (size_t)CSV_INDEX_NEWLINE : 0));
    }
    assert_int_equal(index->count, count);
    assert_int_equal(index->has_quotes, has_quotes);
    assert_int_equal(index->is_plain, is_plain);
}

static void every_end_is_found(void **state)
{
    static const char *const alphabets[] = { "a,\n",        ",",        "\n",
                                             "abcdefgh,\n", "abc,\n\"", "xyz\xc3,\n" };
    struct csv_index quick = { 0 }, portable = { 0 };
    struct random random;

    (void)state;
    random_seed(&random, 31);
    for (size_t length = 0; length < LENGTH; length++)
        for (size_t i = 0; i < ARRAY_SIZE(alphabets); i++) {
            auto_free char *text = mem_alloc(length); /* no longer, for the sanitizer */
            for (size_t j = 0; j < length; j++)
                text[j] = alphabets[i][random_below(&random, strlen(alphabets[i]))];
            if (length > 0 && length % 5 == 0)
                text[random_below(&random, length)] = '\0';
            csv_index_fill(&quick, text, length);
            csv_index_fill_portable(&portable, text, length);
            check_index(&quick, text, length);
            check_index(&portable, text, length);
        }
    csv_index_release(&quick);
    csv_index_release(&portable);
}

/* Line by line. */
static struct csv_lines plain_lines(const char *text, size_t length, size_t maximum, size_t enough)
{
    struct csv_lines lines = { 0 };
    while (lines.count < maximum && lines.length < enough) {
        size_t end = lines.length;
        while (end < length && text[end] != '\n' && text[end] != '"')
            end++;
        if (end == length || text[end] == '"')
            break;
        lines = (struct csv_lines){ lines.count + 1, end + 1 };
    }
    return lines;
}

static void check_lines(const char *text, size_t length, size_t maximum, size_t enough)
{
    struct csv_lines expected = plain_lines(text, length, maximum, enough);
    struct csv_lines quick = csv_index_lines(text, length, maximum, enough);
    struct csv_lines portable = csv_index_lines_portable(text, length, maximum, enough);
    assert_int_equal(quick.count, expected.count);
    assert_int_equal(quick.length, expected.length);
    assert_int_equal(portable.count, expected.count);
    assert_int_equal(portable.length, expected.length);
}

static void lines_end_where_they_should(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz,,,,\n\n\n";
    struct random random;

    (void)state;
    random_seed(&random, 32);
    for (size_t length = 0; length < LENGTH; length++) {
        auto_free char *text = mem_alloc(length);
        for (size_t j = 0; j < length; j++)
            text[j] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
        check_lines(text, length, SIZE_MAX, SIZE_MAX);
        check_lines(text, length, SIZE_MAX, random_below(&random, LENGTH));
        check_lines(text, length, random_below(&random, LENGTH / 4), SIZE_MAX);
        if (length == 0)
            continue;
        text[random_below(&random, length)] = '"';
        check_lines(text, length, SIZE_MAX, SIZE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_is_found),
        cmocka_unit_test(lines_end_where_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
