/* forest_check.h - is this a sound XGBoost model, and what are its trees?
 *
 * libxgboost 1.7 trusts the bytes that it is given: lengths beyond the end, child
 * and feature numbers out of range, and cycles are followed. The hash in a
 * version's name excludes accidents, not somebody who may write into the artifacts
 * folder. So all bytes are walked here first: every length stays inside, every
 * tree is a tree over the given features, and nothing is there but what a boosted
 * binary classifier over numbers needs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* One tree, in the order of the file; its root is node 0 and children come after
 * their parents. The functions read the file's own bytes. */
struct forest_tree;
size_t forest_tree_nodes(const struct forest_tree *tree);
struct forest_tree_node {
    size_t left, right; /* 0: a leaf                                       */
    uint32_t feature;   /* of a split                                      */
    float value;        /* threshold: less goes left; of a leaf what it adds */
    float cover;        /* how much of the training data came here         */
    bool default_left;  /* where a missing value goes                      */
};
struct forest_tree_node forest_tree_node(const struct forest_tree *tree, size_t index);

/* As forest_check(), and gives every tree to `visit` and the base score (a
 * probability). What was visited counts only when this succeeds. */
typedef void (*forest_visitor)(void *context, const struct forest_tree *tree);
int forest_walk(struct span bytes, size_t columns, forest_visitor visit, void *context,
                double *ret_base_score, struct err *err) __attribute__((warn_unused_result));

/* UBJSON as XGBoost writes it (https://ubjson.org, draft 12, without chunks).
 * ERR_INVALID (DataInvalid) with the offset of what is wrong. */
int forest_check(struct span bytes, size_t columns, struct err *err)
    __attribute__((warn_unused_result));
