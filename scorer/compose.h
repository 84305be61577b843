/* compose.h - one output from the parts of all shards (part.h).
 *
 * Judges what only the whole file shows (bad rows, ids that occur twice, drift),
 * copies the parts behind one header into the output, publishes, and removes the
 * folder of the parts. The input is not opened: it may be gone by now. */
#pragma once

#include "scorer/run.h"

/* After manifest and output were looked at. Outcome Scored, or what publish() says. */
int compose_run(struct run *run, struct result *ret_result, struct err *err)
    __attribute__((warn_unused_result));

/* UsageError when the job's `parts` is no folder of this output's parts: nothing else
 * is ever read or removed. */
int compose_check(const struct run *run, struct err *err) __attribute__((warn_unused_result));

/* Removes the job's parts, after compose_check(); success when there are none. */
int compose_discard(struct run *run, struct err *err) __attribute__((warn_unused_result));
