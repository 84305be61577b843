/* cgroup.h - what the kernel lets this process have, of processors and memory.
 *
 * A container sees its own control group at /sys/fs/cgroup: version 2 as files there, version 1
 * in a folder for each controller. Limits of groups around it are not visible from within. */
#pragma once

#include <stdint.h>

/* Processors that the quota grants (cpu.max or cpu.cfs_quota_us), rounded up; 0: no limit. */
uint64_t cgroup_processors(void);

/* Bytes that the process may have before the kernel ends it: the limit (memory.max or
 * memory.limit_in_bytes) and all swap of the machine, which is where what is too much may go;
 * 0: no limit. */
uint64_t cgroup_memory(void);
