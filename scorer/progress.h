/* progress.h - what a person or a log collector sees while a file is scored.
 *
 * On a terminal a bar with rows per second and the time left; otherwise one JSON
 * line per finished step. All on stderr. Used by one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "contract/result.h"

#define PROGRESS_STEPS 8

struct progress {
    const struct clock *clock;
    bool terminal;
    const char *step; /* that is running */
    int64_t begin_ms, drawn_ms;
    struct step steps[PROGRESS_STEPS]; /* that ended */
    char seconds[PROGRESS_STEPS][16];  /* their times as text */
    size_t step_count;
};

/* Looks whether stderr is a terminal. */
void progress_init(struct progress *progress, const struct clock *clock);

void progress_begin(struct progress *progress, const char *step);
/* `done` of `total` bytes are read, `rows` rows are scored. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t rows);
void progress_end(struct progress *progress, bool succeeded);
