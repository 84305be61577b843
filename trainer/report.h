/* report.h - report.html: one training on one page for people.
 *
 * Self-contained (no script, no font, no image from elsewhere), light and dark,
 * printable. It says nothing about time or machine, so the same training gives
 * the same page. */
#pragma once

#include "base/buf.h"
#include "ml/metrics.h"
#include "trainer/training.h"

#define LIMIT_REPORT (4 * MIB) /* ordinary ones have 60 KiB */

/* Appends the page. The training has been through all stages; final.version is
 * known. */
void report_write(const struct training *training, struct buf *out);

/* --- sections, for report.c only ------------------------------------------ */

extern const char report_style[]; /* CSS */

/* "Gradient boosted trees": an algorithm in words. */
const char *report_algorithm(enum model_algorithm algorithm) __attribute__((returns_nonnull));

/* The held-out customers as rankings: with calibration and without. */
struct report_scores {
    double *probabilities, *raw;
    uint8_t *labels;
    size_t count;
    struct ranking ranking, raw_ranking;
};

void report_curves(const struct training *training, const struct report_scores *scores,
                   struct buf *out);
void report_importance(const struct training *training, struct buf *out);
void report_decision(const struct training *training, const struct report_scores *scores,
                     struct buf *out);
void report_champion(const struct training *training, struct buf *out);
void report_groups(const struct training *training, struct buf *out);
void report_candidates(const struct training *training, struct buf *out);
void report_data(const struct training *training, struct buf *out);
void report_card(const struct training *training, struct buf *out);
