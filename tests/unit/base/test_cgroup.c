/* Goal: limits of the container are those that the kernel keeps, and what cannot be read is none.
 * Method: files of a kernel that is played, of both versions. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/mem.h"

/* What the kernel says; NULL: it has no such file. */
static struct kernel {
    const char *cpu_max, *quota, *period;  /* of processors */
    const char *memory_max, *memory_limit; /* of memory     */
    uint64_t swap_pages;
} kernel;

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    const struct {
        const char *path, *text;
    } files[] = {
        { "/sys/fs/cgroup/cpu.max", kernel.cpu_max },
        { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", kernel.quota },
        { "/sys/fs/cgroup/cpu/cpu.cfs_period_us", kernel.period },
        { "/sys/fs/cgroup/memory.max", kernel.memory_max },
        { "/sys/fs/cgroup/memory/memory.limit_in_bytes", kernel.memory_limit },
    };
    const char *text = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (strcmp(path, files[i].path) == 0)
            text = files[i].text;
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    if (!text)
        return -1;
    int file = memfd_create("played", MFD_CLOEXEC);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    return file;
}

int __wrap_sysinfo(struct sysinfo *machine);
int __wrap_sysinfo(struct sysinfo *machine)
{
    *machine = (struct sysinfo){ .totalswap = kernel.swap_pages, .mem_unit = 4096 };
    return 0;
}

static void processors_are_those_of_the_quota(void **state)
{
    (void)state;
    static const struct {
        const char *max, *quota, *period;
        uint64_t processors;
    } cases[] = {
        { NULL, NULL, NULL, 0 },
        { "max 100000\n", NULL, NULL, 0 },
        { "300000 100000\n", NULL, NULL, 3 },
        { "250000 100000\n", NULL, NULL, 3 }, /* the half may be used too */
        { "50000 100000\n", NULL, NULL, 1 },
        { NULL, "400000\n", "200000\n", 2 }, /* version 1 */
        { NULL, "-1\n", "100000\n", 0 },
        { "", NULL, NULL, 0 },
        { "300000\n", NULL, NULL, 0 },
        { "300000 0\n", NULL, NULL, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        kernel = (struct kernel){ .cpu_max = cases[i].max,
                                  .quota = cases[i].quota,
                                  .period = cases[i].period };
        if (cgroup_processors() != cases[i].processors)
            fail_msg("case %zu: %" PRIu64 " processors", i, cgroup_processors());
    }
}

static void memory_is_the_limit_and_swap(void **state)
{
    (void)state;
    static const struct {
        const char *max, *limit;
        uint64_t swap_pages, bytes;
    } cases[] = {
        { NULL, NULL, 10, 0 },
        { "max\n", NULL, 10, 0 },
        { "536870912\n", NULL, 0, 536870912 },
        { "536870912\n", NULL, 10, 536870912 + 40960 },
        { NULL, "1048576\n", 0, 1048576 },                         /* version 1 */
        { NULL, "9223372036854771712\n", 0, 9223372036854771712 }, /* its word for no limit */
        { "", NULL, 0, 0 },
        { "0\n", NULL, 0, 0 },
        { "-5\n", NULL, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        kernel = (struct kernel){ .memory_max = cases[i].max,
                                  .memory_limit = cases[i].limit,
                                  .swap_pages = cases[i].swap_pages };
        if (cgroup_memory() != cases[i].bytes)
            fail_msg("case %zu: %" PRIu64 " bytes", i, cgroup_memory());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_are_those_of_the_quota),
        cmocka_unit_test(memory_is_the_limit_and_swap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
