/* run.h - runs the stages of a training and reports what came out. */
#pragma once

#include "contract/progress.h"
#include "contract/result.h"
#include "trainer/training.h"

struct stage {
    const char *word; /* on the command line: "ingest" */
    const char *step; /* in results and logs: "Ingest" */
    int (*run)(struct training *training, struct err *err);
};
extern const struct stage stages[];
extern const size_t stage_count;

/* The stage of that word, or NULL. */
const struct stage *stage_find(const char *word);

/* All stages in memory; where the run record of an earlier identical run is found,
 * only the first two and the comparison with the version in use. Fills *ret_result, whose strings
 * live as long as the training, and whose steps are those of the progress. On failure the caller
 * makes the result from *err. */
int run_training(struct training *training, struct progress *progress, struct result *ret_result,
                 struct err *err) __attribute__((warn_unused_result));

/* One stage, with the state of the stages before it read from `in` and its own
 * written to `out`. `ingest` reads <in>/job.json. */
int run_stage(struct training *training, const struct stage *stage, const char *in, const char *out,
              struct progress *progress, struct result *ret_result, struct err *err)
    __attribute__((warn_unused_result));
