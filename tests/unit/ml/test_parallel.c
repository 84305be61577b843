/* Goal: every task runs once; the failure with the lowest index is reported, and
 * nothing starts after it; there are as many threads as the container may keep busy.
 * Method: counters per task, one to eight threads; a kernel that is played. */
#include "check.h"

#include <sched.h>
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

/* What the kernel says. */
static struct {
    unsigned processors;
    uint64_t quota;
} kernel;

uint64_t __wrap_cgroup_processors(void);
uint64_t __wrap_cgroup_processors(void)
{
    return kernel.quota;
}

int __wrap_sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set)
{
    (void)process;
    assert_int_equal(bytes, sizeof(*set));
    CPU_ZERO(set);
    for (unsigned i = 0; i < kernel.processors; i++)
        CPU_SET(i, set);
    return 0;
}

static void threads_follow_the_quota(void **state)
{
    (void)state;
    static const struct {
        unsigned processors;
        uint64_t quota;
        unsigned threads;
    } cases[] = {
        { 8, 0, 8 },
        { 8, 3, 3 },
        { 8, 1, 1 },
        { 2, 3, 2 }, /* more than there are */
        { 100, 99, PARALLEL_MAXIMUM },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        kernel.processors = cases[i].processors;
        kernel.quota = cases[i].quota;
        if (parallel_threads() != cases[i].threads)
            fail_msg("case %zu: %u threads", i, parallel_threads());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(first_failure_wins),
        cmocka_unit_test(threads_follow_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
