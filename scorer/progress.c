#include "scorer/progress.h"

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
    progress->begin_ms = progress->drawn_ms = clock_monotonic_ms(progress->clock);
    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-8s", step);
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t rows)
{
    char bar[BAR_WIDTH + 1] = "";
    int64_t now_ms = clock_monotonic_ms(progress->clock);
    double seconds = (double)(now_ms - progress->begin_ms) / MS_PER_UNIT;

    if (!progress->terminal || done == 0 || total == 0 || now_ms - progress->drawn_ms < REDRAW_MS)
        return;
    if (done > total)
        done = total;
    progress->drawn_ms = now_ms;
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)(done * BAR_WIDTH / total));
    fprintf(stderr, "\r\033[K%-8s [%s] %3" PRIu64 " %%  %.0f rows/s  %.0f s left", progress->step,
            bar, done * 100 / total, (double)rows / seconds,
            seconds * (double)(total - done) / (double)done);
}

void progress_end(struct progress *progress, bool succeeded)
{
    double seconds =
        (double)(clock_monotonic_ms(progress->clock) - progress->begin_ms) / MS_PER_UNIT;
    const char *state = succeeded ? "Succeeded" : "Failed";
    size_t index = progress->step_count;

    if (progress->terminal)
        fprintf(stderr, "\r\033[K%-8s %8.2f s%s\n", progress->step, seconds,
                succeeded ? "" : "  failed");
    else
        log_write(LOG_INFO, "step ended", LOG_TEXT("step", progress->step),
                  LOG_TEXT("state", state), LOG_REAL("seconds", seconds));
    if (index == PROGRESS_STEPS)
        return;
    progress->step_count++;
    snprintf(progress->seconds[index], sizeof(progress->seconds[index]), "%.2f", seconds);
    progress->steps[index] = (struct step){ .name = progress->step,
                                            .state = state,
                                            .seconds = { progress->seconds[index], seconds } };
}
