/* Goal: every task runs once; the failure with the lowest index is reported, and
 * nothing starts after it; there are as many threads as the container may keep busy.
 * Method: counters per task, one to eight threads; files of a kernel that is played. */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* What the kernel says; NULL: it has no such file. */
static struct {
    unsigned processors;
    const char *max, *quota, *period;
} kernel;

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    const char *text = strcmp(path, "/sys/fs/cgroup/cpu.max") == 0                 ? kernel.max
                       : strcmp(path, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us") == 0  ? kernel.quota
                       : strcmp(path, "/sys/fs/cgroup/cpu/cpu.cfs_period_us") == 0 ? kernel.period
                                                                                   : NULL;
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    if (!text)
        return -1;
    int file = memfd_create("played", MFD_CLOEXEC);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    return file;
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
        const char *max, *quota, *period;
        unsigned threads;
    } cases[] = {
        { 8, NULL, NULL, NULL, 8 },
        { 8, "max 100000\n", NULL, NULL, 8 },
        { 8, "300000 100000\n", NULL, NULL, 3 },
        { 8, "250000 100000\n", NULL, NULL, 3 }, /* the half may be used too */
        { 8, "50000 100000\n", NULL, NULL, 1 },
        { 2, "300000 100000\n", NULL, NULL, 2 }, /* more than there are */
        { 8, NULL, "400000\n", "200000\n", 2 },  /* version 1 */
        { 8, NULL, "-1\n", "100000\n", 8 },
        { 8, "", NULL, NULL, 8 }, /* what cannot be read is no limit */
        { 8, "300000\n", NULL, NULL, 8 },
        { 8, "300000 0\n", NULL, NULL, 8 },
        { 100, "9900000 100000\n", NULL, NULL, PARALLEL_MAXIMUM },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        kernel.processors = cases[i].processors;
        kernel.max = cases[i].max;
        kernel.quota = cases[i].quota;
        kernel.period = cases[i].period;
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
