#include "trainer/progress.h"

#include <stdarg.h>

#include "base/log.h"

#define BAR_WIDTH 30

void progress_init(struct progress *progress, const struct clock *clock)
{
    *progress = (struct progress){ .clock = clock, .terminal = isatty(STDERR_FILENO) == 1 };
}

void progress_begin(struct progress *progress, const char *step)
{
    progress->step = step;
    progress->begin_ms = clock_monotonic_ms(progress->clock);
    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-10s", step);
}

/* The time left if the rest goes as fast as what is done. */
void progress_update(void *context, size_t done, size_t total)
{
    const struct progress *progress = context;
    if (!progress->terminal || done == 0)
        return;
    char bar[BAR_WIDTH + 1];
    size_t filled = done * BAR_WIDTH / total;
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    int64_t spent_ms = clock_monotonic_ms(progress->clock) - progress->begin_ms;
    double left = (double)spent_ms * (double)(total - done) / (double)done / 1000;
    fprintf(stderr, "\r\033[K%-10s [%s] %3zu %%  %.0f s left", progress->step, bar,
            100 * done / total, left);
}

int64_t progress_end(struct progress *progress, bool succeeded)
{
    int64_t spent_ms = clock_monotonic_ms(progress->clock) - progress->begin_ms;
    double seconds = (double)spent_ms / 1000;
    const char *state = succeeded ? "Succeeded" : "Failed";
    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-10s %8.2f s%s\n", progress->step, seconds,
                succeeded ? "" : "  failed");
    else
        log_write(LOG_INFO, "step ended", LOG_TEXT("step", progress->step),
                  LOG_TEXT("state", state), LOG_REAL("seconds", seconds));
    return spent_ms;
}

void progress_conclude(const struct progress *progress, const char *format, ...)
{
    if (!progress->terminal)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
