#include "ml/forest.h"

#include <math.h>

#include "base/mem.h"
#include "ml/forest_check.h"

/* Rows that go through one tree together: their cells and the tree stay in the cache. */
#define ROWS_TOGETHER 64

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
                      uint32_t place, uint8_t depth)
{
    uint8_t *deepest = &reading->forest.depths[reading->forest.tree_count - 1];
    struct forest_tree_node from = forest_tree_node(tree, index);
    uint32_t left = from.left ? add_nodes(reading, 2) : 0;
    reading->forest.nodes[place] = (struct forest_node){
        .value = from.value,
        .cover = from.cover,
        .left = left,
        .feature = from.feature & INT32_MAX,
        .default_left = from.default_left,
    };
    if (depth > *deepest)
        *deepest = depth;
    if (left == 0)
        return;
    take_node(reading, tree, from.left, left, (uint8_t)(depth + 1));
    take_node(reading, tree, from.right, left + 1, (uint8_t)(depth + 1));
}

static void take_tree(void *context, const struct forest_tree *tree)
{
    struct reading *reading = context;
    struct forest *forest = &reading->forest;
    if (forest->tree_count == reading->tree_room) {
        reading->tree_room = 2 * reading->tree_room + 64;
        forest->roots = mem_resize(forest->roots, reading->tree_room, sizeof(*forest->roots));
        forest->depths = mem_resize(forest->depths, reading->tree_room, sizeof(*forest->depths));
    }
    uint32_t root = add_nodes(reading, 1);
    forest->roots[forest->tree_count] = root;
    forest->depths[forest->tree_count++] = 0;
    take_node(reading, tree, 0, root, 0);
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

int forest_read(struct span bytes, size_t columns, struct forest *ret_forest, struct err *err)
{
    struct reading reading = { .forest.columns = columns };
    double base_score;
    (void)add_nodes(&reading, 1); /* so that no child has the index 0 */
    if (forest_walk(bytes, columns, take_tree, &reading, &base_score, err) < 0) {
        forest_release(&reading.forest);
        return -1;
    }
    make_steps(&reading.forest);
    reading.forest.base = log(base_score / (1 - base_score));
    *ret_forest = reading.forest;
    return 0;
}

void forest_release(struct forest *forest)
{
    free(forest->nodes);
    free(forest->steps);
    free(forest->roots);
    free(forest->depths);
    *forest = (struct forest){ 0 };
}

/* --- evaluating ------------------------------------------------------------ */

static uint32_t next_of(const struct forest_step *step, const float *row)
{
    float value = row[step->feature];
    unsigned left =
        (unsigned)(value < step->threshold) | ((unsigned)(value != value) & step->default_left);
    return step->left + (left ^ 1);
}

static void add_tree(const struct forest *forest, size_t tree, const float *values, size_t rows,
                     double *margins)
{
    for (size_t row = 0; row < rows; row++) {
        const float *cells = values + row * forest->columns;
        uint32_t index = forest->roots[tree];
        for (unsigned depth = forest->depths[tree]; depth > 0; depth--)
            index = next_of(&forest->steps[index], cells);
        margins[row] += (double)forest->nodes[index].value;
    }
}

void forest_margins(const struct forest *forest, const float *values, size_t rows,
                    double *ret_margins)
{
    for (size_t first = 0; first < rows; first += ROWS_TOGETHER) {
        size_t end = first + ROWS_TOGETHER < rows ? first + ROWS_TOGETHER : rows;
        for (size_t row = first; row < end; row++)
            ret_margins[row] = forest->base;
        for (size_t tree = 0; tree < forest->tree_count; tree++)
            add_tree(forest, tree, values + first * forest->columns, end - first,
                     ret_margins + first);
    }
}
