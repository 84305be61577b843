/* forest_check.h - is this a sound model for libxgboost to load?
 *
 * libxgboost 1.7 trusts the bytes that it is given: lengths beyond the end, child
 * and feature numbers out of range, and cycles are followed. The hash in a
 * version's name excludes accidents, not somebody who may write into the artifacts
 * folder. So all bytes are walked here first: every length stays inside, every
 * tree is a tree over the given features, and nothing is there but what a boosted
 * binary classifier over numbers needs. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

/* UBJSON as XGBoost writes it (https://ubjson.org, draft 12, without chunks).
 * ERR_INVALID (DataInvalid) with the offset of what is wrong. */
int forest_check(struct span bytes, size_t columns, struct err *err)
    __attribute__((warn_unused_result));
