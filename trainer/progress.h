/* progress.h - what a person or a log collector sees while training runs.
 *
 * On a terminal one line per step with a bar while it lasts; otherwise one JSON
 * line per finished step. All on stderr. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct progress {
    const struct clock *clock;
    bool terminal;
    const char *step; /* that is running */
    int64_t begin_ms;
};

/* Looks whether stderr is a terminal. */
void progress_init(struct progress *progress, const struct clock *clock);

void progress_begin(struct progress *progress, const char *step);
/* From any thread. `context` is a struct progress. */
void progress_update(void *context, size_t done, size_t total);
/* Says that the step ended; returns the milliseconds it took. */
int64_t progress_end(struct progress *progress, bool succeeded);

/* The last word: on a terminal one plain line, else nothing (results and logs say
 * it already). */
void progress_conclude(const struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
