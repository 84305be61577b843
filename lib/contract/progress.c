#include "contract/progress.h"

#include <stdarg.h>

#include "base/log.h"

#define BAR_WIDTH   30
#define REDRAW_MS   100
#define MS_PER_UNIT 1000.0

void progress_init(struct progress *progress, const struct clock *clock)
{
    *progress = (struct progress){ .clock = clock, .terminal = isatty(STDERR_FILENO) == 1 };
}

void progress_begin(struct progress *progress, const char *step)
{
    progress->step = step;
    progress->begin_ms = clock_monotonic_ms(progress->clock);
    progress->drawn_ms = progress->begin_ms;
    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-10s", step);
}

/* The time left if the rest goes as fast as what is done. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t rows)
{
    char bar[BAR_WIDTH + 1] = "", rate[32] = "";
    int64_t now_ms = clock_monotonic_ms(progress->clock);
    double seconds = (double)(now_ms - progress->begin_ms) / MS_PER_UNIT;

    if (!progress->terminal || done == 0 || done > total || now_ms - progress->drawn_ms < REDRAW_MS)
        return;
    progress->drawn_ms = now_ms;
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)(done * BAR_WIDTH / total));
    if (rows > 0)
        snprintf(rate, sizeof(rate), "  %.0f rows/s", (double)rows / seconds);
    fprintf(stderr, "\r\033[K%-10s [%s] %3" PRIu64 " %%%s  %.0f s left", progress->step, bar,
            done * 100 / total, rate, seconds * (double)(total - done) / (double)done);
}

static void keep(struct progress *progress, const char *step, const char *state, double seconds)
{
    size_t index = progress->step_count;

    if (index == RESULT_STEPS_MAXIMUM)
        return;
    progress->step_count++;
    snprintf(progress->seconds[index], sizeof(progress->seconds[index]), "%.2f", seconds);
    progress->steps[index] = (struct step){ .name = step,
                                            .state = state,
                                            .seconds = { progress->seconds[index], seconds } };
}

void progress_end(struct progress *progress, bool succeeded)
{
    double seconds =
        (double)(clock_monotonic_ms(progress->clock) - progress->begin_ms) / MS_PER_UNIT;
    const char *state = succeeded ? "Succeeded" : "Failed";

    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-10s %8.2f s%s\n", progress->step, seconds,
                succeeded ? "" : "  failed");
    else
        log_write(LOG_INFO, "step ended", LOG_TEXT("step", progress->step),
                  LOG_TEXT("state", state), LOG_REAL("seconds", seconds));
    keep(progress, progress->step, state, seconds);
}

void progress_skip(struct progress *progress, const char *step)
{
    keep(progress, step, "Skipped", 0);
}

void progress_conclude(const struct progress *progress, const char *format, ...)
{
    va_list arguments;

    if (!progress->terminal)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

struct list progress_steps(struct progress *progress)
{
    return (struct list){ progress->steps, progress->step_count };
}
