/* shap.c - cutting a forest into groups of leaves, with their tables. */
#include "ml/shap.h"

#include "base/mem.h"
#include "ml/shap_parts.h"

#define CUTS       128 /* groups that leaves are dealt to at a time */
#define CUT_LEAVES 256 /* of a group at most */

/* A split of a path and which way the path goes. */
struct step {
    struct rank_split split;
    uint32_t feature;
    bool left;
    double share; /* of the training data at the split that goes this way */
};

/* Some different splits. */
struct splits {
    struct rank_split items[SHAP_SPLITS];
    size_t count;
    size_t state_count; /* product of 1 + splits of a lane */
    uint64_t lanes;     /* bit i: has some of a lane that is i modulo 64 */
};

/* The nodes from a root to a leaf, both included. */
struct way {
    uint32_t nodes[SHAP_SPLITS + 1];
    size_t depth;
};

/* A group on its way: leaves, perhaps of many trees, and their splits. */
struct cut {
    struct splits splits;
    struct way leaves[CUT_LEAVES];
    size_t leaf_count;
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
    struct cut *cuts;  /* CUTS of them; without leaves when not in use */
    size_t last;       /* the cut that got a leaf last */
    size_t oldest;     /* the cut that was begun first, or is the next to be */
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

/* The steps of the way to a leaf. */
static void find_steps(const struct forest *forest, const uint32_t *nodes, size_t depth,
                       struct step *ret_steps)
{
    for (size_t i = 0; i < depth; i++)
        ret_steps[i] = step_of(forest, nodes[i], nodes[i + 1] == forest->nodes[nodes[i]].left);
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

static size_t find_split(const struct splits *splits, struct rank_split split)
{
    size_t place = 0;
    while (place < splits->count &&
           (splits->items[place].lane != split.lane || splits->items[place].rank != split.rank))
        place++;
    return place;
}

/* False when there would be too many states. */
static bool add_split(struct splits *splits, struct rank_split split)
{
    size_t place = find_split(splits, split), of_lane = 0;
    if (place < splits->count)
        return true;
    for (size_t i = 0; i < splits->count; i++)
        of_lane += splits->items[i].lane == split.lane;
    size_t states = splits->state_count / (of_lane + 1) * (of_lane + 2);
    if (place == SHAP_SPLITS || states > SHAP_STATES)
        return false;
    splits->items[splits->count++] = split;
    splits->state_count = states;
    splits->lanes |= UINT64_C(1) << split.lane % 64;
    return true;
}

static bool add_splits(struct splits *splits, const struct splits *more)
{
    int new_lanes = __builtin_popcountll(more->lanes & ~splits->lanes);
    if (splits->state_count << new_lanes > SHAP_STATES) /* each has two or more */
        return false;
    for (size_t i = 0; i < more->count; i++)
        if (!add_split(splits, more->items[i]))
            return false;
    return true;
}

/* Who goes left at a split also goes left at those of its lane with higher ranks: the number
 * of splits of a lane at which a row goes left is a digit of its state. */
static void find_states(const struct splits *splits, struct states *ret_states)
{
    const struct rank_split *items = splits->items;
    size_t weight = 1;
    memset(ret_states, 0, sizeof(*ret_states));
    for (size_t i = 0; i < splits->count; i++) {
        if (ret_states->weights[i] > 0) /* its lane had its turn */
            continue;
        size_t digits = 1;
        for (size_t j = i; j < splits->count; j++)
            digits += items[j].lane == items[i].lane;
        for (size_t j = i; j < splits->count; j++) {
            if (items[j].lane != items[i].lane)
                continue;
            size_t higher = 0;
            for (size_t k = i; k < splits->count; k++)
                higher += items[k].lane == items[i].lane && items[k].rank > items[j].rank;
            ret_states->weights[j] = (uint8_t)weight;
            for (size_t state = 0; state < splits->state_count; state++)
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
static void add_leaf(const struct maker *maker, const struct splits *cut, double value,
                     const struct step *path, size_t depth, struct sums *sums)
{
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

static void add_group(const struct maker *maker, const struct splits *cut, const struct sums *sums)
{
    struct shap *shap = maker->shap;
    if (shap->tile_count == 0 || shap->tiles[shap->tile_count - 1].group_count == SHAP_TOGETHER) {
        RESERVE(shap->tiles, shap->tile_count, 1);
        shap->tiles[shap->tile_count++] = (struct shap_tile){ .group_count = 0 };
    }
    struct shap_tile *tile = &shap->tiles[shap->tile_count - 1];
    struct shap_group *group = &tile->groups[tile->group_count++];
    group->split_count = (uint8_t)cut->count;
    for (size_t i = 0; i < cut->count; i++)
        group->splits[i] = (struct shap_split){ cut->items[i], maker->states.weights[i] };
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
static void end_cut(struct maker *maker, struct cut *cut)
{
    size_t bytes = SHAP_PLACES * sizeof(float) * cut->splits.state_count;
    bool has_room = bytes <= maker->bytes_left;
    struct sums sums = { .source_count = 0 };
    if (cut->leaf_count == 0)
        return;
    find_states(&cut->splits, &maker->states);
    for (size_t i = 0; i < cut->leaf_count; i++) {
        const struct way *way = &cut->leaves[i];
        double value = (double)maker->forest->nodes[way->nodes[way->depth]].value;
        struct step path[SHAP_SPLITS];
        find_steps(maker->forest, way->nodes, way->depth, path);
        if (has_room)
            add_leaf(maker, &cut->splits, value, path, way->depth, &sums);
        else
            keep_leaf(maker, value, path, way->depth);
    }
    if (has_room) {
        maker->bytes_left -= bytes;
        add_group(maker, &cut->splits, &sums);
    }
    cut->leaf_count = 0;
}

/* The cut whose states are multiplied least by more splits, the fullest of such; NULL when there
 * is none that they fit into. */
static struct cut *find_cut(const struct maker *maker, const struct splits *more,
                            struct splits *ret_splits)
{
    struct cut *found = NULL;
    for (size_t i = 0; i < CUTS; i++) {
        struct cut *cut = &maker->cuts[(maker->last + i) % CUTS];
        struct splits splits = cut->splits;
        if (cut->leaf_count == 0 || !add_splits(&splits, more))
            continue;
        if (splits.count == cut->splits.count) {
            *ret_splits = splits;
            return cut;
        }
        if (found) { /* whose states, and those they become, are multiplied crosswise */
            size_t here = splits.state_count * found->splits.state_count;
            size_t there = ret_splits->state_count * cut->splits.state_count;
            if (here > there ||
                (here == there && cut->splits.state_count <= found->splits.state_count))
                continue;
        }
        found = cut;
        *ret_splits = splits;
    }
    return found;
}

static void deal_leaf(struct maker *maker, const uint32_t *nodes, size_t depth)
{
    struct splits own = { .state_count = 1 }, splits;
    struct step path[SHAP_PATH];
    bool fits = depth <= SHAP_SPLITS;
    find_steps(maker->forest, nodes, depth, path);
    for (size_t i = 0; i < depth && fits; i++)
        fits = add_split(&own, path[i].split);
    if (!fits) {
        keep_leaf(maker, (double)maker->forest->nodes[nodes[depth]].value, path, depth);
        return;
    }
    struct cut *cut = find_cut(maker, &own, &splits);
    if (!cut) {
        cut = &maker->cuts[maker->oldest];
        maker->oldest = (maker->oldest + 1) % CUTS;
        end_cut(maker, cut);
        splits = own;
    }
    struct way *way = &cut->leaves[cut->leaf_count++];
    memcpy(way->nodes, nodes, (depth + 1) * sizeof(*nodes));
    way->depth = depth;
    cut->splits = splits;
    maker->last = (size_t)(cut - maker->cuts);
    if (cut->leaf_count == CUT_LEAVES)
        end_cut(maker, cut);
}

/* `nodes`: the way from the root to the last of them. */
static void deal_leaves(struct maker *maker, uint32_t *nodes, size_t depth)
{
    uint32_t left = maker->forest->nodes[nodes[depth]].left;
    if (left == 0) {
        deal_leaf(maker, nodes, depth);
        return;
    }
    for (uint32_t right = 0; right <= 1; right++) {
        nodes[depth + 1] = left + right;
        deal_leaves(maker, nodes, depth + 1);
    }
}

struct shap *shap_new(const struct forest *forest, const uint32_t *sources, size_t source_count,
                      size_t table_bytes)
{
    struct shap *shap = mem_zero(1, sizeof(*shap));
    auto_free struct maker *maker = mem_zero(1, sizeof(*maker));
    auto_free struct cut *cuts = mem_zero(CUTS, sizeof(*cuts));
    uint32_t nodes[SHAP_PATH + 1];
    *maker = (struct maker){
        .shap = shap, .forest = forest, .sources = sources, .bytes_left = table_bytes, .cuts = cuts
    };
    shap->ranks = &forest->ranks;
    shap->source_count = source_count;
    shap->base = forest->base;
    shap_quadrature_init(&shap->quadrature);
    for (size_t i = 0; i < forest->tree_count; i++) {
        nodes[0] = forest->trees[i].root;
        shap->base += expected(forest, nodes[0]);
        if (forest->nodes[nodes[0]].left != 0)
            deal_leaves(maker, nodes, 0);
    }
    for (size_t i = 0; i < CUTS; i++)
        end_cut(maker, &cuts[(maker->oldest + i) % CUTS]);
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
