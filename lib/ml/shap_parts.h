/* shap_parts.h - what shap.c makes of a forest, and shap_rows.c looks rows up in; private
 * to the explanation of forests. */
#pragma once

#include "ml/shap.h"
#include "ml/shap_leaf.h"

#define SHAP_TOGETHER     16 /* groups of a tile */
#define SHAP_TILE_SOURCES (SHAP_TOGETHER * SHAP_PLACES)
#define SHAP_SPLITS       16 /* of a group at most */

/* A row's state is the sum of the weights of the splits at which it goes left. */
struct shap_split {
    struct rank_split split;
    uint8_t weight;
};

/* Some leaves that are reached by few splits, in terms of their states. */
struct shap_group {
    struct shap_split splits[SHAP_SPLITS];
    uint8_t split_count;
    uint8_t source_count;        /* of the columns that get something */
    uint8_t places[SHAP_PLACES]; /* in the tile's sources; SHAP_TILE_SOURCES where there is none */
    uint16_t state_count;
    float *table; /* SHAP_PLACES floats for each state: what the places get */
};

/* Groups whose tables stay in the cache together. What a tile adds is summed in floats, tiles
 * are summed in doubles. */
struct shap_tile {
    struct shap_group groups[SHAP_TOGETHER];
    size_t group_count;
    uint32_t sources[SHAP_TILE_SOURCES];
    size_t source_count;
};

/* A leaf that is in no group, its splits, and the distinct features of these. */
struct shap_step {
    struct rank_split split;
    bool left;     /* which way the path goes */
    uint8_t place; /* of its feature */
};
struct shap_leaf {
    size_t first_step, step_count;
    size_t first_feature, feature_count;
    double value;
};

struct shap {
    const struct ranks *ranks; /* the forest's */
    size_t source_count;
    double base;
    struct shap_quadrature quadrature;
    struct shap_tile *tiles;
    struct shap_leaf *leaves;
    struct shap_step *steps;
    double *shares;    /* of features */
    uint32_t *sources; /* of features */
    size_t tile_count, leaf_count, step_count, feature_count;
};
