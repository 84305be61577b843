#include "ml/symmetric.h"

#include <math.h>

#include "base/mem.h"
#include "ml/forest_write.h"
#include "ml/logistic.h"
#include "ml/monotone.h"
#include "ml/symmetric_grow.h"

#define LEAVES_MAXIMUM (1 << SYMMETRIC_DEPTH_MAXIMUM)
/* What a leaf that no row reached counts for: contributions divide by the cover of nodes. */
#define COVER_MINIMUM 1e-6

struct question {
    uint32_t feature;
    float threshold; /* less goes left */
    bool missing_left;
};

struct symmetric {
    int depth;
    size_t columns, count, capacity;
    double base_score;
    struct question *questions; /* depth of each tree               */
    float *values, *covers;     /* 2^depth of each tree: its leaves */
};

void symmetric_free(struct symmetric *symmetric)
{
    if (symmetric == NULL)
        return;
    free(symmetric->questions);
    free(symmetric->values);
    free(symmetric->covers);
    free(symmetric);
}

void symmetric_cleanup(struct symmetric **symmetric)
{
    symmetric_free(*symmetric);
}

static size_t leaves_of(const struct symmetric *symmetric)
{
    return (size_t)1 << symmetric->depth;
}

/* --- scoring ---------------------------------------------------------------- */

static float tree_value(const struct symmetric *symmetric, size_t tree, const float *row)
{
    const struct question *questions = symmetric->questions + tree * (size_t)symmetric->depth;
    size_t leaf = 0;
    for (int level = 0; level < symmetric->depth; level++) {
        float value = row[questions[level].feature];
        bool left =
            value < questions[level].threshold || (questions[level].missing_left && value != value);
        leaf |= (size_t)!left << level;
    }
    return symmetric->values[tree * leaves_of(symmetric) + leaf];
}

static double base_margin(const struct symmetric *symmetric)
{
    return log(symmetric->base_score / (1 - symmetric->base_score));
}

void symmetric_margins(const struct symmetric *symmetric, struct matrix matrix, unsigned rounds,
                       double *ret_margins)
{
    size_t trees = rounds == 0 || rounds > symmetric->count ? symmetric->count : rounds;
    for (size_t row = 0; row < matrix.rows; row++) {
        double margin = base_margin(symmetric);
        for (size_t tree = 0; tree < trees; tree++)
            margin += (double)tree_value(symmetric, tree, matrix.values + row * matrix.columns);
        ret_margins[row] = margin;
    }
}

/* --- training --------------------------------------------------------------- */

struct trainer {
    const struct symmetric_options *options;
    struct symmetric *symmetric;
    struct bins bins;
    struct grower grower;
    const uint8_t *labels;
    float *margins, *shifted, *probabilities, *gradients, *hessians; /* one per row */
};

static void trainer_release(struct trainer *trainer)
{
    symmetric_free(trainer->symmetric);
    grower_release(&trainer->grower);
    bins_release(&trainer->bins);
    free(trainer->margins);
    free(trainer->shifted);
    free(trainer->probabilities);
    free(trainer->gradients);
    free(trainer->hessians);
}
#define auto_trainer __attribute__((cleanup(trainer_release)))

static void trainer_init(struct trainer *trainer, const struct symmetric_options *options,
                         struct row_source train, const uint8_t *labels)
{
    size_t positives = 0, rows = train.rows;
    for (size_t i = 0; i < rows; i++)
        positives += labels[i];
    *trainer = (struct trainer){
        .options = options,
        .symmetric = mem_zero(1, sizeof(*trainer->symmetric)),
        .labels = labels,
        .margins = mem_zero(rows, sizeof(float)),
        .shifted = mem_zero(rows, sizeof(float)),
        .probabilities = mem_zero(rows, sizeof(float)),
        .gradients = mem_zero(rows, sizeof(float)),
        .hessians = mem_zero(rows, sizeof(float)),
    };
    trainer->symmetric->depth = options->depth;
    trainer->symmetric->columns = train.columns;
    trainer->symmetric->base_score = fmin(fmax((double)positives / (double)rows, 1e-6), 1 - 1e-6);
    bins_init(&trainer->bins, train, options->bins);
    grower_init(&trainer->grower, &trainer->bins, options);
    for (size_t i = 0; i < rows; i++)
        trainer->margins[i] = (float)base_margin(trainer->symmetric);
}

/* First and second derivatives of the log-loss by the margin. */
static void find_gradients(struct trainer *trainer)
{
    size_t rows = trainer->bins.rows;
    logistic_rows(trainer->margins, rows, trainer->probabilities);
    for (size_t i = 0; i < rows; i++) {
        float p = trainer->probabilities[i];
        trainer->gradients[i] = p - (float)trainer->labels[i];
        trainer->hessians[i] = p * (1 - p);
    }
}

/* Values that keep to the directions of the columns that the newest tree asks. */
static void keep_directions(const struct trainer *trainer, double *values, const double *hessians)
{
    const struct symmetric *symmetric = trainer->symmetric;
    const struct question *questions =
        symmetric->questions + symmetric->count * (size_t)symmetric->depth;
    int8_t directions[SYMMETRIC_DEPTH_MAXIMUM];
    double weights[LEAVES_MAXIMUM];
    for (int level = 0; level < symmetric->depth; level++)
        directions[level] = trainer->options->monotone[questions[level].feature];
    for (size_t leaf = 0; leaf < leaves_of(symmetric); leaf++)
        weights[leaf] = fmax(hessians[leaf], COVER_MINIMUM);
    monotone_project(values, weights, symmetric->depth, directions);
}

/* One Newton step of the values of all leaves, which the probabilities already contain. */
static void step_leaves(const struct trainer *trainer, const float *probabilities, double *values,
                        double *ret_hessians)
{
    double gradients[LEAVES_MAXIMUM] = { 0 };
    size_t leaves = leaves_of(trainer->symmetric);
    memset(ret_hessians, 0, leaves * sizeof(*ret_hessians));
    for (size_t i = 0; i < trainer->bins.rows; i++) {
        float p = probabilities[i];
        uint8_t leaf = trainer->grower.leaves[i];
        gradients[leaf] += (double)(p - (float)trainer->labels[i]);
        ret_hessians[leaf] += (double)(p * (1 - p));
    }
    for (size_t leaf = 0; leaf < leaves; leaf++)
        values[leaf] -= gradients[leaf] / (ret_hessians[leaf] + trainer->options->lambda);
    if (trainer->options->monotone != NULL)
        keep_directions(trainer, values, ret_hessians);
}

/* Values and covers of the leaves of the tree that the grower has grown. */
static void fit_leaves(struct trainer *trainer, float *ret_values, float *ret_covers)
{
    double values[LEAVES_MAXIMUM] = { 0 }, hessians[LEAVES_MAXIMUM], covers[LEAVES_MAXIMUM];
    size_t rows = trainer->bins.rows, leaves = leaves_of(trainer->symmetric);
    step_leaves(trainer, trainer->probabilities, values, covers);
    for (unsigned step = 1; step < trainer->options->leaf_steps; step++) {
        for (size_t i = 0; i < rows; i++)
            trainer->shifted[i] = trainer->margins[i] + (float)values[trainer->grower.leaves[i]];
        logistic_rows(trainer->shifted, rows, trainer->shifted);
        step_leaves(trainer, trainer->shifted, values, hessians);
    }
    for (size_t leaf = 0; leaf < leaves; leaf++) {
        ret_values[leaf] = (float)(values[leaf] * trainer->options->learning_rate);
        ret_covers[leaf] = (float)fmax(covers[leaf], COVER_MINIMUM);
    }
    for (size_t i = 0; i < rows; i++)
        trainer->margins[i] += ret_values[trainer->grower.leaves[i]];
}

/* What a feature is asked, in terms of its values. */
static struct question question_of(const struct bins *bins,
                                   const struct symmetric_condition *condition)
{
    const struct bin_column *column = &bins->columns[condition->column];
    if (column->feature_count > 0)
        return (struct question){ column->feature + condition->bin - 1, 0.5F,
                                  condition->missing_left };
    return (struct question){ column->feature, column->thresholds[condition->bin],
                              condition->missing_left };
}

static void reserve(struct symmetric *symmetric)
{
    if (symmetric->count < symmetric->capacity)
        return;
    size_t capacity = symmetric->capacity == 0 ? 64 : 2 * symmetric->capacity;
    size_t leaves = leaves_of(symmetric);
    symmetric->questions = mem_resize(symmetric->questions, capacity * (size_t)symmetric->depth,
                                      sizeof(*symmetric->questions));
    symmetric->values = mem_resize(symmetric->values, capacity * leaves, sizeof(float));
    symmetric->covers = mem_resize(symmetric->covers, capacity * leaves, sizeof(float));
    symmetric->capacity = capacity;
}

/* Noise goes as the margins grow: large while there is much to learn, so that many small steps
 * agree on what is there; none when n rows would be fitted exactly (CatBoost's schedule). */
static double noise_now(const struct trainer *trainer)
{
    double grown = (double)trainer->symmetric->count * trainer->options->learning_rate;
    double left = (double)trainer->bins.rows * exp(-grown);
    return trainer->options->noise * left / (1 + left);
}

static void add_tree(struct trainer *trainer)
{
    struct symmetric *symmetric = trainer->symmetric;
    struct symmetric_condition conditions[SYMMETRIC_DEPTH_MAXIMUM];
    find_gradients(trainer);
    grower_grow(&trainer->grower, trainer->gradients, trainer->hessians, noise_now(trainer),
                conditions);
    reserve(symmetric);
    struct question *questions = symmetric->questions + symmetric->count * (size_t)symmetric->depth;
    for (int level = 0; level < symmetric->depth; level++)
        questions[level] = question_of(&trainer->bins, &conditions[level]);
    fit_leaves(trainer, symmetric->values + symmetric->count * leaves_of(symmetric),
               symmetric->covers + symmetric->count * leaves_of(symmetric));
    symmetric->count++;
}

struct symmetric *symmetric_train(const struct symmetric_options *options, struct row_source train,
                                  const uint8_t *labels, unsigned rounds)
{
    auto_trainer struct trainer trainer;
    trainer_init(&trainer, options, train, labels);
    while (trainer.symmetric->count < rounds && trainer.bins.column_count > 0)
        add_tree(&trainer);
    return TAKE(trainer.symmetric);
}

static double loss_of(const double *margins, const uint8_t *labels, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += log1p(exp(-fabs(margins[i]))) + fmax(margins[i], 0) - (labels[i] ? margins[i] : 0);
    return sum / (double)count;
}

struct symmetric *symmetric_search(const struct symmetric_options *options, struct matrix train,
                                   const uint8_t *train_labels, struct matrix validation,
                                   const uint8_t *validation_labels, unsigned maximum_rounds,
                                   unsigned patience, struct boost_curve *ret_curve)
{
    auto_trainer struct trainer trainer;
    trainer_init(&trainer, options, rows_of(train), train_labels);
    struct boost_curve curve = { .losses = mem_zero(maximum_rounds, sizeof(*curve.losses)) };
    auto_free double *margins = mem_zero(validation.rows, sizeof(*margins));
    size_t best = 0;
    for (size_t row = 0; row < validation.rows; row++)
        margins[row] = base_margin(trainer.symmetric);
    while (curve.count < maximum_rounds && curve.count - best <= patience) {
        if (trainer.bins.column_count > 0)
            add_tree(&trainer);
        for (size_t row = 0; row < validation.rows && trainer.symmetric->count > 0; row++)
            margins[row] += (double)tree_value(trainer.symmetric, trainer.symmetric->count - 1,
                                               validation.values + row * validation.columns);
        curve.losses[curve.count] = loss_of(margins, validation_labels, validation.rows);
        if (curve.losses[curve.count] < curve.losses[best])
            best = curve.count;
        curve.count++;
    }
    *ret_curve = curve;
    return TAKE(trainer.symmetric);
}

/* --- as binary trees ---------------------------------------------------------- */

/* The nodes of one tree level by level: node i has children 2i + 1 and 2i + 2. */
static void unfold(const struct symmetric *symmetric, size_t tree, struct forest_tree_node *nodes)
{
    const struct question *questions = symmetric->questions + tree * (size_t)symmetric->depth;
    size_t leaves = leaves_of(symmetric), first = leaves - 1;
    for (size_t place = 0; place < leaves; place++) {
        /* the first question is the highest bit of a place and the lowest of a leaf */
        size_t leaf = 0;
        for (int level = 0; level < symmetric->depth; level++)
            leaf |= (place >> (symmetric->depth - 1 - level) & 1) << level;
        nodes[first + place] = (struct forest_tree_node){
            .value = symmetric->values[tree * leaves + leaf],
            .cover = symmetric->covers[tree * leaves + leaf],
        };
    }
    for (size_t i = first; i-- > 0;) {
        int level = 0;
        while (i + 1 >= (size_t)2 << level)
            level++;
        nodes[i] = (struct forest_tree_node){
            .left = 2 * i + 1,
            .right = 2 * i + 2,
            .feature = questions[level].feature,
            .value = questions[level].threshold,
            .cover = nodes[2 * i + 1].cover + nodes[2 * i + 2].cover,
            .default_left = questions[level].missing_left,
        };
    }
}

int symmetric_save(const struct symmetric *symmetric, char **ret_bytes, size_t *ret_size,
                   struct err *err)
{
    struct forest_tree_node nodes[2 * LEAVES_MAXIMUM];
    auto_forest_writer struct forest_writer writer;
    forest_writer_init(&writer, symmetric->columns);
    for (size_t tree = 0; tree < symmetric->count; tree++) {
        unfold(symmetric, tree, nodes);
        forest_writer_add(&writer, nodes, 2 * leaves_of(symmetric) - 1);
    }
    return forest_writer_finish(&writer, symmetric->base_score, ret_bytes, ret_size, err);
}
