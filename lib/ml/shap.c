/* shap.c - cutting a forest into groups of leaves, with their tables. */
#include "ml/shap.h"

#include "base/mem.h"
#include "ml/shap_parts.h"

#define PIECES 64 /* of a group at most */

/* A split of a path and which way the path goes. */
struct step {
    struct rank_split split;
    uint32_t feature;
    bool left;
    double share; /* of the training data at the split that goes this way */
};

/* The leaves at and below a node, and how one comes there. */
struct piece {
    uint32_t index;
    struct step path[SHAP_SPLITS];
    size_t depth;
};

/* A group on its way: pieces, perhaps of several trees, and their different splits. */
struct cut {
    struct rank_split splits[SHAP_SPLITS];
    size_t split_count;
    size_t state_count; /* product of 1 + splits of a lane */
    struct piece pieces[PIECES];
    size_t piece_count;
};

/* The states of a cut that is complete. */
struct states {
    uint8_t weights[SHAP_SPLITS];
    uint32_t lefts[SHAP_STATES]; /* bit i: goes left at split i */
};

/* What is needed while a forest is cut. */
struct maker {
    struct shap *shap;
    const struct forest *forest;
    const uint32_t *sources;
    size_t bytes_left; /* for tables */
    struct cut cut;    /* as long as pieces still fit */
    struct states states;
};

/* What a group adds to its sources in each state. */
struct sums {
    double values[SHAP_STATES][SHAP_PLACES];
    uint32_t sources[SHAP_PLACES];
    size_t source_count;
};

/* Room for `more` items behind `count`, doubling. */
#define RESERVE(array, count, more)                                                                \
    do {                                                                                           \
        for (size_t i_ = (count); i_ < (count) + (more); i_++)                                     \
            if ((i_ & (i_ - 1)) == 0) /* 0 and powers of two */                                    \
                (array) = mem_resize((array), i_ ? 2 * i_ : 1, sizeof(*(array)));                  \
    } while (0)

/* --- paths ------------------------------------------------------------------ */

static struct step step_of(const struct forest *forest, uint32_t index, bool left)
{
    const struct forest_node *node = &forest->nodes[index];
    const struct forest_node *child = &forest->nodes[node->left + !left];
    return (struct step){
        .split = node->ranked,
        .feature = node->feature,
        .left = left,
        .share = node->cover > 0 ? (double)child->cover / (double)node->cover : 0,
    };
}

/* The distinct features of a path, with the product of the shares of each. */
struct path_features {
    uint32_t features[SHAP_PATH];
    double shares[SHAP_PATH];
    uint8_t places[SHAP_PATH]; /* of each step */
    size_t count;
};

static void find_features(const struct step *steps, size_t count, struct path_features *ret_found)
{
    ret_found->count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t place = 0;
        while (place < ret_found->count && ret_found->features[place] != steps[i].feature)
            place++;
        if (place == ret_found->count) {
            ret_found->features[place] = steps[i].feature;
            ret_found->shares[place] = 1;
            ret_found->count++;
        }
        ret_found->shares[place] *= steps[i].share;
        ret_found->places[i] = (uint8_t)place;
    }
}

static double expected(const struct forest *forest, uint32_t index)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0)
        return (double)node->value;
    return step_of(forest, index, true).share * expected(forest, node->left) +
           step_of(forest, index, false).share * expected(forest, node->left + 1);
}

/* --- which leaves fit into a group ------------------------------------------------ */

static void cut_clear(struct cut *cut)
{
    cut->split_count = cut->piece_count = 0;
    cut->state_count = 1;
}

static size_t find_split(const struct cut *cut, struct rank_split split)
{
    size_t place = 0;
    while (place < cut->split_count &&
           (cut->splits[place].lane != split.lane || cut->splits[place].rank != split.rank))
        place++;
    return place;
}

static bool add_split(struct cut *cut, struct rank_split split)
{
    size_t place = find_split(cut, split), of_lane = 0;
    if (place < cut->split_count)
        return true;
    for (size_t i = 0; i < cut->split_count; i++)
        of_lane += cut->splits[i].lane == split.lane;
    size_t states = cut->state_count / (of_lane + 1) * (of_lane + 2);
    if (place == SHAP_SPLITS || states > SHAP_STATES)
        return false;
    cut->splits[cut->split_count++] = split;
    cut->state_count = states;
    return true;
}

/* All splits at and below a node. */
static bool add_splits(struct cut *cut, const struct forest *forest, uint32_t index, size_t depth)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0)
        return true;
    return depth < SHAP_SPLITS && add_split(cut, node->ranked) &&
           add_splits(cut, forest, node->left, depth + 1) &&
           add_splits(cut, forest, node->left + 1, depth + 1);
}

/* False, and nothing has changed, when the piece does not fit. */
static bool add_piece(struct cut *cut, const struct forest *forest, uint32_t index,
                      const struct step *path, size_t depth)
{
    size_t splits = cut->split_count, states = cut->state_count;
    bool fits = depth <= SHAP_SPLITS && cut->piece_count < PIECES;
    for (size_t i = 0; i < depth && fits; i++)
        fits = add_split(cut, path[i].split);
    if (!fits || !add_splits(cut, forest, index, depth)) {
        cut->split_count = splits;
        cut->state_count = states;
        return false;
    }
    struct piece *piece = &cut->pieces[cut->piece_count++];
    piece->index = index;
    piece->depth = depth;
    memcpy(piece->path, path, depth * sizeof(*path));
    return true;
}

/* Who goes left at a split also goes left at those of its lane with higher ranks: the number
 * of splits of a lane at which a row goes left is a digit of its state. */
static void find_states(const struct cut *cut, struct states *ret_states)
{
    size_t weight = 1;
    memset(ret_states, 0, sizeof(*ret_states));
    for (size_t i = 0; i < cut->split_count; i++) {
        if (ret_states->weights[i] > 0) /* its lane had its turn */
            continue;
        size_t digits = 1;
        for (size_t j = i; j < cut->split_count; j++)
            digits += cut->splits[j].lane == cut->splits[i].lane;
        for (size_t j = i; j < cut->split_count; j++) {
            if (cut->splits[j].lane != cut->splits[i].lane)
                continue;
            size_t higher = 0;
            for (size_t k = i; k < cut->split_count; k++)
                higher += cut->splits[k].lane == cut->splits[i].lane &&
                          cut->splits[k].rank > cut->splits[j].rank;
            ret_states->weights[j] = (uint8_t)weight;
            for (size_t state = 0; state < cut->state_count; state++)
                ret_states->lefts[state] |= (uint32_t)(state / weight % digits > higher) << j;
        }
        weight *= digits;
    }
}

/* --- tables --------------------------------------------------------------------- */

static size_t source_place(struct sums *sums, uint32_t source)
{
    size_t place = 0;
    while (place < sums->source_count && sums->sources[place] != source)
        place++;
    if (place == sums->source_count)
        sums->sources[sums->source_count++] = source;
    return place;
}

/* What each feature gets from a leaf, for each combination of outcomes: feature i is
 * present if bit i is set. */
static void find_gets(const struct shap_quadrature *quadrature, const struct path_features *found,
                      double value, double (*ret_gets)[SHAP_PLACES])
{
    for (unsigned first = 0; first < 1U << found->count; first += SHAP_CASES) {
        shap_cases present[SHAP_PLACES], gets[SHAP_PLACES];
        memset(gets, 0, sizeof(gets));
        for (size_t i = 0; i < found->count; i++)
            for (unsigned k = 0; k < SHAP_CASES; k++)
                present[i][k] = (first + k) >> i & 1;
        shap_leaf_add(quadrature, found->shares, present, found->count, value, gets);
        for (size_t i = 0; i < found->count; i++)
            for (unsigned k = 0; k < SHAP_CASES; k++)
                ret_gets[first + k][i] = gets[i][k];
    }
}

/* Adds one leaf to the sums of every state. */
static void add_leaf(const struct maker *maker, double value, const struct step *path, size_t depth,
                     struct sums *sums)
{
    const struct cut *cut = &maker->cut;
    double gets[1U << SHAP_PLACES][SHAP_PLACES];
    struct path_features found;
    size_t places[SHAP_PLACES], splits[SHAP_SPLITS];
    find_features(path, depth, &found);
    find_gets(&maker->shap->quadrature, &found, value, gets);
    for (size_t i = 0; i < found.count; i++)
        places[i] = source_place(sums, maker->sources[found.features[i]]);
    for (size_t i = 0; i < depth; i++)
        splits[i] = find_split(cut, path[i].split);
    for (size_t state = 0; state < cut->state_count; state++) {
        unsigned absent = 0;
        for (size_t i = 0; i < depth; i++)
            absent |= ((maker->states.lefts[state] >> splits[i] & 1) ^ path[i].left)
                      << found.places[i];
        const double *own = gets[~absent & ((1U << found.count) - 1)];
        for (size_t i = 0; i < found.count; i++)
            sums->values[state][places[i]] += own[i];
    }
}

static void keep_leaf(struct maker *maker, double value, const struct step *path, size_t depth)
{
    struct shap *shap = maker->shap;
    struct path_features found;
    find_features(path, depth, &found);
    RESERVE(shap->leaves, shap->leaf_count, 1);
    shap->leaves[shap->leaf_count++] = (struct shap_leaf){
        .first_step = shap->step_count,
        .step_count = depth,
        .first_feature = shap->feature_count,
        .feature_count = found.count,
        .value = value,
    };
    RESERVE(shap->steps, shap->step_count, depth);
    for (size_t i = 0; i < depth; i++)
        shap->steps[shap->step_count++] =
            (struct shap_step){ path[i].split, path[i].left, found.places[i] };
    RESERVE(shap->shares, shap->feature_count, found.count);
    RESERVE(shap->sources, shap->feature_count, found.count);
    for (size_t i = 0; i < found.count; i++) {
        shap->shares[shap->feature_count] = found.shares[i];
        shap->sources[shap->feature_count++] = maker->sources[found.features[i]];
    }
}

/* The leaves at and below a node into sums, or, when these are NULL, kept for the formula. */
static void add_leaves(struct maker *maker, uint32_t index, struct step *path, size_t depth,
                       struct sums *sums)
{
    const struct forest_node *node = &maker->forest->nodes[index];
    if (node->left == 0) {
        if (sums)
            add_leaf(maker, (double)node->value, path, depth, sums);
        else
            keep_leaf(maker, (double)node->value, path, depth);
        return;
    }
    for (uint32_t right = 0; right <= 1; right++) {
        path[depth] = step_of(maker->forest, index, right == 0);
        add_leaves(maker, node->left + right, path, depth + 1, sums);
    }
}

/* --- groups ---------------------------------------------------------------------- */

static uint8_t tile_place(struct shap_tile *tile, uint32_t source)
{
    size_t place = 0;
    while (place < tile->source_count && tile->sources[place] != source)
        place++;
    if (place == tile->source_count)
        tile->sources[tile->source_count++] = source;
    return (uint8_t)place;
}

static void add_group(const struct maker *maker, const struct sums *sums)
{
    const struct cut *cut = &maker->cut;
    struct shap *shap = maker->shap;
    if (shap->tile_count == 0 || shap->tiles[shap->tile_count - 1].group_count == SHAP_TOGETHER) {
        RESERVE(shap->tiles, shap->tile_count, 1);
        shap->tiles[shap->tile_count++] = (struct shap_tile){ .group_count = 0 };
    }
    struct shap_tile *tile = &shap->tiles[shap->tile_count - 1];
    struct shap_group *group = &tile->groups[tile->group_count++];
    group->split_count = (uint8_t)cut->split_count;
    for (size_t i = 0; i < cut->split_count; i++)
        group->splits[i] = (struct shap_split){ cut->splits[i], maker->states.weights[i] };
    group->source_count = (uint8_t)sums->source_count;
    for (size_t i = 0; i < SHAP_PLACES; i++)
        group->places[i] = i < sums->source_count ? tile_place(tile, sums->sources[i])
                                                  : (uint8_t)SHAP_TILE_SOURCES;
    group->state_count = (uint16_t)cut->state_count;
    group->table = mem_aligned(cut->state_count * SHAP_PLACES, sizeof(float));
    for (size_t i = 0; i < cut->state_count; i++)
        for (size_t j = 0; j < SHAP_PLACES; j++)
            group->table[i * SHAP_PLACES + j] = (float)sums->values[i][j];
}

/* Makes a group of what was cut, or keeps the leaves alone when there is no room for its
 * table. */
static void end_cut(struct maker *maker)
{
    struct cut *cut = &maker->cut;
    size_t bytes = SHAP_PLACES * sizeof(float) * cut->state_count;
    bool has_room = bytes <= maker->bytes_left;
    struct sums sums = { .source_count = 0 };
    find_states(cut, &maker->states);
    for (size_t i = 0; i < cut->piece_count; i++) {
        const struct piece *piece = &cut->pieces[i];
        struct step path[SHAP_SPLITS];
        memcpy(path, piece->path, piece->depth * sizeof(*path));
        add_leaves(maker, piece->index, path, piece->depth, has_room ? &sums : NULL);
    }
    if (has_room && cut->piece_count > 0) {
        maker->bytes_left -= bytes;
        add_group(maker, &sums);
    }
    cut_clear(cut);
}

/* Everything below a node becomes one piece, or its children are looked at alone. */
static void cut_tree(struct maker *maker, uint32_t index, struct step *path, size_t depth)
{
    const struct forest_node *node = &maker->forest->nodes[index];
    struct cut alone;
    cut_clear(&alone);
    if (add_piece(&maker->cut, maker->forest, index, path, depth))
        return;
    if (add_piece(&alone, maker->forest, index, path, depth)) {
        end_cut(maker);
        (void)add_piece(&maker->cut, maker->forest, index, path, depth);
        return;
    }
    if (node->left == 0) {
        keep_leaf(maker, (double)node->value, path, depth);
        return;
    }
    for (uint32_t right = 0; right <= 1; right++) {
        path[depth] = step_of(maker->forest, index, right == 0);
        cut_tree(maker, node->left + right, path, depth + 1);
    }
}

struct shap *shap_new(const struct forest *forest, const uint32_t *sources, size_t source_count,
                      size_t table_bytes)
{
    struct shap *shap = mem_zero(1, sizeof(*shap));
    auto_free struct maker *maker = mem_zero(1, sizeof(*maker));
    struct step path[SHAP_PATH];
    *maker = (struct maker){
        .shap = shap, .forest = forest, .sources = sources, .bytes_left = table_bytes
    };
    cut_clear(&maker->cut);
    shap->ranks = &forest->ranks;
    shap->source_count = source_count;
    shap->base = forest->base;
    shap_quadrature_init(&shap->quadrature);
    for (size_t i = 0; i < forest->tree_count; i++) {
        uint32_t root = forest->trees[i].root;
        shap->base += expected(forest, root);
        if (forest->nodes[root].left != 0)
            cut_tree(maker, root, path, 0);
    }
    end_cut(maker);
    return shap;
}

void shap_free(struct shap *shap)
{
    if (shap == NULL)
        return;
    for (size_t i = 0; i < shap->tile_count; i++)
        for (size_t j = 0; j < shap->tiles[i].group_count; j++)
            free(shap->tiles[i].groups[j].table);
    free(shap->tiles);
    free(shap->leaves);
    free(shap->steps);
    free(shap->shares);
    free(shap->sources);
    free(shap);
}

void shap_cleanup(struct shap **shap)
{
    shap_free(*shap);
}

double shap_base(const struct shap *shap)
{
    return shap->base;
}

size_t shap_groups(const struct shap *shap)
{
    size_t count = 0;
    for (size_t i = 0; i < shap->tile_count; i++)
        count += shap->tiles[i].group_count;
    return count;
}
