#include "ml/forest.h"

#include <math.h>

#include "base/mem.h"
#include "ml/forest_check.h"

/* Rows that go through one tree together: their ranks and the tree stay in the cache. */
#define ROWS_TOGETHER  256
#define TREES_TOGETHER 4 /* whose leaves are added at once */

/* --- reading ------------------------------------------------------------- */

struct reading {
    struct forest forest;
    size_t node_room, tree_room;
};

static uint32_t add_nodes(struct reading *reading, size_t count)
{
    struct forest *forest = &reading->forest;
    size_t first = forest->node_count;
    forest->node_count += count;
    if (forest->node_count > reading->node_room) {
        reading->node_room = 2 * forest->node_count;
        forest->nodes = mem_resize(forest->nodes, reading->node_room, sizeof(*forest->nodes));
    }
    return (uint32_t)first;
}

/* Node `index` of the file becomes node `place`, with all below it. The depth is
 * limited by forest_check(). */
static void take_node(struct reading *reading, const struct forest_tree *tree, size_t index,
                      uint32_t place, uint32_t depth)
{
    struct forest_tree_shape *shape = &reading->forest.trees[reading->forest.tree_count - 1];
    struct forest_tree_node from = forest_tree_node(tree, index);
    uint32_t left = from.left ? add_nodes(reading, 2) : 0;
    reading->forest.nodes[place] = (struct forest_node){
        .value = from.value,
        .cover = from.cover,
        .left = left,
        .feature = from.feature & INT32_MAX,
        .default_left = from.default_left,
    };
    if (depth > shape->depth)
        shape->depth = depth;
    if (left == 0) {
        shape->leaf_count++;
        return;
    }
    take_node(reading, tree, from.left, left, depth + 1);
    take_node(reading, tree, from.right, left + 1, depth + 1);
}

static void take_tree(void *context, const struct forest_tree *tree)
{
    struct reading *reading = context;
    struct forest *forest = &reading->forest;
    if (forest->tree_count == reading->tree_room) {
        reading->tree_room = 2 * reading->tree_room + 64;
        forest->trees = mem_resize(forest->trees, reading->tree_room, sizeof(*forest->trees));
    }
    uint32_t root = add_nodes(reading, 1);
    forest->trees[forest->tree_count++] = (struct forest_tree_shape){ .root = root };
    take_node(reading, tree, 0, root, 0);
}

static struct split split_of(const struct forest_node *node)
{
    return (struct split){ node->value, node->feature, node->default_left };
}

static void rank_splits(struct forest *forest)
{
    auto_free struct split *splits = mem_zero(forest->node_count, sizeof(*splits));
    size_t count = 0;
    for (size_t i = 1; i < forest->node_count; i++)
        if (forest->nodes[i].left != 0)
            splits[count++] = split_of(&forest->nodes[i]);
    ranks_init(&forest->ranks, splits, count, forest->columns);
    for (size_t i = 1; i < forest->node_count; i++)
        if (forest->nodes[i].left != 0)
            forest->nodes[i].ranked = ranks_find(&forest->ranks, split_of(&forest->nodes[i]));
}

/* The slot with the leaves of a node. Its depth is below that of a tree of FOREST_LEAVES. */
static uint16_t add_choices(struct forest *forest, const struct forest_tree_shape *shape,
                            uint32_t index)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0) {
        forest->leaves[forest->leaf_count] = (double)node->value;
        return (uint16_t)(forest->leaf_count++ - shape->first_leaf);
    }
    struct forest_choice choice = { .split = node->ranked };
    choice.left = add_choices(forest, shape, node->left);
    choice.right = add_choices(forest, shape, node->left + 1);
    forest->choices[forest->choice_count] = choice;
    return (uint16_t)(FOREST_LEAVES + forest->choice_count++ - shape->first_choice);
}

/* Is all below a node a full tree of `depth` levels, with these splits? */
static bool has_levels(const struct forest *forest, uint32_t index,
                       const struct forest_choice *levels, uint32_t depth)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0 || depth == 0)
        return node->left == 0 && depth == 0;
    return node->ranked.lane == levels->split.lane && node->ranked.rank == levels->split.rank &&
           has_levels(forest, node->left, levels + 1, depth - 1) &&
           has_levels(forest, node->left + 1, levels + 1, depth - 1);
}

static void add_leaves(struct forest *forest, uint32_t index)
{
    const struct forest_node *node = &forest->nodes[index];
    if (node->left == 0) {
        forest->leaves[forest->leaf_count++] = (double)node->value;
        return;
    }
    add_leaves(forest, node->left);
    add_leaves(forest, node->left + 1);
}

/* A choice for each level, if the tree is symmetric. */
static bool add_levels(struct forest *forest, const struct forest_tree_shape *shape)
{
    struct forest_choice *levels = forest->choices + shape->first_choice;
    uint32_t depth = 0;
    for (uint32_t index = shape->root; forest->nodes[index].left != 0; depth++) {
        levels[depth].split = forest->nodes[index].ranked;
        index = forest->nodes[index].left;
    }
    if (!has_levels(forest, shape->root, levels, depth))
        return false;
    forest->choice_count += depth;
    add_leaves(forest, shape->root);
    return true;
}

static void make_steps(struct forest *forest)
{
    forest->steps = mem_zero(forest->node_count, sizeof(*forest->steps));
    for (size_t i = 1; i < forest->node_count; i++) {
        const struct forest_node *node = &forest->nodes[i];
        forest->steps[i] = node->left == 0
                               ? (struct forest_step){ -INFINITY, (uint32_t)i - 1, 0, 0 }
                               : (struct forest_step){ node->value, node->left, node->feature,
                                                       node->default_left };
    }
}

static void shape_trees(struct forest *forest)
{
    forest->choices = mem_zero(forest->node_count, sizeof(*forest->choices));
    forest->leaves = mem_zero(forest->node_count, sizeof(*forest->leaves));
    for (size_t i = 0; i < forest->tree_count; i++) {
        struct forest_tree_shape *shape = &forest->trees[i];
        shape->first_choice = forest->choice_count;
        shape->first_leaf = forest->leaf_count;
        if (shape->leaf_count > FOREST_LEAVES) {
            if (forest->steps == NULL)
                make_steps(forest);
            continue;
        }
        shape->is_symmetric = add_levels(forest, shape);
        if (!shape->is_symmetric)
            (void)add_choices(forest, shape, shape->root);
    }
}

int forest_read(struct span bytes, size_t columns, struct forest *ret_forest, struct err *err)
{
    struct reading reading = { .forest.columns = columns };
    double base_score;
    (void)add_nodes(&reading, 1); /* so that no child has the index 0 */
    if (forest_walk(bytes, columns, take_tree, &reading, &base_score, err) < 0) {
        forest_release(&reading.forest);
        return -1;
    }
    rank_splits(&reading.forest);
    shape_trees(&reading.forest);
    reading.forest.base = log(base_score / (1 - base_score));
    *ret_forest = reading.forest;
    return 0;
}

void forest_release(struct forest *forest)
{
    free(forest->nodes);
    free(forest->trees);
    ranks_release(&forest->ranks);
    free(forest->choices);
    free(forest->leaves);
    free(forest->steps);
    *forest = (struct forest){ 0 };
}

/* --- trees row by row -------------------------------------------------------- */

static uint32_t next_of(const struct forest_step *step, const float *row)
{
    float value = row[step->feature];
    unsigned left =
        (unsigned)(value < step->threshold) | ((unsigned)(value != value) & step->default_left);
    return step->left + (left ^ 1);
}

static void add_walked(const struct forest *forest, const struct forest_tree_shape *shape,
                       const float *values, size_t rows, double *margins)
{
    for (size_t row = 0; row < rows; row++) {
        const float *cells = values + row * forest->columns;
        uint32_t index = shape->root;
        for (unsigned depth = shape->depth; depth > 0; depth--)
            index = next_of(&forest->steps[index], cells);
        margins[row] += (double)forest->nodes[index].value;
    }
}

/* --- trees for many rows at once ----------------------------------------------- */

/* Which leaf each of RANKS_ROWS rows reaches. The first FOREST_LEAVES slots hold their own
 * number. */
static inline __attribute__((always_inline)) rank_rows *find_leaves(
    const struct forest_choice *choices, size_t count, const rank_rows *ranks, rank_rows *slots)
{
    rank_rows *leaves = slots;
    for (size_t i = 0; i < count; i++) {
        const struct forest_choice *choice = &choices[i];
        rank_rows left = (rank_rows)(ranks[choice->split.lane] <= choice->split.rank);
        leaves = &slots[FOREST_LEAVES + i];
        *leaves = (slots[choice->left] & left) | (slots[choice->right] & ~left);
    }
    return leaves;
}

/* The same in a symmetric tree. Right is 1. */
static inline __attribute__((always_inline)) void number_leaves(const struct forest_choice *levels,
                                                                size_t depth,
                                                                const rank_rows *ranks,
                                                                rank_rows *ret_numbers)
{
    rank_rows numbers = { 0 };
    for (size_t i = 0; i < depth; i++)
        numbers =
            numbers + numbers - (rank_rows)(ranks[levels[i].split.lane] > levels[i].split.rank);
    *ret_numbers = numbers;
}

/* The numbers of the leaves that rows reach in a few trees, and what the leaves add. */
struct reached {
    rank_rows numbers[TREES_TOGETHER][ROWS_TOGETHER / RANKS_ROWS];
    const double *leaves[TREES_TOGETHER];
    size_t count;
};

/* Always in the order of the trees. */
static inline __attribute__((always_inline)) void add_reached(const struct reached *reached,
                                                              size_t rows, double *margins)
{
    const double *const *leaves = reached->leaves;
    const uint8_t *numbers[TREES_TOGETHER];
    for (size_t i = 0; i < TREES_TOGETHER; i++)
        numbers[i] = (const uint8_t *)reached->numbers[i];
    if (reached->count == TREES_TOGETHER) {
        for (size_t row = 0; row < rows; row++)
            margins[row] = margins[row] + leaves[0][numbers[0][row]] + leaves[1][numbers[1][row]] +
                           leaves[2][numbers[2][row]] + leaves[3][numbers[3][row]];
        return;
    }
    for (size_t i = 0; i < reached->count; i++)
        for (size_t row = 0; row < rows; row++)
            margins[row] += leaves[i][numbers[i][row]];
}

/* `margins` has room for ROWS_TOGETHER. */
static inline __attribute__((always_inline)) void add_block(const struct forest *forest,
                                                            const float *values, size_t rows,
                                                            const rank_rows *ranks, double *margins)
{
    rank_rows slots[2 * FOREST_LEAVES];
    struct reached reached = { .count = 0 };
    for (size_t i = 0; i < FOREST_LEAVES; i++)
        slots[i] = (rank_rows){ 0 } + (uint8_t)i;
    for (size_t tree = 0; tree < forest->tree_count; tree++) {
        const struct forest_tree_shape *shape = &forest->trees[tree];
        bool is_walked = shape->leaf_count > FOREST_LEAVES;
        if (is_walked || reached.count == TREES_TOGETHER) {
            add_reached(&reached, rows, margins);
            reached.count = 0;
        }
        if (is_walked) {
            add_walked(forest, shape, values, rows, margins);
            continue;
        }
        const struct forest_choice *choices = forest->choices + shape->first_choice;
        for (size_t i = 0; i * RANKS_ROWS < rows; i++) {
            const rank_rows *asked = ranks + i * forest->ranks.lane_count;
            rank_rows *numbers = &reached.numbers[reached.count][i];
            if (shape->is_symmetric)
                number_leaves(choices, shape->depth, asked, numbers);
            else
                *numbers = *find_leaves(choices, shape->leaf_count - 1, asked, slots);
        }
        reached.leaves[reached.count++] = forest->leaves + shape->first_leaf;
    }
    add_reached(&reached, rows, margins);
}

/* What add_block() and ranks_fill() compile to is the only difference between the twins. */
struct engine {
    void (*fill)(const struct ranks *ranks, const float *values, size_t rows, rank_rows *ret_ranks);
    void (*add)(const struct forest *forest, const float *values, size_t rows,
                const rank_rows *ranks, double *margins);
};

static void add_portable(const struct forest *forest, const float *values, size_t rows,
                         const rank_rows *ranks, double *margins)
{
    add_block(forest, values, rows, ranks, margins);
}

static const struct engine portable = { ranks_fill_portable, add_portable };

#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_avx2(const struct forest *forest,
                                                     const float *values, size_t rows,
                                                     const rank_rows *ranks, double *margins)
{
    add_block(forest, values, rows, ranks, margins);
}

static const struct engine avx2 = { ranks_fill, add_avx2 };
#endif

static const struct engine *fastest(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return &avx2;
#endif
    return &portable;
}

static void add_rows(const struct forest *forest, const struct engine *engine, const float *values,
                     size_t rows, double *ret_margins)
{
    size_t room = ranks_block(&forest->ranks, rows < ROWS_TOGETHER ? rows : ROWS_TOGETHER);
    auto_free rank_rows *ranks =
        mem_aligned(room / RANKS_ROWS * forest->ranks.lane_count, sizeof(*ranks));
    double margins[ROWS_TOGETHER];
    for (size_t first = 0; first < rows; first += room) {
        size_t count = rows - first < room ? rows - first : room;
        const float *from = values + first * forest->columns;
        for (size_t row = 0; row < count; row++)
            margins[row] = forest->base;
        engine->fill(&forest->ranks, from, count, ranks);
        engine->add(forest, from, count, ranks, margins);
        memcpy(ret_margins + first, margins, count * sizeof(*margins));
    }
}

void forest_margins(const struct forest *forest, const float *values, size_t rows,
                    double *ret_margins)
{
    add_rows(forest, fastest(), values, rows, ret_margins);
}

void forest_margins_portable(const struct forest *forest, const float *values, size_t rows,
                             double *ret_margins)
{
    add_rows(forest, &portable, values, rows, ret_margins);
}
