/* shard.h - one shard of a file into its part (part.h). */
#pragma once

#include "scorer/run.h"

/* After manifest and output were looked at. A part that is there already, with the
 * length and sha256 of its objects, is kept. Outcome Part. */
int shard_run(struct run *run, struct result *ret_result, struct err *err)
    __attribute__((warn_unused_result));
