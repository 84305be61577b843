/* shap.c - cutting a forest into groups, and looking rows up. */
#include "ml/shap.h"

#include "base/mem.h"
#include "ml/shap_leaf.h"

#define LANES         8   /* rows at once */
#define BLOCK_ROWS    512 /* rows that go through one group while its table is in the cache */
#define GROUP_SOURCES SHAP_BITS
#define GROUP_LEAVES  (SHAP_BITS + 1)

typedef float lanes __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t masks __attribute__((vector_size(4 * LANES)));

struct split {
    float threshold;
    uint32_t feature;
    bool default_left;
};

struct group {
    size_t splits, split_count; /* a range of shap->splits; the i-th is bit i */
    uint32_t sources[GROUP_SOURCES];
    size_t source_count;
    size_t table;  /* in shap->tables: source_count floats for each pattern */
    size_t values; /* in shap->values: one float for each pattern           */
};

/* A split of a path and which way the path goes. */
struct step {
    struct split split;
    bool left;
    double share;  /* of the training data at the split that goes this way */
    uint8_t place; /* its bit in a group; in a leaf its feature's place    */
};

/* A leaf that is in no group. */
struct leaf {
    size_t steps, step_count; /* a range of shap->steps */
    size_t features;          /* distinct ones: of shap->shares and ->leaf_sources */
    size_t feature_count;
    double value;
};

struct shap {
    const struct forest *forest; /* while it is cut */
    const uint32_t *sources;     /* while it is cut */
    size_t source_count, columns, table_bytes;
    double base;
    bool has_constants; /* trees of one leaf, which no group has */
    struct shap_quadrature quadrature;
    struct split *splits;
    struct group *groups;
    float *tables, *values;
    struct leaf *leaves;
    struct step *steps;
    double *shares;
    uint32_t *leaf_sources;
    size_t split_count, group_count, table_count, value_count, leaf_count, step_count, share_count;
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
        .split = { node->value, node->feature, node->default_left },
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
        while (place < ret_found->count && ret_found->features[place] != steps[i].split.feature)
            place++;
        if (place == ret_found->count) {
            ret_found->features[place] = steps[i].split.feature;
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

/* Splits at and below a node, at most `limit` + 1. */
static size_t count_splits(const struct forest *forest, uint32_t index, size_t limit)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0)
        return 0;
    size_t count = 1 + count_splits(forest, node->left, limit);
    return count > limit ? count : count + count_splits(forest, node->left + 1, limit);
}

/* --- groups ------------------------------------------------------------------ */

/* The leaves below a node, each with its whole path; places are bits. */
struct cut {
    const struct forest *forest;
    struct split splits[SHAP_BITS];
    size_t split_count;
    struct step steps[GROUP_LEAVES][SHAP_BITS];
    size_t step_counts[GROUP_LEAVES];
    double values[GROUP_LEAVES];
    size_t leaf_count;
};

static void cut_below(struct cut *cut, uint32_t index, struct step *path, size_t depth)
{
    const struct forest_node *node = &cut->forest->nodes[index];
    if (node->left == 0) {
        memcpy(cut->steps[cut->leaf_count], path, depth * sizeof(*path));
        cut->step_counts[cut->leaf_count] = depth;
        cut->values[cut->leaf_count++] = (double)node->value;
        return;
    }
    uint8_t bit = (uint8_t)cut->split_count;
    cut->splits[cut->split_count++] = step_of(cut->forest, index, true).split;
    for (uint32_t right = 0; right <= 1; right++) {
        path[depth] = step_of(cut->forest, index, right == 0);
        path[depth].place = bit;
        cut_below(cut, node->left + right, path, depth + 1);
    }
}

static size_t source_place(struct group *group, uint32_t source)
{
    size_t place = 0;
    while (place < group->source_count && group->sources[place] != source)
        place++;
    if (place == group->source_count)
        group->sources[group->source_count++] = source;
    return place;
}

/* Adds one leaf to the sums of every pattern. */
static void add_leaf(const struct shap *shap, const struct cut *cut, size_t leaf,
                     struct group *group, double (*sums)[GROUP_SOURCES], float *reached)
{
    const struct step *steps = cut->steps[leaf];
    struct path_features found;
    double gets[1U << SHAP_BITS][SHAP_BITS] = { { 0 } };
    unsigned bits[SHAP_BITS] = { 0 }, wanted[SHAP_BITS] = { 0 };
    size_t places[SHAP_BITS];
    find_features(steps, cut->step_counts[leaf], &found);
    for (size_t i = 0; i < cut->step_counts[leaf]; i++) {
        bits[found.places[i]] |= 1U << steps[i].place;
        wanted[found.places[i]] |= (unsigned)steps[i].left << steps[i].place;
    }
    for (size_t i = 0; i < found.count; i++)
        places[i] = source_place(group, shap->sources[found.features[i]]);
    for (unsigned outcome = 0; outcome < 1U << found.count; outcome++) {
        uint8_t present[SHAP_BITS];
        for (size_t i = 0; i < found.count; i++)
            present[i] = outcome >> i & 1;
        shap_leaf_add(&shap->quadrature, found.shares, present, found.count, cut->values[leaf],
                      gets[outcome]);
    }
    for (unsigned pattern = 0; pattern < 1U << cut->split_count; pattern++) {
        unsigned outcome = 0;
        for (size_t i = 0; i < found.count; i++)
            outcome |= (unsigned)((pattern & bits[i]) == wanted[i]) << i;
        for (size_t i = 0; i < found.count; i++)
            sums[pattern][places[i]] += gets[outcome][i];
        if (outcome == (1U << found.count) - 1)
            reached[pattern] = (float)cut->values[leaf];
    }
}

/* False when there is no room for its table. */
static bool add_group(struct shap *shap, uint32_t index, const struct step *path, size_t depth)
{
    double sums[1U << SHAP_BITS][GROUP_SOURCES] = { { 0 } };
    float reached[1U << SHAP_BITS] = { 0 };
    struct cut cut = { .forest = shap->forest, .split_count = depth };
    struct group group = { .splits = shap->split_count };
    struct step steps[SHAP_BITS];
    for (size_t i = 0; i < depth; i++) {
        steps[i] = path[i];
        steps[i].place = (uint8_t)i;
        cut.splits[i] = path[i].split;
    }
    cut_below(&cut, index, steps, depth);
    for (size_t leaf = 0; leaf < cut.leaf_count; leaf++)
        add_leaf(shap, &cut, leaf, &group, sums, reached);
    size_t patterns = (size_t)1 << cut.split_count, floats = patterns * group.source_count;
    if ((shap->table_count + floats) * sizeof(float) > shap->table_bytes)
        return false;
    group.split_count = cut.split_count;
    group.table = shap->table_count;
    group.values = shap->value_count;
    RESERVE(shap->splits, shap->split_count, cut.split_count);
    memcpy(shap->splits + shap->split_count, cut.splits, cut.split_count * sizeof(*cut.splits));
    shap->split_count += cut.split_count;
    RESERVE(shap->tables, shap->table_count, floats);
    for (size_t i = 0; i < patterns; i++)
        for (size_t j = 0; j < group.source_count; j++)
            shap->tables[shap->table_count++] = (float)sums[i][j];
    RESERVE(shap->values, shap->value_count, patterns);
    memcpy(shap->values + shap->value_count, reached, patterns * sizeof(*reached));
    shap->value_count += patterns;
    RESERVE(shap->groups, shap->group_count, 1);
    shap->groups[shap->group_count++] = group;
    return true;
}

/* --- leaves that are in no group ------------------------------------------------ */

static void keep_leaf(struct shap *shap, double value, const struct step *path, size_t depth)
{
    struct path_features found;
    find_features(path, depth, &found);
    RESERVE(shap->leaves, shap->leaf_count, 1);
    shap->leaves[shap->leaf_count++] = (struct leaf){
        .steps = shap->step_count,
        .step_count = depth,
        .features = shap->share_count,
        .feature_count = found.count,
        .value = value,
    };
    RESERVE(shap->steps, shap->step_count, depth);
    for (size_t i = 0; i < depth; i++) {
        shap->steps[shap->step_count] = path[i];
        shap->steps[shap->step_count++].place = found.places[i];
    }
    RESERVE(shap->shares, shap->share_count, found.count);
    RESERVE(shap->leaf_sources, shap->share_count, found.count);
    for (size_t i = 0; i < found.count; i++) {
        shap->shares[shap->share_count] = found.shares[i];
        shap->leaf_sources[shap->share_count++] = shap->sources[found.features[i]];
    }
}

/* The subtree becomes one group, or its children are looked at alone. */
static void cut_tree(struct shap *shap, uint32_t index, struct step *path, size_t depth)
{
    const struct forest_node *node = &shap->forest->nodes[index];
    size_t splits = depth + count_splits(shap->forest, index, SHAP_BITS);
    if (splits == 0)
        shap->has_constants = true;
    if (splits == 0 || (splits <= SHAP_BITS && add_group(shap, index, path, depth)))
        return;
    if (node->left == 0) {
        keep_leaf(shap, (double)node->value, path, depth);
        return;
    }
    for (uint32_t right = 0; right <= 1; right++) {
        path[depth] = step_of(shap->forest, index, right == 0);
        cut_tree(shap, node->left + right, path, depth + 1);
    }
}

struct shap *shap_new(const struct forest *forest, const uint32_t *sources, size_t source_count,
                      size_t table_bytes)
{
    struct shap *shap = mem_zero(1, sizeof(*shap));
    struct step path[SHAP_PATH];
    shap->forest = forest;
    shap->sources = sources;
    shap->source_count = source_count;
    shap->columns = forest->columns;
    shap->table_bytes = table_bytes;
    shap->base = forest->base;
    shap_quadrature_init(&shap->quadrature);
    for (size_t i = 0; i < forest->tree_count; i++) {
        shap->base += expected(forest, forest->roots[i]);
        cut_tree(shap, forest->roots[i], path, 0);
    }
    shap->forest = NULL;
    shap->sources = NULL;
    return shap;
}

void shap_free(struct shap *shap)
{
    if (shap == NULL)
        return;
    free(shap->splits);
    free(shap->groups);
    free(shap->tables);
    free(shap->values);
    free(shap->leaves);
    free(shap->steps);
    free(shap->shares);
    free(shap->leaf_sources);
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

/* --- rows ------------------------------------------------------------------------ */

static bool agrees(const struct step *step, const float *row)
{
    float value = row[step->split.feature];
    bool left = value < step->split.threshold || (step->split.default_left && value != value);
    return left == step->left;
}

static void add_leaves(const struct shap *shap, const float *row, double *sources)
{
    for (size_t i = 0; i < shap->leaf_count; i++) {
        const struct leaf *leaf = &shap->leaves[i];
        uint8_t present[SHAP_PATH];
        double gets[SHAP_PATH] = { 0 };
        memset(present, 1, leaf->feature_count);
        for (size_t j = 0; j < leaf->step_count; j++) {
            const struct step *step = &shap->steps[leaf->steps + j];
            present[step->place] &= agrees(step, row);
        }
        shap_leaf_add(&shap->quadrature, shap->shares + leaf->features, present,
                      leaf->feature_count, leaf->value, gets);
        for (size_t j = 0; j < leaf->feature_count; j++)
            sources[shap->leaf_sources[leaf->features + j]] += gets[j];
    }
}

/* Which way eight rows go at each split of a group, as bits.
 * columns[feature * BLOCK_ROWS + row]. */
static inline __attribute__((always_inline)) void find_patterns(const struct shap *shap,
                                                                const struct group *group,
                                                                const float *columns,
                                                                int32_t *ret_patterns)
{
    const struct split *splits = shap->splits + group->splits;
    masks pattern = { 0 };
    for (size_t k = group->split_count; k-- > 0;) {
        lanes value = *(const lanes *)(columns + splits[k].feature * BLOCK_ROWS);
        masks left = value < splits[k].threshold;
        if (splits[k].default_left)
            left |= value != value;
        pattern = pattern + pattern - left; /* true is -1 */
    }
    memcpy(ret_patterns, &pattern, sizeof(pattern));
}

/* What these two compile to is the only difference between the twins below. */
static inline __attribute__((always_inline)) void add_contributions(const struct shap *shap,
                                                                    const float *columns,
                                                                    size_t rows, double *sources)
{
    for (size_t i = 0; i < shap->group_count; i++) {
        const struct group *group = &shap->groups[i];
        for (size_t first = 0; first < rows; first += LANES) {
            int32_t patterns[LANES];
            find_patterns(shap, group, columns + first, patterns);
            for (size_t row = first; row < first + LANES && row < rows; row++) {
                const float *entry = shap->tables + group->table +
                                     (size_t)patterns[row - first] * group->source_count;
                double *target = sources + row * shap->source_count;
                for (size_t j = 0; j < group->source_count; j++)
                    target[group->sources[j]] += (double)entry[j];
            }
        }
    }
}

static inline __attribute__((always_inline)) void add_values(const struct shap *shap,
                                                             const float *columns, size_t rows,
                                                             double *margins)
{
    for (size_t i = 0; i < shap->group_count; i++) {
        const struct group *group = &shap->groups[i];
        const float *values = shap->values + group->values;
        for (size_t first = 0; first < rows; first += LANES) {
            int32_t patterns[LANES];
            find_patterns(shap, group, columns + first, patterns);
            for (size_t row = 0; row < LANES; row++)
                margins[first + row] += (double)values[patterns[row]];
        }
    }
}

/* Two things that are done to a block of rows. */
struct engine {
    void (*contributions)(const struct shap *shap, const float *columns, size_t rows,
                          double *sources);
    /* margins has room for a whole number of LANES */
    void (*values)(const struct shap *shap, const float *columns, size_t rows, double *margins);
};

static void portable_contributions(const struct shap *shap, const float *columns, size_t rows,
                                   double *sources)
{
    add_contributions(shap, columns, rows, sources);
}

static void portable_values(const struct shap *shap, const float *columns, size_t rows,
                            double *margins)
{
    add_values(shap, columns, rows, margins);
}

static const struct engine portable = { portable_contributions, portable_values };

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))
AVX2 static void avx2_contributions(const struct shap *shap, const float *columns, size_t rows,
                                    double *sources)
{
    add_contributions(shap, columns, rows, sources);
}

AVX2 static void avx2_values(const struct shap *shap, const float *columns, size_t rows,
                             double *margins)
{
    add_values(shap, columns, rows, margins);
}

static const struct engine avx2 = { avx2_contributions, avx2_values };
#endif

static const struct engine *fastest(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return &avx2;
#endif
    return &portable;
}

/* The cells of a block of rows column by column, aligned for lanes. */
struct block {
    float *memory, *columns;
};

static struct block block_new(const struct shap *shap)
{
    float *memory = mem_zero(shap->columns * BLOCK_ROWS + LANES, sizeof(*memory));
    uintptr_t aligned = ((uintptr_t)memory + sizeof(lanes) - 1) & ~(sizeof(lanes) - 1);
    return (struct block){ memory, (float *)aligned };
}

static void block_fill(const struct shap *shap, struct block *block, const float *values,
                       size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < shap->columns; column++)
            block->columns[column * BLOCK_ROWS + row] = values[row * shap->columns + column];
}

static void add_rows(const struct shap *shap, const struct engine *engine, const float *values,
                     size_t rows, double *ret_sources)
{
    struct block block = block_new(shap);
    memset(ret_sources, 0, rows * shap->source_count * sizeof(*ret_sources));
    for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        const float *from = values + first * shap->columns;
        double *sources = ret_sources + first * shap->source_count;
        block_fill(shap, &block, from, count);
        engine->contributions(shap, block.columns, count, sources);
        for (size_t row = 0; shap->leaf_count > 0 && row < count; row++)
            add_leaves(shap, from + row * shap->columns, sources + row * shap->source_count);
    }
    free(block.memory);
}

/* Leaves without a group have no pattern, nor has a tree of one leaf: then the trees are walked.
 * Every tree adds one leaf, the others of its groups 0, so the sum is the same to the last bit. */
void shap_margins(const struct shap *shap, const struct forest *forest, const float *values,
                  size_t rows, double *ret_margins)
{
    if (shap->leaf_count > 0 || shap->has_constants) {
        forest_margins(forest, values, rows, ret_margins);
        return;
    }
    struct block block = block_new(shap);
    for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        double margins[BLOCK_ROWS];
        for (size_t row = 0; row < BLOCK_ROWS; row++)
            margins[row] = forest->base;
        block_fill(shap, &block, values + first * shap->columns, count);
        fastest()->values(shap, block.columns, count, margins);
        memcpy(ret_margins + first, margins, count * sizeof(*margins));
    }
    free(block.memory);
}

void shap_rows(const struct shap *shap, const float *values, size_t rows, double *ret_sources)
{
    add_rows(shap, fastest(), values, rows, ret_sources);
}

void shap_rows_portable(const struct shap *shap, const float *values, size_t rows,
                        double *ret_sources)
{
    add_rows(shap, &portable, values, rows, ret_sources);
}
