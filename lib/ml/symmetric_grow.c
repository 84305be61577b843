#include "ml/symmetric_grow.h"

#include <math.h>

#include "base/mem.h"

#define LANES 8 /* leaves at once */

typedef uint64_t sums __attribute__((vector_size(8 * LANES)));
typedef sums stored_sums __attribute__((may_alias)); /* in an array of uint64_t */
typedef int32_t halves __attribute__((vector_size(8 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));

/* Room for sums below, with a margin for rounding. */
#define SUM_LIMIT 1e9

static void *aligned_zero(size_t count, size_t size)
{
    size_t bytes = (count * size + sizeof(sums) - 1) / sizeof(sums) * sizeof(sums);
    void *memory = aligned_alloc(sizeof(sums), bytes);
    if (memory == NULL)
        mem_exhausted();
    memset(memory, 0, bytes);
    return memory;
}

void grower_init(struct grower *grower, const struct bins *bins,
                 const struct symmetric_options *options)
{
    size_t cells = bins->total << (options->depth - 1);
    *grower = (struct grower){
        .bins = bins,
        .options = options,
        .leaves = mem_zero(bins->rows, 1),
        .rows = mem_zero(bins->rows, sizeof(*grower->rows)),
        .chosen = mem_zero(bins->rows, sizeof(*grower->chosen)),
        .sums = mem_zero(bins->rows, sizeof(*grower->sums)),
        .columns = mem_zero(bins->column_count, sizeof(*grower->columns)),
        .parents = aligned_zero(cells, sizeof(uint64_t)),
        .children = aligned_zero(cells, sizeof(uint64_t)),
        .smaller = aligned_zero(cells, sizeof(uint64_t)),
    };
    random_seed(&grower->random, options->seed);
    for (size_t i = 0; i < bins->column_count; i++)
        grower->columns[i] = (uint32_t)i;
}

void grower_release(struct grower *grower)
{
    free(grower->leaves);
    free(grower->rows);
    free(grower->chosen);
    free(grower->sums);
    free(grower->columns);
    free(grower->parents);
    free(grower->children);
    free(grower->smaller);
    *grower = (struct grower){ 0 };
}

/* --- what a tree sees ------------------------------------------------------- */

static void draw_rows(struct grower *grower)
{
    size_t count = 0, all = grower->bins->rows;
    for (size_t row = 0; row < all; row++) {
        grower->rows[count] = (uint32_t)row;
        count += grower->options->row_share >= 1 ||
                 random_unit(&grower->random) < grower->options->row_share;
    }
    grower->drawn_count = count;
}

/* The first steps of Fisher and Yates' shuffle. */
static void draw_columns(struct grower *grower)
{
    size_t all = grower->bins->column_count;
    double wanted = ceil(grower->options->column_share * (double)all);
    grower->drawn_columns = wanted < (double)all ? (size_t)wanted : all;
    for (size_t i = 0; i < grower->drawn_columns && grower->drawn_columns < all; i++) {
        size_t other = i + (size_t)random_below(&grower->random, all - i);
        uint32_t column = grower->columns[i];
        grower->columns[i] = grower->columns[other];
        grower->columns[other] = column;
    }
}

static void scale_sums(struct grower *grower, const float *gradients, const float *hessians)
{
    double gradient = 1e-30, hessian = 1e-30;
    for (size_t i = 0; i < grower->drawn_count; i++) {
        gradient += fabs((double)gradients[grower->rows[i]]);
        hessian += (double)hessians[grower->rows[i]];
    }
    /* rounding moves each row by at most one half */
    double room = SUM_LIMIT - (double)grower->drawn_count;
    grower->gradient_scale = room / gradient;
    grower->hessian_scale = room / hessian;
    for (size_t i = 0; i < grower->drawn_count; i++) {
        uint32_t row = grower->rows[i];
        int64_t g = (int64_t)((double)gradients[row] * grower->gradient_scale +
                              (gradients[row] < 0 ? -0.5 : 0.5));
        int64_t h = (int64_t)((double)hessians[row] * grower->hessian_scale + 0.5);
        grower->sums[i] = ((uint64_t)g << 32) + (uint64_t)h;
    }
}

/* --- histograms ------------------------------------------------------------- */

/* Adds the chosen ones of the drawn rows to a histogram of the leaves' parents. Written once for
 * each width, which then is a constant, and for all columns, which then need no list. */
__attribute__((always_inline)) static inline void add_rows_of(const struct grower *grower,
                                                              size_t chosen_count, size_t parents,
                                                              size_t width, bool all,
                                                              uint64_t *histogram)
{
    const struct bins *bins = grower->bins;
    uint32_t places[BINS_MAXIMUM + 1];
    for (size_t begin = 0; begin < grower->drawn_columns; begin += ARRAY_SIZE(places)) {
        size_t count = grower->drawn_columns - begin;
        count = count < ARRAY_SIZE(places) ? count : ARRAY_SIZE(places);
        const uint32_t *columns = grower->columns + begin;
        for (size_t i = 0; i < count; i++)
            places[i] = (uint32_t)bins->columns[all ? begin + i : columns[i]].first;
        for (size_t i = 0; i < chosen_count; i++) {
            uint32_t drawn = grower->chosen[i], row = grower->rows[drawn];
            const uint8_t *values = bins->values + row * bins->column_count + (all ? begin : 0);
            uint64_t *target = histogram + (grower->leaves[row] & (parents - 1));
            uint64_t sum = grower->sums[drawn];
            for (size_t j = 0; j < count; j++)
                target[(places[j] + (size_t)values[all ? j : columns[j]]) * width] += sum;
        }
    }
}

static void add_rows(const struct grower *grower, size_t chosen_count, size_t parents,
                     uint64_t *histogram)
{
    size_t width = grower->width;
    if (grower->drawn_columns < grower->bins->column_count)
        add_rows_of(grower, chosen_count, parents, width, false, histogram);
    else if (width == 1)
        add_rows_of(grower, chosen_count, parents, 1, true, histogram);
    else if (width == 2)
        add_rows_of(grower, chosen_count, parents, 2, true, histogram);
    else if (width == 4)
        add_rows_of(grower, chosen_count, parents, 4, true, histogram);
    else if (width == 8)
        add_rows_of(grower, chosen_count, parents, 8, true, histogram);
    else
        add_rows_of(grower, chosen_count, parents, width, true, histogram);
}

static size_t bins_of(const struct bin_column *column)
{
    return column->bins + column->has_missing;
}

static void clear(const struct grower *grower, size_t width, uint64_t *histogram)
{
    for (size_t i = 0; i < grower->drawn_columns; i++) {
        const struct bin_column *column = &grower->bins->columns[grower->columns[i]];
        memset(histogram + column->first * width, 0, bins_of(column) * width * sizeof(*histogram));
    }
}

/* The two children of each leaf of one bin. `left`: all bits set where the left one is the smaller.
 */
static void divide_bin(const uint64_t *restrict parent, const uint64_t *restrict smaller,
                       const uint64_t *restrict left, size_t parents, uint64_t *restrict children)
{
    for (size_t leaf = 0; leaf < parents; leaf++) {
        uint64_t larger = parent[leaf] - smaller[leaf];
        children[leaf] = (smaller[leaf] & left[leaf]) | (larger & ~left[leaf]);
        children[leaf + parents] = parent[leaf] - children[leaf];
    }
}

/* The children's histograms from their parents' and those of the smaller ones. */
static void divide(const struct grower *grower, const uint64_t *left, size_t parents)
{
    for (size_t i = 0; i < grower->drawn_columns; i++) {
        const struct bin_column *column = &grower->bins->columns[grower->columns[i]];
        for (size_t bin = column->first; bin < column->first + bins_of(column); bin++)
            divide_bin(grower->parents + bin * parents, grower->smaller + bin * parents, left,
                       parents, grower->children + bin * 2 * parents);
    }
}

/* From the histograms of `parents` leaves to those of their children. */
static void descend(struct grower *grower, size_t parents)
{
    uint8_t side[1 << SYMMETRIC_DEPTH_MAXIMUM] = { 0 };
    uint64_t left[1 << (SYMMETRIC_DEPTH_MAXIMUM - 1)] = { 0 };
    size_t counts[1 << SYMMETRIC_DEPTH_MAXIMUM] = { 0 };
    for (size_t i = 0; i < grower->drawn_count; i++)
        counts[grower->leaves[grower->rows[i]]]++;
    for (size_t leaf = 0; leaf < parents; leaf++) {
        bool left_is_smaller = counts[leaf] <= counts[leaf + parents];
        side[left_is_smaller ? leaf : leaf + parents] = 1;
        left[leaf] = left_is_smaller ? UINT64_MAX : 0;
    }
    size_t chosen = 0;
    for (size_t i = 0; i < grower->drawn_count;
         i++) { /* without branches, which nothing predicts */
        grower->chosen[chosen] = (uint32_t)i;
        chosen += side[grower->leaves[grower->rows[i]]];
    }
    clear(grower, grower->width, grower->smaller);
    add_rows(grower, chosen, parents, grower->smaller);
    divide(grower, left, parents);
    uint64_t *histograms = grower->parents;
    grower->parents = grower->children;
    grower->children = histograms;
    grower->width = 2 * parents;
}

/* --- scores ----------------------------------------------------------------- */

struct scan {
    const uint64_t *histogram; /* of the column   */
    const sums *totals;        /* of the leaves   */
    size_t width, bins;
    bool is_bundle;
    const uint64_t *begin;  /* what is on the left before the first bin; NULL: nothing */
    float penalty;          /* lambda, scaled as hessians are                            */
    const int8_t *monotone; /* of the column's features; NULL: free                      */
};

__attribute__((always_inline)) static inline void split_sums(const sums *both,
                                                             floats *ret_gradients,
                                                             floats *ret_hessians)
{
    halves parts = (halves)*both;
    integers low = __builtin_shufflevector(parts, parts, 0, 2, 4, 6, 8, 10, 12, 14);
    integers high = __builtin_shufflevector(parts, parts, 1, 3, 5, 7, 9, 11, 13, 15);
    *ret_hessians = __builtin_convertvector(low, floats);
    *ret_gradients = __builtin_convertvector(high, floats);
}

/* What a larger value on the right may do, from the sums on the left; those of a bundle are of what
 * goes right. */
__attribute__((always_inline)) static inline float direction_of(const struct scan *scan, size_t bin)
{
    if (!scan->is_bundle)
        return scan->monotone[0];
    return bin == 0 ? 0 : -(float)scan->monotone[bin - 1];
}

/* Leaves whose sides would go against the direction score as if they were not split. */
__attribute__((always_inline)) static inline void keep_direction(float direction, float penalty,
                                                                 const floats *left,
                                                                 const floats *right, floats *gain)
{
    floats g = left[0] + right[0];
    floats whole = g * g / (left[1] + right[1] - penalty);
    integers against = direction * (left[0] * right[1] - right[0] * left[1]) < 0;
    *gain = (floats)(((integers)whole & against) | ((integers)*gain & ~against));
}

/* Adds G^2 / (H + lambda) of both sides of every leaf to the score of each bin. */
__attribute__((always_inline)) static inline void scan_column(const struct scan *scan,
                                                              float *ret_scores)
{
    for (size_t bin = 0; bin < scan->bins; bin++)
        ret_scores[bin] = 0;
    for (size_t lane = 0; lane < scan->width; lane += LANES) {
        sums left = { 0 }, total = scan->totals[lane / LANES];
        if (scan->begin != NULL)
            left = *(const stored_sums *)(scan->begin + lane);
        for (size_t bin = 0; bin < scan->bins; bin++) {
            sums here = *(const stored_sums *)(scan->histogram + bin * scan->width + lane);
            left = scan->is_bundle ? here : left + here;
            floats g, h, other_g, other_h;
            sums right = total - left;
            split_sums(&left, &g, &h);
            split_sums(&right, &other_g, &other_h);
            h += scan->penalty;
            other_h += scan->penalty;
            floats gain = (g * g * other_h + other_g * other_g * h) / (h * other_h);
            if (scan->monotone != NULL)
                keep_direction(direction_of(scan, bin), scan->penalty, (floats[]){ g, h },
                               (floats[]){ other_g, other_h }, &gain);
            ret_scores[bin] += ((gain[0] + gain[1]) + (gain[2] + gain[3])) +
                               ((gain[4] + gain[5]) + (gain[6] + gain[7]));
        }
    }
}

static void scan_portable(const struct scan *scan, float *ret_scores)
{
    scan_column(scan, ret_scores);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void scan_avx2(const struct scan *scan, float *ret_scores)
{
    scan_column(scan, ret_scores);
}
#endif

static void run_scan(const struct grower *grower, const struct scan *scan, float *ret_scores)
{
#ifdef __x86_64__
    if (!grower->portable && __builtin_cpu_supports("avx2")) {
        scan_avx2(scan, ret_scores);
        return;
    }
#endif
    scan_portable(scan, ret_scores);
}

/* --- the best condition ------------------------------------------------------- */

struct best {
    struct symmetric_condition condition;
    double score;
};

/* Nearly normal, with a standard deviation of 1: the sum of four uniform numbers. */
static double draw_noise(struct random *random)
{
    uint64_t bits = random_next(random);
    double sum =
        (double)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    return (sum / 65536 - 2) * 1.7320508;
}

/* `first`: the bins from there on are conditions. */
static void compare(struct grower *grower, const float *scores, size_t first, size_t end,
                    double noise, struct symmetric_condition condition, struct best *best)
{
    double scale = grower->hessian_scale / (grower->gradient_scale * grower->gradient_scale);
    for (size_t bin = first; bin < end; bin++) {
        double score = sqrt((double)scores[bin] * scale);
        if (noise > 0)
            score += noise * draw_noise(&grower->random);
        if (score <= best->score)
            continue;
        condition.bin = (uint32_t)bin;
        *best = (struct best){ condition, score };
    }
}

/* Few leaves are kept close together while rows are added, and get empty ones beside them only now.
 */
static const uint64_t *pad(const struct grower *grower, const uint64_t *histogram, size_t bins,
                           stored_sums *padded)
{
    if (grower->width >= LANES)
        return histogram;
    uint64_t *target = (uint64_t *)padded;
    memset(target, 0, bins * sizeof(*padded));
    for (size_t bin = 0; bin < bins; bin++)
        for (size_t leaf = 0; leaf < grower->width; leaf++)
            target[bin * LANES + leaf] = histogram[bin * grower->width + leaf];
    return target;
}

static void try_column(struct grower *grower, uint32_t index, const sums *totals, double noise,
                       struct best *best)
{
    const struct bin_column *column = &grower->bins->columns[index];
    stored_sums padded[BINS_MAXIMUM + 1];
    float scores[BINS_MAXIMUM + 1];
    struct scan scan = { .histogram = pad(grower, grower->parents + column->first * grower->width,
                                          bins_of(column), padded),
                         .totals = totals,
                         .width = grower->width < LANES ? LANES : grower->width,
                         .bins = column->bins,
                         .is_bundle = column->feature_count > 0,
                         .penalty = (float)(grower->options->lambda * grower->hessian_scale) };
    if (grower->options->monotone != NULL)
        scan.monotone = grower->options->monotone + column->feature;
    struct symmetric_condition condition = { .column = index };
    run_scan(grower, &scan, scores);
    /* bin 0 of a bundle is what has none of its features; the last of the others goes nowhere
     * unless missing values go right */
    compare(grower, scores, scan.is_bundle, column->bins - !(scan.is_bundle || column->has_missing),
            noise, condition, best);
    if (!column->has_missing)
        return;
    scan.begin = scan.histogram + column->bins * scan.width;
    condition.missing_left = true;
    run_scan(grower, &scan, scores);
    compare(grower, scores, 0, column->bins - 1, noise, condition, best);
}

static struct symmetric_condition choose(struct grower *grower, double noise)
{
    stored_sums totals[(1 << (SYMMETRIC_DEPTH_MAXIMUM - 1)) / LANES] = { { 0 } };
    const struct bin_column *any = &grower->bins->columns[grower->columns[0]];
    struct best best = { .condition = { .column = grower->columns[0] }, .score = -INFINITY };
    for (size_t bin = any->first; bin < any->first + bins_of(any); bin++)
        for (size_t leaf = 0; leaf < grower->width; leaf++)
            ((uint64_t *)totals)[leaf] += grower->parents[bin * grower->width + leaf];
    for (size_t i = 0; i < grower->drawn_columns; i++)
        try_column(grower, grower->columns[i], totals, noise, &best);
    return best.condition;
}

/* Sets bit `level` of the leaves of the rows that go right. Where no missing values were to learn
 * from, they go with the greater part. */
static void apply(struct grower *grower, struct symmetric_condition *condition, int level)
{
    const struct bins *bins = grower->bins;
    const struct bin_column *column = &bins->columns[condition->column];
    const uint8_t *values = bins->values + condition->column;
    bool is_bundle = column->feature_count > 0;
    uint8_t bin = (uint8_t)condition->bin;
    /* what is not above the bin but goes right, or above but goes left */
    uint8_t left = condition->missing_left ? (uint8_t)column->bins : bin;
    size_t right_count = 0;
    for (size_t row = 0; row < bins->rows; row++) {
        uint8_t value = values[row * bins->column_count];
        unsigned right = is_bundle ? value == bin : value > bin && value != left;
        right_count += right;
        grower->leaves[row] = (uint8_t)(grower->leaves[row] | right << level);
    }
    if (!column->has_missing)
        condition->missing_left = 2 * right_count < bins->rows;
}

void grower_grow(struct grower *grower, const float *gradients, const float *hessians, double noise,
                 struct symmetric_condition *ret_conditions)
{
    draw_rows(grower);
    draw_columns(grower);
    scale_sums(grower, gradients, hessians);
    memset(grower->leaves, 0, grower->bins->rows);
    grower->width = 1;
    clear(grower, grower->width, grower->parents);
    for (size_t i = 0; i < grower->drawn_count; i++)
        grower->chosen[i] = (uint32_t)i;
    add_rows(grower, grower->drawn_count, 1, grower->parents);
    for (int level = 0; level < grower->options->depth; level++) {
        if (level > 0)
            descend(grower, (size_t)1 << (level - 1));
        ret_conditions[level] = choose(grower, noise);
        apply(grower, &ret_conditions[level], level);
    }
}
