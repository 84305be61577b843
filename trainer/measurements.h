/* measurements.h - metrics.json: all that is known about a version, for programs.
 *
 * Unlike the hashed files it may name time, run and image. Later trainings read its
 * head to tell which versions are older and which customers one of them held out. */
#pragma once

#include <jansson.h>

#include "trainer/training.h"

#define MEASUREMENTS_FILE "metrics.json"

/* New reference. `trained_ms` is wall time. */
json_t *measurements_encode(const struct training *training, int64_t trained_ms)
    __attribute__((warn_unused_result));

struct held_out {
    int64_t seed;
    struct decimal holdout; /* share of the customers */
};

struct measurements_head {
    const char *version;
    int64_t trained_at_ms;       /* 0: not said */
    struct held_out *validation; /* NULL: not said */
};

/* Reads the head from a version folder; strings live in the arena. ERR_INVALID
 * names file and member. */
int measurements_read(struct stores *stores, const char *folder_uri, struct arena *arena,
                      struct measurements_head *ret_head, struct err *err)
    __attribute__((warn_unused_result));
