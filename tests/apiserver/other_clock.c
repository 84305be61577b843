/* other_clock.c - preloaded into a program, sets its wall clock CLOCK_AHEAD_SECONDS ahead; no
 * other. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t ahead_seconds(void)
{
    const char *text = getenv("CLOCK_AHEAD_SECONDS");

    return text ? atol(text) : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time)
{
    int status = (int)syscall(SYS_clock_gettime, clock, time);

    if (status == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += ahead_seconds();
    return status;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict time,
                                                        void *restrict zone)
{
    int status = (int)syscall(SYS_gettimeofday, time, zone);

    if (status == 0)
        time->tv_sec += ahead_seconds();
    return status;
}

__attribute__((visibility("default"))) time_t time(time_t *ret_time)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}
