/* progress.h - the steps of a Job's program: what a person or a log collector
 * sees while they run, and what the result document says of them.
 *
 * On a terminal a line per step with a bar while it lasts; otherwise one JSON
 * line per finished step. All on stderr. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "contract/result.h"

struct progress {
    const struct clock *clock;
    bool terminal;
    const char *step; /* that is running */
    int64_t begin_ms;
    _Atomic int64_t drawn_ms;
    struct step steps[RESULT_STEPS_MAXIMUM]; /* that ended; later ones are not kept */
    char seconds[RESULT_STEPS_MAXIMUM][16];  /* their times as text */
    size_t step_count;
};

/* Looks whether stderr is a terminal. */
void progress_init(struct progress *progress, const struct clock *clock);

/* `step` is a word such as "Fit" that outlives the progress. */
void progress_begin(struct progress *progress, const char *step);
/* `done` of `total` pieces (bytes, tasks) of the step are done, and with them
 * `rows` rows; 0 rows: not said. From any thread. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t rows);
void progress_end(struct progress *progress, bool succeeded);
/* A step that was not needed. */
void progress_skip(struct progress *progress, const char *step);

/* The last word: on a terminal one plain line, else nothing (results and logs say
 * it already). */
void progress_conclude(const struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The steps so far, of struct step; borrowed from the progress. */
struct list progress_steps(struct progress *progress);
