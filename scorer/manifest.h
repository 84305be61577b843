/* manifest.h - <output>.manifest.json: whose the output is, and what it was made of.
 *
 * It is written before the output. It counts as done only when the output that it
 * names is there with its sha256; then the same batch is never scored again. */
#pragma once

#include "contract/result.h"
#include "scorer/places.h"

#define MANIFEST_VERSION 1

struct manifest {
    int64_t version;
    const char *batch, *spec_hash;
    struct input_result *input;
    struct model_result *model;
    struct output_result *output;
    struct rows_result *rows;
    struct scores_result *scores;
    struct drift_result *drift;
    struct decimal score_psi; /* drift of the probability itself */
    struct strings warnings;
};

/* What an existing manifest and output mean for a job. */
enum manifest_verdict {
    MANIFEST_NOTHING, /* nothing is there: go on                                  */
    MANIFEST_DONE,    /* this batch scored this input: report it again            */
    MANIFEST_OURS,    /* this batch's, but of another input or not finished       */
    MANIFEST_OTHERS,  /* somebody else's output                                   */
};

/* Looks at what places_find() saw. *ret_manifest is set for MANIFEST_DONE. */
int manifest_judge(const struct score_job *job, const struct places *places, struct store *store,
                   struct arena *arena, enum manifest_verdict *ret_verdict,
                   struct manifest *ret_manifest, struct err *err)
    __attribute__((warn_unused_result));

/* The document's text; the caller frees. */
char *manifest_text(const struct manifest *manifest) __attribute__((returns_nonnull));
