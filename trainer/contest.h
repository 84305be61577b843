/* contest.h - is the new version better than the one in use?
 *
 * Membership in the hold-out follows from seed and id, so the evaluation models of
 * both versions have not seen the held-out customers of the present file: both are
 * measured on these rows, each with the columns that it knows, read from the file
 * as scoring does. Rows that the version in use cannot read are left out for both, up
 * to CONTEST_UNREADABLE_SHARE.
 *
 * The comparison is skipped, with a sentence that begins "ComparisonSkipped: ", when
 * it would not be fair or not be possible: the version in use was trained for another
 * target, positive label or id, held out other customers (seed, share), cannot read
 * this file, or is not there or damaged. */
#pragma once

#include "trainer/training.h"

#define CONTEST_UNREADABLE_SHARE 0.01

/* Fills training->contest. final.version is known, both models are there. Without a
 * version in use the new one stands alone; when it is this very one, rows are 0.
 * Fails only when storage does, or the history has changed since it was read. */
int contest_hold(struct training *training, struct err *err) __attribute__((warn_unused_result));
