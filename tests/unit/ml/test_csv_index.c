/* Goal: the index has every comma and newline, and says what else there is.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
