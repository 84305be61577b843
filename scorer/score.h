/* score.h - a Score or Compose job from document to result.
 *
 * Order: look for this batch's manifest (found and whole: outcome Reused, nothing
 * is read); refuse somebody else's output; load the model; score; publish rejects,
 * manifest, output, in this order, each only if nobody changed it since the
 * start. On failure nothing is published, except the rejects when too many rows
 * are bad.
 *
 * With shard.count > 1 a run scores one range of the file into a part (shard.h),
 * and the Compose job makes the output of all parts (compose.h): the same bytes
 * that one run over the whole file makes. */
#pragma once

#include <signal.h>

#include "contract/progress.h"
#include "contract/result.h"
#include "store/store.h"

struct score_options {
    unsigned threads;                  /* at least 1                        */
    const char *scratch;               /* folder for scratch files          */
    const volatile sig_atomic_t *stop; /* set by a signal handler           */
    struct progress *progress;
    struct stores *stores; /* borrowed; NULL: file:// only          */
    int64_t shard_index;   /* of shard.count > 1; below 0: not given     */
};

/* Strings of the result live in the arena. */
int score_run(const struct score_job *job, const struct score_options *options, struct arena *arena,
              struct result *ret_result, struct err *err) __attribute__((warn_unused_result));
