/* Goal: an id that occurs twice is found wherever it stands, in files larger than
 * memory too. Method: generated ids with one pair at chosen places; how many fit
 * in memory decides which way is taken. */
#include "unit.h"

#include "scorer/ids.h"

#define BATCH 1000

/* Adds the lines 2 to rows + 1, each with its own id but for `second`, which has
 * the id of `first`. */
static void add_rows(struct ids *ids, size_t rows, size_t first, size_t second)
{
    struct id_key keys[BATCH];
    size_t count = 0;
    struct err err = { 0 };

    for (size_t line = 2; line < rows + 2; line++) {
        char id[32];
        int length = snprintf(id, sizeof(id), "customer-%zu", line == second ? first : line);
        keys[count++] = id_key_of((struct span){ id, (size_t)length }, line);
        if (count == BATCH || line == rows + 1) {
            if (ids_add(ids, keys, count, &err))
                fail_msg("%s", err.message);
            count = 0;
        }
    }
}

static void duplicates_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rows, first, second; /* lines; 0: no duplicate */
    } cases[] = {
        { "no rows", 0, 0, 0 },
        { "one row", 1, 0, 0 },
        { "small, none", 5000, 0, 0 },
        { "small, neighbours", 5000, 17, 18 },
        { "small, ends", 5000, 2, 5001 },
        { "exactly full", IDS_IN_MEMORY, 3, IDS_IN_MEMORY },
        { "runs, none", 3 * IDS_IN_MEMORY + 7, 0, 0 },
        { "within a run", 3 * IDS_IN_MEMORY + 7, 100, 200 },
        { "first and last run", 3 * IDS_IN_MEMORY + 7, 2, 3 * IDS_IN_MEMORY + 8 },
        { "two full runs", 2 * IDS_IN_MEMORY, 5, IDS_IN_MEMORY + 5 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_ids struct ids *ids = ids_new("/tmp");
        struct err err = { 0 };
        bool found = false;
        uint32_t first = 0, second = 0;
        add_rows(ids, cases[i].rows, cases[i].first, cases[i].second);
        CASE(cases[i].name, ids_find_duplicate(ids, &found, &first, &second, &err) == 0);
        CASE(cases[i].name, found == (cases[i].first > 0));
        CASE(cases[i].name, !found || first == cases[i].first);
        CASE(cases[i].name, !found || second == cases[i].second);
    }
}

static void the_earliest_second_line_is_named(void **state)
{
    (void)state;
    static const char *const texts[] = { "a", "b", "c", "b", "a", "b" };
    auto_ids struct ids *ids = ids_new("/tmp");
    struct err err;
    bool found;
    uint32_t first, second;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct id_key key = id_key_of(span_of(texts[i]), i + 2);
        assert_int_equal(ids_add(ids, &key, 1, &err), 0);
    }
    assert_int_equal(ids_find_duplicate(ids, &found, &first, &second, &err), 0);
    assert_true(found);
    assert_int_equal(first, 3);
    assert_int_equal(second, 5);
}

static void a_missing_scratch_folder_is_said(void **state)
{
    (void)state;
    auto_ids struct ids *ids = ids_new("/nonexistent");
    struct id_key key = { 0 };
    struct err err = { 0 };
    int outcome = 0;
    for (size_t i = 0; i <= IDS_IN_MEMORY && outcome == 0; i++)
        outcome = ids_add(ids, &key, 1, &err);
    assert_int_equal(outcome, -1);
    assert_non_null(strstr(err.message, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicates_are_found),
        cmocka_unit_test(the_earliest_second_line_is_named),
        cmocka_unit_test(a_missing_scratch_folder_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
