/* verdict.h - may the rows of a file be published? */
#pragma once

#include "scorer/run.h"

/* Judges what was counted over the whole file. DataInvalid: no rows, more bad rows
 * than maxRejected (the rejects are published all the same: they say what to
 * mend), an id twice. DriftExceeded: a column's PSI reaches drift.fail. */
int verdict_check(struct run *run, struct err *err) __attribute__((warn_unused_result));
