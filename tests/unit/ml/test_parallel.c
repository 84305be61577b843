/* Goal: every task runs once; the failure with the lowest index is reported, and
 * nothing starts after it. Method: counters per task, one to eight threads. */
#include "check.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "ml/parallel.h"

#define TASKS 500

struct work {
    atomic_uint runs[TASKS];
    size_t failing; /* every task from here on fails */
};

static int run(void *context, size_t index, struct err *err)
{
    struct work *work = context;
    atomic_fetch_add(&work->runs[index], 1);
    return index < work->failing ? 0 : err_set(err, ERR_IO, "task %zu", index);
}

static void every_task_once(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 8; threads++) {
        struct err err;
        static struct work work;
        work = (struct work){ .failing = TASKS };
        assert_int_equal(parallel_run(threads, TASKS, run, &work, &err), 0);
        for (size_t i = 0; i < TASKS; i++)
            assert_int_equal(atomic_load(&work.runs[i]), 1);
        assert_int_equal(parallel_run(threads, 0, run, &work, &err), 0);
    }
}

static void first_failure_wins(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 8; threads++) {
        struct err err;
        static struct work work;
        work = (struct work){ .failing = 100 };
        assert_int_equal(parallel_run(threads, TASKS, run, &work, &err), -1);
        assert_string_equal(err.message, "task 100");
        assert_int_equal(err.kind, ERR_IO);
        assert_int_equal(atomic_load(&work.runs[100 + 2 * threads]), 0);
    }
}

static void there_is_a_thread(void **state)
{
    (void)state;
    assert_in_range(parallel_threads(), 1, PARALLEL_MAXIMUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(first_failure_wins),
        cmocka_unit_test(there_is_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
