#include "base/cgroup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

/* The first `maximum` blank-separated integers of a small kernel file; a word
 * that is no number ("max") counts as -1. Returns how many there are. */
static size_t read_integers(const char *path, int64_t *ret_values, size_t maximum)
{
    char text[128];
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    size_t count = 0;
    for (char *word = text; *word != '\0' && count < maximum; count++) {
        size_t size = strcspn(word, " \n");
        if (num_int64((struct span){ word, size }, 0, INT64_MAX, &ret_values[count], NULL) < 0)
            ret_values[count] = -1;
        word += size + strspn(word + size, " \n");
    }
    return count;
}

uint64_t cgroup_processors(void)
{
    int64_t limit[2]; /* quota and period, in microseconds */
    bool known = read_integers("/sys/fs/cgroup/cpu.max", limit, 2) == 2 ||
                 (read_integers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &limit[0], 1) == 1 &&
                  read_integers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &limit[1], 1) == 1);
    if (!known || limit[0] <= 0 || limit[1] <= 0)
        return 0;
    return (uint64_t)(limit[0] / limit[1] + (limit[0] % limit[1] != 0));
}

uint64_t cgroup_memory(void)
{
    int64_t limit;
    struct sysinfo machine;
    bool known = read_integers("/sys/fs/cgroup/memory.max", &limit, 1) == 1 ||
                 read_integers("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit, 1) == 1;
    if (!known || limit <= 0 || sysinfo(&machine) < 0)
        return 0;
    return (uint64_t)limit + (uint64_t)machine.totalswap * machine.mem_unit;
}
