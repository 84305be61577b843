/* forest_write.h - boosted forests in the UBJSON format of XGBoost 1.7, which forest_check.h reads
 * and libxgboost loads.
 *
 * A sum of boosted forests is a forest: forest_blend() puts the trees of several one after the
 * other, each leaf multiplied by the weight of its forest, and adds up the base log-odds the same
 * way. */
#pragma once

#include "base/buf.h"
#include "ml/forest_check.h"

struct forest_writer {
    struct buf trees;
    size_t count, columns;
};
void forest_writer_init(struct forest_writer *writer, size_t columns);
void forest_writer_release(struct forest_writer *writer); /* safe on a zeroed struct */
#define auto_forest_writer __attribute__((cleanup(forest_writer_release)))

/* One tree: its root is node 0, children come after their parents. */
void forest_writer_add(struct forest_writer *writer, const struct forest_tree_node *nodes,
                       size_t count);

/* `base_score`: a probability. ERR_TOO_BIG beyond LIMIT_MODEL_WEIGHTS. The caller frees. */
int forest_writer_finish(const struct forest_writer *writer, double base_score, char **ret_bytes,
                         size_t *ret_size, struct err *err) __attribute__((warn_unused_result));

struct forest_part {
    struct span bytes; /* of a whole forest */
    double weight;
};

/* ERR_INVALID (DataInvalid) when a part is no sound forest over `columns` features. */
int forest_blend(const struct forest_part *parts, size_t count, size_t columns, char **ret_bytes,
                 size_t *ret_size, struct err *err) __attribute__((warn_unused_result));
