/* score.h - a Score job from document to result.
 *
 * Order: look for this batch's manifest (found and whole: outcome Reused, nothing
 * is read); refuse somebody else's output; load the model; score; publish rejects,
 * manifest, output, in this order, each only if nobody changed it since the
 * start. On failure nothing is published, except the rejects when too many rows
 * are bad. */
#pragma once

#include <signal.h>

#include "contract/progress.h"
#include "contract/result.h"

struct score_options {
    unsigned threads;                  /* at least 1                        */
    const char *scratch;               /* folder for scratch files          */
    const volatile sig_atomic_t *stop; /* set by a signal handler           */
    struct progress *progress;
};

/* Strings of the result live in the arena. */
int score_run(const struct score_job *job, const struct score_options *options, struct arena *arena,
              struct result *ret_result, struct err *err) __attribute__((warn_unused_result));
