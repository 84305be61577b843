/* measurements.h - metrics.json: all that is known about a version, for programs.
 *
 * Unlike the hashed files it may name time, run and image. */
#pragma once

#include <jansson.h>

#include "trainer/training.h"

/* New reference. `trained_ms` is wall time. */
json_t *measurements_encode(const struct training *training, int64_t trained_ms)
    __attribute__((warn_unused_result));
