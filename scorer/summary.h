/* summary.h - what was counted, as manifest and result. */
#pragma once

#include "base/sha256.h"
#include "ml/model.h"
#include "scorer/manifest.h"
#include "scorer/tally.h"

/* Fewer rows have a large PSI by chance, on average bins / rows: they are not
 * warned of. */
#define SUMMARY_DRIFT_ROWS   DRIFT_ROWS
#define SUMMARY_PSI_DECIMALS 4

struct summary {
    const struct score_job *job;
    const struct places *places;
    const struct model *model;
    const struct tally *tally;
    double threshold;
    struct input_result *input;
    uint64_t output_bytes;
    char output_sha256[SHA256_HEX];
};

/* Everything that the manifest holds lives in the arena afterwards. */
void summary_manifest(const struct summary *summary, struct arena *arena,
                      struct manifest *ret_manifest);

/* The result that reports a manifest; borrows from it. */
struct result summary_result(const struct manifest *manifest, enum outcome outcome);
