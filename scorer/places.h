/* places.h - where a batch reads and writes, and what was there when it began. */
#pragma once

#include "base/mem.h"
#include "contract/job.h"
#include "store/store.h"

struct seen {
    bool there;
    struct store_info info;
};

struct places {
    const char *input;    /* a file: a folder's newest one was chosen */
    const char *output;   /* a file                                   */
    const char *manifest; /* <output>.manifest.json                   */
    const char *rejects;  /* <output>.rejects.csv                     */
    struct seen output_seen, manifest_seen, rejects_seen;
};

/* Is there an object? Errors have the reason words of outputs. */
int places_look(struct store *store, const char *uri, struct seen *ret_seen, struct err *err)
    __attribute__((warn_unused_result));

/* Resolves folders and looks what is there. URIs live in the arena. */
int places_find(const struct score_job *job, struct store *input_store, struct store *output_store,
                struct arena *arena, struct places *ret_places, struct err *err)
    __attribute__((warn_unused_result));

/* Begins an object that must still be as it was seen. */
struct store_writer *places_put(struct store *store, const char *uri, const struct seen *seen,
                                struct err *err) __attribute__((warn_unused_result));

/* For a failure to write: the reason word that tells it from a failure to read.
 * Returns -1. */
int places_output_failed(struct err *err);
