/* forest.h - a boosted forest, read from XGBoost's UBJSON and evaluated by ourselves.
 *
 * A margin is the base plus one leaf of every tree: the log-odds before
 * calibration. Sums are doubles in the order of the trees, so a row's margin
 * depends on nothing but the row; libxgboost sums floats, which differs in the
 * last digits of one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "ml/ranks.h"

/* The two children of a split stand side by side behind it. */
struct forest_node {
    float value;   /* split: a value below it goes left; leaf: what it adds */
    float cover;   /* how much of the training data came here                */
    uint32_t left; /* index of the left child, the right one is behind it; 0: a leaf */
    uint32_t feature : 31;
    uint32_t default_left : 1; /* where a missing value (NAN) goes */
    struct rank_split ranked;  /* of a split: the same, asked of ranks */
};

/* A split of a tree of at most FOREST_LEAVES leaves, asked for RANKS_ROWS rows at once. What it
 * chooses between, for each row, are the numbers of the leaves that its children lead to: a slot
 * below FOREST_LEAVES is a leaf of this number, FOREST_LEAVES + i what choice i of the tree came
 * to. Children stand before their parents, so the last choice has the leaf that is reached. */
#define FOREST_LEAVES 256 /* have numbers that fit a byte */
struct forest_choice {
    struct rank_split split;
    uint16_t left, right; /* slots */
};

/* A symmetric tree has one split a level, the highest first: each gives one bit of the number of
 * the leaf (Dorogush, Ershov, Gulin: CatBoost, 2018). Its choices have no slots. */

/* A larger tree is walked row by row, without branches, which nothing could predict: a leaf's
 * right child is itself, and nothing is below its threshold. */
struct forest_step {
    float threshold;
    uint32_t left;
    uint32_t feature, default_left;
};

struct forest_tree_shape {
    uint32_t root;  /* in nodes and steps */
    uint32_t depth; /* splits above the deepest leaf */
    uint32_t leaf_count;
    bool is_symmetric;               /* it has `depth` choices; others one less than leaves */
    size_t first_choice, first_leaf; /* unless there are more than FOREST_LEAVES */
};

struct forest {
    struct forest_node *nodes;
    size_t node_count;
    struct forest_tree_shape *trees;
    size_t tree_count;
    struct ranks ranks; /* of the splits of all trees */
    struct forest_choice *choices;
    double *leaves; /* what they add, by their numbers */
    size_t choice_count, leaf_count;
    struct forest_step *steps; /* one per node, NULL when no tree is walked */
    size_t columns;            /* features of a row */
    double base;               /* log-odds          */
};

/* ERR_INVALID (DataInvalid) when the bytes are no sound model (forest_check.h). */
int forest_read(struct span bytes, size_t columns, struct forest *ret_forest, struct err *err)
    __attribute__((warn_unused_result));
void forest_release(struct forest *forest); /* safe on a zeroed struct */
#define auto_forest __attribute__((cleanup(forest_release)))

/* Does a row go left? */
static inline bool forest_goes_left(const struct forest_node *node, float value)
{
    return value < node->value || (node->default_left && value != value);
}

/* `rows` x columns floats, row by row. */
void forest_margins(const struct forest *forest, const float *values, size_t rows,
                    double *ret_margins);

/* The same without the instructions that not every processor has: the same bits. */
void forest_margins_portable(const struct forest *forest, const float *values, size_t rows,
                             double *ret_margins);
