/* publish.h - rejects, manifest, output, in this order: the output last. */
#pragma once

#include "scorer/run.h"

/* Each is put only if nobody changed it since the start. `input`: what the
 * manifest says of it, in the arena. Outcome Scored; Reused when another pod of
 * this batch (a node that was cut off comes back) published first, whose output
 * is as good as ours; TryAgain while it does. */
int publish(struct run *run, struct input_result *input, struct result *ret_result, struct err *err)
    __attribute__((warn_unused_result));
