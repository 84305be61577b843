#include "ml/forest_check.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/num.h"

#define NESTING_MAXIMUM 12 /* XGBoost's own models have 8 */
#define TREE_DEPTH_LAST 64 /* explaining takes memory by the square of it */

/* A typed array: numbers one after the other, the most significant byte first. */
struct numbers {
    const unsigned char *bytes;
    size_t count;
    char type; /* 0: not there */
};

struct walk {
    struct span bytes;
    size_t position;
    size_t columns;
    size_t nesting;
    /* each once; -1 until seen */
    int64_t tree_count, tree_info_count, announced_trees;
    int64_t trees_seen;
    double base_score; /* -1 until seen */
    forest_visitor visit;
    void *context;
    struct err *err;
};

/* Everything that XGBoost wants of a tree. Arrays have one number per node; those
 * of categories are empty, because features are numbers. */
enum {
    LEFT,
    RIGHT,
    PARENTS,
    FEATURES,
    KINDS,
    CONDITIONS,
    DEFAULT_LEFT,
    COVERS = 9,
    FIRST_CATEGORY,
    ARRAYS = 14
};
static const struct {
    const char *key;
    char type;
} arrays[ARRAYS] = {
    [LEFT] = { "left_children", 'l' },
    [RIGHT] = { "right_children", 'l' },
    [PARENTS] = { "parents", 'l' },
    [FEATURES] = { "split_indices", 'l' },
    [KINDS] = { "split_type", 'U' },
    [CONDITIONS] = { "split_conditions", 'd' },
    [DEFAULT_LEFT] = { "default_left", 'U' },
    { "base_weights", 'd' },
    { "loss_changes", 'd' },
    [COVERS] = { "sum_hessian", 'd' },
    [FIRST_CATEGORY] = { "categories", 'l' },
    { "categories_nodes", 'l' },
    { "categories_segments", 'L' },
    { "categories_sizes", 'L' },
};

/* What an object says about a tree, if it is one. */
struct forest_tree {
    bool is_one;
    struct numbers arrays[ARRAYS];
    int64_t id, nodes; /* -1 until seen */
};

static int damaged(const struct walk *walk, const char *what)
{
    return err_reason(walk->err, ERR_INVALID, "DataInvalid",
                      "not a sound XGBoost model: %s at byte %zu", what, walk->position);
}

/* --- bytes ------------------------------------------------------------------ */

static const unsigned char *take(struct walk *walk, uint64_t count)
{
    if (count > walk->bytes.length - walk->position)
        return NULL;
    const char *bytes = walk->bytes.data + walk->position;
    walk->position += (size_t)count;
    return (const unsigned char *)bytes;
}

static char peek(const struct walk *walk)
{
    return walk->position < walk->bytes.length ? walk->bytes.data[walk->position] : '\0';
}

static int expect(struct walk *walk, const char *text)
{
    const unsigned char *bytes = take(walk, strlen(text));
    if (bytes == NULL || memcmp(bytes, text, strlen(text)) != 0)
        return damaged(walk, "unexpected byte");
    return 0;
}

static size_t width_of(char type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static int64_t integer_at(const unsigned char *bytes, char type)
{
    size_t width = width_of(type);
    uint64_t value = type != 'U' && bytes[0] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

static int take_length(struct walk *walk, uint64_t *ret_length)
{
    if (expect(walk, "L") < 0)
        return -1;
    const unsigned char *bytes = take(walk, 8);
    if (bytes == NULL || integer_at(bytes, 'L') < 0)
        return damaged(walk, "no length");
    *ret_length = (uint64_t)integer_at(bytes, 'L');
    return 0;
}

static int take_text(struct walk *walk, struct span *ret_text)
{
    uint64_t length;
    if (take_length(walk, &length) < 0)
        return -1;
    const unsigned char *bytes = take(walk, length);
    if (bytes == NULL)
        return damaged(walk, "a text beyond the end");
    *ret_text = (struct span){ (const char *)bytes, (size_t)length };
    return 0;
}

/* --- trees ------------------------------------------------------------------ */

static int64_t item(const struct forest_tree *tree, size_t array, size_t index)
{
    const struct numbers *numbers = &tree->arrays[array];
    return integer_at(numbers->bytes + index * width_of(numbers->type), numbers->type);
}

/* Children come after their parent and have only one, so there is no cycle. */
static int check_child(const struct walk *walk, const struct forest_tree *tree,
                       unsigned char *depths, size_t parent, int64_t child)
{
    if (child <= (int64_t)parent || child >= tree->nodes || depths[child] != 0 ||
        item(tree, PARENTS, (size_t)child) != (int64_t)parent)
        return damaged(walk, "a child that cannot be one, in the tree that ends");
    if (depths[parent] == TREE_DEPTH_LAST)
        return damaged(walk, "too many levels in the tree that ends");
    depths[child] = (unsigned char)(depths[parent] + 1);
    return 0;
}

static int check_nodes(const struct walk *walk, const struct forest_tree *tree)
{
    size_t count = (size_t)tree->nodes;
    auto_free unsigned char *depths = mem_zero(count, 1);
    for (size_t i = 0; i < count; i++) {
        int64_t left = item(tree, LEFT, i), right = item(tree, RIGHT, i);
        int64_t feature = item(tree, FEATURES, i);
        if (feature < 0 || feature >= (int64_t)walk->columns || item(tree, KINDS, i) != 0)
            return damaged(walk, "a split that cannot be one, in the tree that ends");
        if (left == -1 && right == -1)
            continue;
        if (check_child(walk, tree, depths, i, left) < 0 ||
            check_child(walk, tree, depths, i, right) < 0)
            return -1;
    }
    return 0;
}

static int check_tree(struct walk *walk, const struct forest_tree *tree)
{
    bool whole = tree->nodes > 0 && tree->id == walk->trees_seen++;
    for (size_t i = 0; i < ARRAYS; i++) {
        int64_t expected = i < FIRST_CATEGORY ? tree->nodes : 0;
        whole = whole && tree->arrays[i].type == arrays[i].type &&
                (int64_t)tree->arrays[i].count == expected;
    }
    if (!whole)
        return damaged(walk, "not all of a tree before");
    if (check_nodes(walk, tree) < 0)
        return -1;
    if (walk->visit != NULL)
        walk->visit(walk->context, tree);
    return 0;
}

size_t forest_tree_nodes(const struct forest_tree *tree)
{
    return (size_t)tree->nodes;
}

static float real(const struct forest_tree *tree, size_t array, size_t index)
{
    uint32_t bits = (uint32_t)integer_at(tree->arrays[array].bytes + index * 4, 'l');
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct forest_tree_node forest_tree_node(const struct forest_tree *tree, size_t index)
{
    int64_t left = item(tree, LEFT, index), right = item(tree, RIGHT, index);
    return (struct forest_tree_node){
        .left = left < 0 ? 0 : (size_t)left,
        .right = right < 0 ? 0 : (size_t)right,
        .feature = (uint32_t)item(tree, FEATURES, index),
        .value = real(tree, CONDITIONS, index),
        .cover = real(tree, COVERS, index),
        .default_left = item(tree, DEFAULT_LEFT, index) != 0,
    };
}

/* --- values ----------------------------------------------------------------- */

static int walk_value(struct walk *walk, struct span key, struct forest_tree *tree);

/* A number that may be said only once. */
static int set_once(const struct walk *walk, int64_t *target, int64_t value)
{
    if (*target != -1)
        return damaged(walk, "something that was said before");
    *target = value;
    return 0;
}

/* Texts that decide how the trees are read. */
static int check_text(struct walk *walk, struct span key, struct span text,
                      struct forest_tree *tree)
{
    static const struct {
        const char *key, *text;
    } fixed[] = { { "num_class", "0" },        { "num_target", "1" }, { "num_deleted", "0" },
                  { "size_leaf_vector", "0" }, { "name", "gbtree" },  { "name", "binary:logistic" },
                  { "num_parallel_tree", "1" } };
    bool known = false, right = false;
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        known |= span_equals(key, fixed[i].key);
        right |= span_equals(key, fixed[i].key) && span_equals(text, fixed[i].text);
    }
    if (known && !right)
        return damaged(walk, "a model of another kind");
    int64_t number;
    struct err ignored;
    bool is_number = num_int64(text, 0, INT32_MAX, &number, &ignored) == 0;
    if (span_equals(key, "num_feature") && (!is_number || number != (int64_t)walk->columns))
        return err_reason(walk->err, ERR_INVALID, "DataInvalid",
                          "the trees take %.*s features, not %zu", (int)text.length, text.data,
                          walk->columns);
    if (span_equals(key, "base_score") && (num_double(text, &walk->base_score, &ignored) < 0 ||
                                           !(walk->base_score > 0 && walk->base_score < 1)))
        return damaged(walk, "a base score that is no probability");
    if (span_equals(key, "num_nodes") && is_number)
        return set_once(walk, &tree->nodes, number);
    if (span_equals(key, "num_trees") && is_number)
        return set_once(walk, &walk->announced_trees, number);
    return 0;
}

static int walk_integer(struct walk *walk, struct span key, char type, struct forest_tree *tree)
{
    const unsigned char *bytes = take(walk, width_of(type));
    if (bytes == NULL)
        return damaged(walk, "a number beyond the end");
    if (span_equals(key, "id"))
        return set_once(walk, &tree->id, integer_at(bytes, type));
    if (span_equals(key, "tree_info") && integer_at(bytes, type) != 0)
        return damaged(walk, "a tree of another class");
    return 0;
}

static int keep_numbers(const struct walk *walk, struct span key, struct numbers numbers,
                        struct forest_tree *tree)
{
    for (size_t i = 0; i < ARRAYS; i++) {
        if (!span_equals(key, arrays[i].key))
            continue;
        if (tree->arrays[i].type != 0)
            return damaged(walk, "something that was said before");
        tree->arrays[i] = numbers;
        return 0;
    }
    return damaged(walk, "an array of another kind");
}

static int walk_numbers(struct walk *walk, struct span key, struct forest_tree *tree)
{
    const unsigned char *type = take(walk, 1);
    uint64_t count;
    if (type == NULL || width_of((char)*type) == 0)
        return damaged(walk, "an unknown type");
    if (expect(walk, "#") < 0 || take_length(walk, &count) < 0)
        return -1;
    size_t width = width_of((char)*type);
    if (count > walk->bytes.length / width)
        return damaged(walk, "numbers beyond the end");
    const unsigned char *bytes = take(walk, count * width);
    if (bytes == NULL)
        return damaged(walk, "numbers beyond the end");
    return keep_numbers(walk, key, (struct numbers){ bytes, (size_t)count, (char)*type }, tree);
}

static int walk_array(struct walk *walk, struct span key, struct forest_tree *tree)
{
    uint64_t count;
    if (peek(walk) == '$') {
        walk->position++;
        return walk_numbers(walk, key, tree);
    }
    if (expect(walk, "#") < 0 || take_length(walk, &count) < 0)
        return -1;
    if (span_equals(key, "trees") && set_once(walk, &walk->tree_count, (int64_t)count) < 0)
        return -1;
    if (span_equals(key, "tree_info") && set_once(walk, &walk->tree_info_count, (int64_t)count) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        if (walk_value(walk, key, tree) < 0)
            return -1;
    }
    return 0;
}

static int walk_object(struct walk *walk, struct span key, struct forest_tree *parent)
{
    struct forest_tree own = { .id = -1, .nodes = -1 };
    struct forest_tree *tree = span_equals(key, "tree_param") ? parent : &own;
    while (peek(walk) != '}') {
        struct span member;
        if (take_text(walk, &member) < 0)
            return -1;
        tree->is_one |= span_equals(member, "left_children");
        if (walk_value(walk, member, tree) < 0)
            return -1;
    }
    walk->position++;
    return own.is_one ? check_tree(walk, &own) : 0;
}

static int walk_nested(struct walk *walk, char type, struct span key, struct forest_tree *tree)
{
    if (walk->nesting == NESTING_MAXIMUM)
        return damaged(walk, "too many levels");
    walk->nesting++;
    int outcome = type == '{' ? walk_object(walk, key, tree) : walk_array(walk, key, tree);
    walk->nesting--;
    return outcome;
}

static int walk_value(struct walk *walk, struct span key, struct forest_tree *tree)
{
    struct span text;
    char type = peek(walk);
    walk->position++;
    switch (type) {
    case '{':
    case '[':
        return walk_nested(walk, type, key, tree);
    case 'S':
        return take_text(walk, &text) < 0 ? -1 : check_text(walk, key, text, tree);
    case 'i':
    case 'U':
    case 'I':
    case 'l':
    case 'L':
        return walk_integer(walk, key, type, tree);
    default:
        walk->position--;
        return damaged(walk, "unexpected byte");
    }
}

int forest_walk(struct span bytes, size_t columns, forest_visitor visit, void *context,
                double *ret_base_score, struct err *err)
{
    struct walk walk = { .bytes = bytes,
                         .columns = columns,
                         .tree_count = -1,
                         .tree_info_count = -1,
                         .announced_trees = -1,
                         .base_score = -1,
                         .visit = visit,
                         .context = context,
                         .err = err };
    struct forest_tree none = { .id = -1, .nodes = -1 };
    if (peek(&walk) != '{')
        return damaged(&walk, "unexpected byte");
    if (walk_value(&walk, (struct span){ NULL, 0 }, &none) < 0)
        return -1;
    if (walk.position != bytes.length)
        return damaged(&walk, "more than one value");
    if (walk.tree_count != walk.trees_seen || walk.tree_info_count != walk.trees_seen ||
        walk.announced_trees != walk.trees_seen || walk.base_score < 0)
        return damaged(&walk, "not as many trees as announced, or no base score");
    *ret_base_score = walk.base_score;
    return 0;
}

int forest_check(struct span bytes, size_t columns, struct err *err)
{
    double base_score;
    return forest_walk(bytes, columns, NULL, NULL, &base_score, err);
}
