/* Goal: a part says what its shard counted, and a document that is no part is refused.
 * Method: a tally out and in; one offence at a time. */
#include "unit.h"

#include "base/json.h"
#include "scorer/part.h"

#define SHA "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define PART_HEAD                                                                                  \
    "\"version\": 1, \"index\": 3, \"model\": \"0123456789abcdef\", \"input\": {\"uri\": "         \
    "\"file:///w.csv\", \"generation\": \"1\"}, \"header\": \"id\\n\", \"output\": {\"name\": "    \
    "\"part-00003-0000abcd.csv\", \"bytes\": 7, \"sha256\": " SHA "}"
#define PART_COUNTS                                                                                \
    "\"scored\": 2, \"rejected\": 0, \"unseen\": 0, \"aboveThreshold\": 1, \"sum\": 4294967296, "  \
    "\"bins\": [1, 0, 1], \"drift\": [2, 0]"
#define IDS(bytes)                                                                                 \
    ", \"ids\": {\"name\": \"part-00003-0000abcd.ids\", \"bytes\": " bytes ", \"sha256\": " SHA "}"

static void documents_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message; /* NULL: it is good */
    } cases[] = {
        { "good", "{" PART_HEAD ", " PART_COUNTS "}", NULL },
        { "with ids", "{" PART_HEAD ", " PART_COUNTS IDS("32") "}", NULL },
        { "ids of other rows", "{" PART_HEAD ", " PART_COUNTS IDS("16") "}", "ids.bytes" },
        { "unknown member", "{" PART_HEAD ", " PART_COUNTS ", \"x\": 1}", "unknown member \"x\"" },
        { "no counts", "{" PART_HEAD "}", "scored" },
        { "another row in the bins",
          "{" PART_HEAD ", \"scored\": 2, \"rejected\": 0, \"unseen\": 0, "
          "\"aboveThreshold\": 0, \"sum\": 0, \"bins\": [1], \"drift\": []}",
          "bins" },
        { "half a row",
          "{" PART_HEAD ", \"scored\": 1, \"rejected\": 0, \"unseen\": 0, "
          "\"aboveThreshold\": 0, \"sum\": 0, \"bins\": [0.5, 0.5], \"drift\": []}",
          "bins" },
        { "negative drift",
          "{" PART_HEAD ", \"scored\": 0, \"rejected\": 0, \"unseen\": 0, "
          "\"aboveThreshold\": 0, \"sum\": 0, \"bins\": [], \"drift\": [-1]}",
          "drift" },
        { "more above than there are",
          "{" PART_HEAD ", \"scored\": 1, \"rejected\": 0, \"unseen\": 0, "
          "\"aboveThreshold\": 2, \"sum\": 0, \"bins\": [1], \"drift\": []}",
          "aboveThreshold" },
        { "mean above 1",
          "{" PART_HEAD ", \"scored\": 1, \"rejected\": 0, \"unseen\": 0, "
          "\"aboveThreshold\": 0, \"sum\": 4294967297, \"bins\": [1], \"drift\": []}",
          "sum" },
        { "bad rows without rejects",
          "{" PART_HEAD ", \"scored\": 0, \"rejected\": 1, \"unseen\": 0, "
          "\"aboveThreshold\": 0, \"sum\": 0, \"bins\": [], \"drift\": []}",
          "rejects" },
        { "a file elsewhere",
          "{\"version\": 1, \"index\": 3, \"model\": \"0123456789abcdef\", "
          "\"input\": {}, \"header\": \"id\\n\", \"output\": {\"name\": \"part-/../../x\", "
          "\"bytes\": 0, \"sha256\": " SHA "}, " PART_COUNTS "}",
          "output.name" },
        { "nothing", "", "part-00003.json" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_arena struct arena arena = { 0 };
        struct part part;
        struct err err = { .message = "" };
        int outcome = part_parse(span_of(cases[i].text), "part-00003.json", 3, &arena, &part, &err);
        CASE(cases[i].name, (outcome == 0) == (cases[i].message == NULL));
        if (cases[i].message && !strstr(err.message, cases[i].message))
            fail_msg("%s: %s", cases[i].name, err.message);
        if (outcome == 0 && part_parse(span_of(cases[i].text), "p", 4, &arena, &part, &err) == 0)
            fail_msg("%s: taken for the part of another shard", cases[i].name);
    }
}

static void counts_of_parts_add_up(void **state)
{
    (void)state;
    static const double first[] = { 0, 0.25, 1 }, second[] = { 0.5 };
    static const struct drift drift = { .bin_total = 2 }, other = { .bin_total = 3 };
    auto_arena struct arena arena = { 0 };
    static struct tally tallies[2], sum, whole;
    struct err err;
    tally_init(&tallies[0], &drift);
    tally_init(&tallies[1], &drift);
    tally_init(&sum, &drift);
    tally_init(&whole, &drift);
    tally_add_scores(&tallies[0], first, 3, 0.5);
    tally_add_scores(&tallies[1], second, 1, 0.5);
    tally_add_scores(&whole, first, 3, 0.5);
    tally_add_scores(&whole, second, 1, 0.5);
    tallies[1].rejected = 2;
    tallies[1].first_fault = (struct row_fault){ .line = 7, .column = "age", .why = "old" };
    tallies[0].drift_counts[1] = 3;
    tallies[1].drift_counts[1] = 1;
    for (size_t i = 0; i < 2; i++) {
        struct part part = { 0 };
        part_count(&part, &tallies[i], &arena);
        assert_int_equal(part_add(&part, &sum, &err), 0);
        tally_release(&tallies[i]);
        struct tally wrong = { .drift = &other };
        assert_int_equal(part_add(&part, &wrong, &err), -1);
    }
    assert_int_equal(sum.read, 6);
    assert_int_equal(sum.scored, 4);
    assert_int_equal(sum.rejected, 2);
    assert_int_equal(sum.above_threshold, 2);
    assert_int_equal(sum.sum, whole.sum);
    assert_memory_equal(sum.bins, whole.bins, sizeof(sum.bins));
    assert_int_equal(sum.drift_counts[1], 4);
    assert_int_equal(sum.first_fault.line, 7);
    assert_string_equal(sum.first_fault.column, "age");
    tally_release(&sum);
    tally_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(counts_of_parts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
