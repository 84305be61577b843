/* Goal: the index names exactly the members that were added and not removed.
 * Method: a small script, then a random walk against an array. */
#include "unit.h"

#include "base/buf.h"
#include "base/random.h"

#include "batch_index.h"

static void append_member(void *context, const char *member)
{
    buf_string(context, member);
    buf_char(context, ' ');
}

static void expect(const struct batch_index *index, const char *key, const char *members)
{
    struct buf text auto_buf;

    buf_init(&text, 10000);
    batch_index_each(index, key, append_member, &text);
    assert_string_equal(buf_text(&text), members);
}

static void test_sets(void **state)
{
    struct batch_index index = { 0 };

    (void)state;
    expect(&index, "bank/retail", "");
    batch_index_add(&index, "bank/retail", "bank/w2");
    batch_index_add(&index, "bank/retail", "bank/w1");
    batch_index_add(&index, "bank/retail", "bank/w1");
    batch_index_add(&index, "bank/other", "bank/w3");
    expect(&index, "bank/retail", "bank/w1 bank/w2 ");
    expect(&index, "bank/other", "bank/w3 ");
    batch_index_remove(&index, "bank/retail", "bank/w3");
    batch_index_remove(&index, "bank/retail", "bank/w1");
    batch_index_remove(&index, "nothing", "bank/w1");
    expect(&index, "bank/retail", "bank/w2 ");
    batch_index_remove(&index, "bank/retail", "bank/w2");
    expect(&index, "bank/retail", "");
    batch_index_release(&index);
    batch_index_release(&index);
}

static void count_member(void *context, const char *member)
{
    (void)member;
    ++*(size_t *)context;
}

static void test_random_walk(void **state)
{
    enum { KEYS = 4, MEMBERS = 16 };
    bool there[KEYS][MEMBERS] = { 0 };
    struct batch_index index = { 0 };
    struct random random;

    (void)state;
    random_seed(&random, 1);
    for (int step = 0; step < 5000; step++) {
        size_t key = random_below(&random, KEYS), member = random_below(&random, MEMBERS);
        char key_text[] = { (char)('A' + key), 0 }, member_text[] = { (char)('a' + member), 0 };
        size_t expected = 0, found = 0;

        there[key][member] = random_below(&random, 2);
        if (there[key][member])
            batch_index_add(&index, key_text, member_text);
        else
            batch_index_remove(&index, key_text, member_text);
        for (size_t i = 0; i < MEMBERS; i++)
            expected += there[key][i];
        batch_index_each(&index, key_text, count_member, &found);
        assert_int_equal(found, expected);
        assert_int_equal(batch_index_has(&index, key_text), expected > 0);
    }
    batch_index_release(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_random_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
