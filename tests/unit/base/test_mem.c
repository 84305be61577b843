/* Goal: memory is there or the process is gone; arenas free everything at once.
 * Method: sizes around block borders; under the address sanitizer an overrun
 * of an arena object stops the test. */
#include "unit.h"

#include <sys/wait.h>

#include "base/random.h"

static void sizes_of_zero_give_memory(void **state)
{
    auto_free void *one = mem_alloc(0);
    auto_free void *two = mem_zero(0, 8);
    auto_free void *three = mem_resize(NULL, 0, 8);

    (void)state;
    assert_true(one && two && three && one != two);
}

static void strings_are_copied(void **state)
{
    auto_free char *whole = mem_strdup("whole");
    auto_free char *part = mem_strndup("whole", 2);
    auto_free char *made = mem_format("%s-%d", part, 7);

    (void)state;
    assert_string_equal(whole, "whole");
    assert_string_equal(made, "wh-7");
}

static void take_leaves_null_behind(void **state)
{
    auto_free char *text = mem_strdup("x");
    char *taken = TAKE(text);

    (void)state;
    assert_null(text);
    assert_string_equal(taken, "x");
    free(taken);
}

static void arena_objects_are_zeroed_aligned_and_apart(void **state)
{
    auto_arena struct arena arena = { 0 };
    struct random random;
    char *objects[500];
    size_t sizes[500];

    (void)state;
    random_seed(&random, 3);
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        sizes[i] = random_below(&random, i % 50 == 0 ? 100000 : 300);
        objects[i] = arena_zero(&arena, sizes[i], 1);
        assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(objects[i][k], 0);
        memset(objects[i], (int)(i % 100) + 1, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(objects[i][k], i % 100 + 1);
    }
}

static void arena_strings(void **state)
{
    auto_arena struct arena arena = { 0 };

    (void)state;
    assert_string_equal(arena_strdup(&arena, "abc"), "abc");
    assert_string_equal(arena_strndup(&arena, "abc", 2), "ab");
    assert_string_equal(arena_strndup(&arena, "abc", 9), "abc");
    assert_string_equal(arena_format(&arena, "%s%d", "n", 5), "n5");
}

static char released[8];

static void note_release(void *object)
{
    size_t length = strlen(released);

    released[length] = *(char *)object;
}

static void deferred_objects_go_newest_first(void **state)
{
    struct arena arena = { 0 };

    (void)state;
    arena_defer(&arena, note_release, arena_strdup(&arena, "a"));
    arena_defer(&arena, note_release, arena_strdup(&arena, "b"));
    arena_defer(&arena, note_release, arena_strdup(&arena, "c"));
    arena_release(&arena);
    assert_string_equal(released, "cba");
    arena_release(&arena);
    assert_string_equal(released, "cba");
    assert_non_null(arena_strdup(&arena, "ready again"));
    arena_release(&arena);
}

static void absurd_sizes_end_the_process_with_70(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        auto_arena struct arena arena = { 0 };

        fclose(stderr);
        char *block = arena_zero(&arena, SIZE_MAX / 2, 4);
        _exit(*block);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_zero_give_memory),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(take_leaves_null_behind),
        cmocka_unit_test(arena_objects_are_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_strings),
        cmocka_unit_test(deferred_objects_go_newest_first),
        cmocka_unit_test(absurd_sizes_end_the_process_with_70),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
