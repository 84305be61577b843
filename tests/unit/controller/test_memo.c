/* Goal: what the shell remembers about one object is neither lost nor kept too long.
 * Method: memos without a cluster. */
#include "unit.h"

#include "memo.h"

static void refuse(struct memo *memo, const char *name, int64_t now_ms)
{
    memo_set_refusal(memo, name, "quota exceeded", now_ms, 1);
}

static const char *names(const struct memo *memo, struct arena *arena)
{
    const char *text = "";

    for (size_t i = 0; i < memo->refusal_count; i++)
        text = arena_format(arena, "%s%s%s", text, *text ? " " : "", memo->refusals[i].job);
    return text;
}

static void release(struct memo *memo)
{
    (void)memo_see(memo, -2, 0); /* another generation: refusals go */
    assert_int_equal(memo->refusal_count, 0);
    free(memo->refusals);
}

/* Two children of one object that are refused must not make the shell forget the other's refusal:
 * they would be sent in turn, at once, for ever. */
static void test_each_refusal_is_kept_by_name(void **state)
{
    struct memo memo = { .generation = 1 };
    struct arena arena auto_arena = { 0 };

    (void)state;
    refuse(&memo, "a", 1000);
    refuse(&memo, "b", 2000);
    assert_string_equal(names(&memo, &arena), "a b");
    refuse(&memo, "a", 3000);
    assert_string_equal(names(&memo, &arena), "b a");
    assert_int_equal(memo.refusals[1].refused_ms, 3000);
    memo_clear_refusal(&memo, "c");
    memo_clear_refusal(&memo, "a");
    assert_string_equal(names(&memo, &arena), "b");
    release(&memo);
}

static void test_refusals_are_bounded(void **state)
{
    struct memo memo = { .generation = 1 };
    size_t most = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char *name auto_free = mem_format("job-%d", i);

        refuse(&memo, name, i);
        if (memo.refusal_count > most)
            most = memo.refusal_count;
        assert_string_equal(memo.refusals[memo.refusal_count - 1].job, name);
    }
    assert_in_range(most, INBOX_ACTIVE_MAXIMUM + 1, 100); /* every pending batch and a Job */
    release(&memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_refusal_is_kept_by_name),
        cmocka_unit_test(test_refusals_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
