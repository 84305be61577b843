#include "ml/forest_write.h"

#include <math.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"

void forest_writer_init(struct forest_writer *writer, size_t columns)
{
    *writer = (struct forest_writer){ .columns = columns };
    buf_init(&writer->trees, LIMIT_MODEL_WEIGHTS);
}

void forest_writer_release(struct forest_writer *writer)
{
    buf_release(&writer->trees);
}

/* --- UBJSON -------------------------------------------------------------- */

static void write_number(struct buf *out, uint64_t value, size_t width)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < width; i++)
        bytes[i] = (unsigned char)(value >> 8 * (width - 1 - i));
    buf_append(out, bytes, width);
}

static void write_length(struct buf *out, size_t length)
{
    buf_char(out, 'L');
    write_number(out, length, 8);
}

static void write_key(struct buf *out, const char *key)
{
    write_length(out, strlen(key));
    buf_string(out, key);
}

static void write_text(struct buf *out, const char *key, const char *text)
{
    write_key(out, key);
    buf_char(out, 'S');
    write_key(out, text);
}

static void write_count(struct buf *out, const char *key, size_t count)
{
    char text[24];
    snprintf(text, sizeof(text), "%zu", count);
    write_text(out, key, text);
}

static void open_object(struct buf *out, const char *key)
{
    write_key(out, key);
    buf_char(out, '{');
}

/* An array of values that follow, each with its own type. */
static void open_array(struct buf *out, const char *key, size_t count)
{
    write_key(out, key);
    buf_string(out, "[#");
    write_length(out, count);
}

/* An array of numbers of one type that follow. */
static void open_numbers(struct buf *out, const char *key, char type, size_t count)
{
    write_key(out, key);
    buf_format(out, "[$%c#", type);
    write_length(out, count);
}

/* --- trees --------------------------------------------------------------- */

static uint64_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* What an array says of a node. */
typedef uint64_t (*node_number)(const struct forest_tree_node *node);

static uint64_t left_of(const struct forest_tree_node *node)
{
    return node->left == 0 ? UINT32_MAX : node->left;
}

static uint64_t right_of(const struct forest_tree_node *node)
{
    return node->left == 0 ? UINT32_MAX : node->right;
}

static uint64_t feature_of(const struct forest_tree_node *node)
{
    return node->left == 0 ? 0 : node->feature;
}

static uint64_t value_of(const struct forest_tree_node *node)
{
    return bits_of(node->value);
}

static uint64_t leaf_value_of(const struct forest_tree_node *node)
{
    return bits_of(node->left == 0 ? node->value : 0);
}

static uint64_t cover_of(const struct forest_tree_node *node)
{
    return bits_of(node->cover);
}

static uint64_t default_left_of(const struct forest_tree_node *node)
{
    return node->left != 0 && node->default_left;
}

static uint64_t zero_of(const struct forest_tree_node *node)
{
    (void)node;
    return 0;
}

static void write_nodes(struct buf *out, const char *key, char type,
                        const struct forest_tree_node *nodes, size_t count, node_number number)
{
    open_numbers(out, key, type, count);
    for (size_t i = 0; i < count; i++)
        write_number(out, number(&nodes[i]), type == 'U' ? 1 : 4);
}

static void write_parents(struct buf *out, const struct forest_tree_node *nodes, size_t count)
{
    auto_free uint32_t *parents = mem_zero(count, sizeof(*parents));
    parents[0] = INT32_MAX; /* XGBoost's "none" */
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].left == 0)
            continue;
        parents[nodes[i].left] = (uint32_t)i;
        parents[nodes[i].right] = (uint32_t)i;
    }
    open_numbers(out, "parents", 'l', count);
    for (size_t i = 0; i < count; i++)
        write_number(out, parents[i], 4);
}

static void write_parameters(struct buf *out, size_t columns, size_t count)
{
    open_object(out, "tree_param");
    write_text(out, "num_deleted", "0");
    write_count(out, "num_feature", columns);
    write_count(out, "num_nodes", count);
    write_text(out, "size_leaf_vector", "0");
    buf_char(out, '}');
}

void forest_writer_add(struct forest_writer *writer, const struct forest_tree_node *nodes,
                       size_t count)
{
    struct buf *out = &writer->trees;
    buf_char(out, '{');
    write_nodes(out, "base_weights", 'd', nodes, count, leaf_value_of);
    open_numbers(out, "categories", 'l', 0);
    open_numbers(out, "categories_nodes", 'l', 0);
    open_numbers(out, "categories_segments", 'L', 0);
    open_numbers(out, "categories_sizes", 'L', 0);
    write_nodes(out, "default_left", 'U', nodes, count, default_left_of);
    write_key(out, "id");
    buf_char(out, 'l');
    write_number(out, writer->count++, 4);
    write_nodes(out, "left_children", 'l', nodes, count, left_of);
    write_nodes(out, "loss_changes", 'd', nodes, count, zero_of);
    write_parents(out, nodes, count);
    write_nodes(out, "right_children", 'l', nodes, count, right_of);
    write_nodes(out, "split_conditions", 'd', nodes, count, value_of);
    write_nodes(out, "split_indices", 'l', nodes, count, feature_of);
    write_nodes(out, "split_type", 'U', nodes, count, zero_of);
    write_nodes(out, "sum_hessian", 'd', nodes, count, cover_of);
    write_parameters(out, writer->columns, count);
    buf_char(out, '}');
}

/* --- the whole ----------------------------------------------------------- */

static void write_booster(const struct forest_writer *writer, struct buf *out)
{
    open_object(out, "gradient_booster");
    open_object(out, "model");
    open_object(out, "gbtree_model_param");
    write_text(out, "num_parallel_tree", "1");
    write_count(out, "num_trees", writer->count);
    write_text(out, "size_leaf_vector", "0");
    buf_char(out, '}');
    open_array(out, "tree_info", writer->count);
    for (size_t i = 0; i < writer->count; i++)
        buf_append(out, "i\0", 2);
    open_array(out, "trees", writer->count);
    buf_append(out, writer->trees.data, writer->trees.length);
    buf_char(out, '}');
    write_text(out, "name", "gbtree");
    buf_char(out, '}');
}

/* To nine digits: libxgboost takes no more, and silently goes on without what it cannot read. */
static double round_digits(double value)
{
    double scale = pow(10, 8 - floor(log10(value)));
    return round(value * scale) / scale;
}

static void write_learner(const struct forest_writer *writer, double base_score, struct buf *out)
{
    char base[NUM_DOUBLE_TEXT];
    num_format_double(round_digits(base_score), base);
    open_object(out, "learner_model_param");
    write_text(out, "base_score", base);
    write_text(out, "boost_from_average", "0"); /* else it estimates a base score of its own */
    write_text(out, "num_class", "0");
    write_count(out, "num_feature", writer->columns);
    write_text(out, "num_target", "1");
    buf_char(out, '}');
    open_object(out, "objective");
    write_text(out, "name", "binary:logistic");
    open_object(out, "reg_loss_param");
    write_text(out, "scale_pos_weight", "1");
    buf_string(out, "}}");
}

int forest_writer_finish(const struct forest_writer *writer, double base_score, char **ret_bytes,
                         size_t *ret_size, struct err *err)
{
    static const char version[] = { 'i', 1, 'i', 7, 'i', 4 };
    auto_buf struct buf out;
    buf_init(&out, LIMIT_MODEL_WEIGHTS);
    buf_char(&out, '{');
    open_object(&out, "learner");
    open_object(&out, "attributes");
    buf_char(&out, '}');
    open_array(&out, "feature_names", 0);
    open_array(&out, "feature_types", 0);
    write_booster(writer, &out);
    write_learner(writer, base_score, &out);
    buf_char(&out, '}');
    open_array(&out, "version", 3);
    buf_append(&out, version, sizeof(version));
    buf_char(&out, '}');
    out.overflow |= writer->trees.overflow;
    if (buf_check(&out, "the forest", err) < 0)
        return -1;
    *ret_size = out.length;
    *ret_bytes = buf_take(&out);
    return 0;
}

/* --- blending ------------------------------------------------------------ */

struct blend {
    struct forest_writer *writer;
    double weight; /* of the forest that is walked */
    struct forest_tree_node *nodes;
    size_t capacity;
};

static void add_scaled(void *context, const struct forest_tree *tree)
{
    struct blend *blend = context;
    size_t count = forest_tree_nodes(tree);
    if (count > blend->capacity) {
        blend->nodes = mem_resize(blend->nodes, count, sizeof(*blend->nodes));
        blend->capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        blend->nodes[i] = forest_tree_node(tree, i);
        if (blend->nodes[i].left == 0)
            blend->nodes[i].value = (float)((double)blend->nodes[i].value * blend->weight);
    }
    forest_writer_add(blend->writer, blend->nodes, count);
}

int forest_blend(const struct forest_part *parts, size_t count, size_t columns, char **ret_bytes,
                 size_t *ret_size, struct err *err)
{
    auto_forest_writer struct forest_writer writer;
    forest_writer_init(&writer, columns);
    struct blend blend = { .writer = &writer };
    double base = 0;
    int outcome = 0;
    for (size_t i = 0; outcome == 0 && i < count; i++) {
        double score = 0.5;
        blend.weight = parts[i].weight;
        outcome = forest_walk(parts[i].bytes, columns, add_scaled, &blend, &score, err);
        base += parts[i].weight * log(score / (1 - score));
    }
    free(blend.nodes);
    if (outcome < 0)
        return -1;
    return forest_writer_finish(&writer, 1 / (1 + exp(-base)), ret_bytes, ret_size, err);
}
