/* shap_rows.c - looking rows up in the tables of shap.c. */
#include "base/mem.h"
#include "ml/shap_parts.h"

#define BLOCK_ROWS 1024 /* rows that go through one tile while its tables are in the cache */
#define EIGHT      8    /* rows that are looked up together */
#define FOUR       4
#define EIGHTS     (RANKS_ROWS / EIGHT)

#define PARTS       (BLOCK_ROWS / RANKS_ROWS)
#define LINE_FLOATS 16 /* of a line of the cache */

typedef float four __attribute__((vector_size(4 * FOUR)));
typedef float eight __attribute__((vector_size(4 * EIGHT)));
typedef double eight_doubles __attribute__((vector_size(8 * EIGHT)));

/* Sums of one column for RANKS_ROWS rows. */
struct column {
    eight_doubles rows[EIGHTS];
};

/* What is done with RANKS_ROWS rows, or the first `rows` of them. Compiling it for a processor or
 * for all is the only difference between the twins below. */
#define BOTH_TWINS static inline __attribute__((always_inline))

BOTH_TWINS void find_states(const struct shap_group *group, const rank_rows *ranks,
                            rank_rows *ret_states)
{
    rank_rows states = { 0 };
    for (size_t i = 0; i < group->split_count; i++) {
        const struct shap_split *own = &group->splits[i];
        states += (rank_rows)(ranks[own->split.lane] <= own->split.rank) & own->weight;
    }
    *ret_states = states;
}

/* Four places of the entries of eight rows, turned: ret_places[i] is what place i gets in each
 * row. */
BOTH_TWINS void look_up(const float *const entries[EIGHT], size_t first, eight ret_places[FOUR])
{
    eight rows[FOUR], pairs[FOUR];
    for (size_t i = 0; i < FOUR; i++) {
        four low = *(const four *)(entries[i] + first);
        four high = *(const four *)(entries[i + FOUR] + first);
        rows[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    for (size_t i = 0; i < 2; i++) {
        eight even = rows[2 * i], odd = rows[2 * i + 1];
        pairs[i] = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[i + 2] = __builtin_shufflevector(even, odd, 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (size_t i = 0; i < 2; i++) {
        eight left = pairs[2 * i], right = pairs[2 * i + 1];
        ret_places[2 * i] = __builtin_shufflevector(left, right, 0, 1, 8, 9, 4, 5, 12, 13);
        ret_places[2 * i + 1] = __builtin_shufflevector(left, right, 2, 3, 10, 11, 6, 7, 14, 15);
    }
}

/* What a group adds to the sums of eight rows. */
BOTH_TWINS void add_eight(const struct shap_group *group, const uint8_t *states,
                          eight (*sums)[EIGHTS])
{
    const float *entries[EIGHT];
    eight found[FOUR];
    for (size_t row = 0; row < EIGHT; row++)
        entries[row] = group->table + (size_t)states[row] * SHAP_PLACES;
    look_up(entries, 0, found);
    for (size_t i = 0; i < FOUR; i++)
        *sums[group->places[i]] += found[i];
    if (group->source_count <= FOUR)
        return;
    look_up(entries, FOUR, found);
    for (size_t i = 0; i < FOUR; i++)
        *sums[group->places[FOUR + i]] += found[i];
}

BOTH_TWINS void add_tile(const struct shap_tile *tile, const rank_rows *ranks, size_t rows,
                         struct column *columns)
{
    eight sums[SHAP_TILE_SOURCES + 1][EIGHTS]; /* the last is for places that nothing has */
    rank_rows states[SHAP_TOGETHER];
    memset(sums, 0, tile->source_count * sizeof(*sums));
    memset(sums[SHAP_TILE_SOURCES], 0, sizeof(*sums));
    for (size_t i = 0; i < tile->group_count; i++)
        find_states(&tile->groups[i], ranks, &states[i]);
    for (size_t i = 0; i < tile->group_count; i++) {
        const struct shap_group *group = &tile->groups[i];
        const uint8_t *own = (const uint8_t *)&states[i];
        for (size_t part = 0; part * EIGHT < rows; part++)
            add_eight(group, own + part * EIGHT, (eight(*)[EIGHTS]) & sums[0][part]);
    }
    for (size_t i = 0; i < tile->source_count; i++)
        for (size_t part = 0; part < EIGHTS; part++)
            columns[tile->sources[i]].rows[part] +=
                __builtin_convertvector(sums[i][part], eight_doubles);
}

BOTH_TWINS void add_leaf(const struct shap *shap, const struct shap_leaf *leaf,
                         const rank_rows *ranks, size_t rows, struct column *columns)
{
    rank_rows passes[SHAP_PATH];
    memset(passes, 1, leaf->feature_count * sizeof(*passes));
    for (size_t i = 0; i < leaf->step_count; i++) {
        const struct shap_step *step = &shap->steps[leaf->first_step + i];
        rank_rows left = (rank_rows)(ranks[step->split.lane] <= step->split.rank);
        passes[step->place] &= step->left ? left : ~left;
    }
    for (size_t part = 0; part * EIGHT < rows; part++) {
        shap_cases present[SHAP_PATH], gets[SHAP_PATH];
        memset(gets, 0, leaf->feature_count * sizeof(*gets));
        for (size_t i = 0; i < leaf->feature_count; i++)
            for (size_t row = 0; row < EIGHT; row++)
                present[i][row] = (double)passes[i][part * EIGHT + row];
        shap_leaf_add(&shap->quadrature, shap->shares + leaf->first_feature, present,
                      leaf->feature_count, leaf->value, gets);
        for (size_t i = 0; i < leaf->feature_count; i++)
            columns[shap->sources[leaf->first_feature + i]].rows[part] += gets[i];
    }
}

/* Asks for a part of the tables of a tile, so that they are there when its turn comes. */
BOTH_TWINS void fetch(const struct shap_tile *tile, size_t part)
{
    for (size_t i = 0; i < tile->group_count; i++) {
        const struct shap_group *group = &tile->groups[i];
        size_t end = (size_t)SHAP_PLACES * group->state_count;
        for (size_t line = part * LINE_FLOATS; line < end; line += PARTS * LINE_FLOATS)
            __builtin_prefetch(group->table + line);
    }
}

/* Columns are source_count for the first RANKS_ROWS rows, source_count for the next and so on. */
BOTH_TWINS void add_all(const struct shap *shap, const rank_rows *ranks, size_t rows,
                        struct column *columns)
{
    for (size_t i = 0; i < shap->tile_count + shap->leaf_count; i++)
        for (size_t part = 0; part * RANKS_ROWS < rows; part++) {
            size_t left = rows - part * RANKS_ROWS, count = left < RANKS_ROWS ? left : RANKS_ROWS;
            const rank_rows *own_ranks = ranks + part * shap->ranks->lane_count;
            struct column *own_columns = columns + part * shap->source_count;
            if (i + 1 < shap->tile_count && rows > RANKS_ROWS) /* a few need few entries */
                fetch(&shap->tiles[i + 1], part);
            if (i < shap->tile_count)
                add_tile(&shap->tiles[i], own_ranks, count, own_columns);
            else
                add_leaf(shap, &shap->leaves[i - shap->tile_count], own_ranks, count, own_columns);
        }
}

struct engine {
    void (*fill)(const struct ranks *ranks, const float *values, size_t rows, rank_rows *ret_ranks);
    void (*add)(const struct shap *shap, const rank_rows *ranks, size_t rows,
                struct column *columns);
};

static void add_portable(const struct shap *shap, const rank_rows *ranks, size_t rows,
                         struct column *columns)
{
    add_all(shap, ranks, rows, columns);
}

static const struct engine portable = { ranks_fill_portable, add_portable };

#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_avx2(const struct shap *shap,
                                                     const rank_rows *ranks, size_t rows,
                                                     struct column *columns)
{
    add_all(shap, ranks, rows, columns);
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

static void add_rows(const struct shap *shap, const struct engine *engine, const float *values,
                     size_t rows, double *ret_sources)
{
    size_t room = ranks_block(shap->ranks, rows < BLOCK_ROWS ? rows : BLOCK_ROWS);
    size_t parts = room / RANKS_ROWS, count = shap->source_count;
    auto_free rank_rows *ranks = mem_aligned(parts * shap->ranks->lane_count, sizeof(*ranks));
    auto_free struct column *columns = mem_aligned(parts * count, sizeof(*columns));
    for (size_t first = 0; first < rows; first += room) {
        size_t block = rows - first < room ? rows - first : room;
        memset(columns, 0, parts * count * sizeof(*columns));
        engine->fill(shap->ranks, values + first * shap->ranks->columns, block, ranks);
        engine->add(shap, ranks, block, columns);
        for (size_t row = 0; row < block; row++)
            for (size_t i = 0; i < count; i++) {
                const struct column *column = &columns[row / RANKS_ROWS * count + i];
                ret_sources[(first + row) * count + i] =
                    column->rows[row % RANKS_ROWS / EIGHT][row % EIGHT];
            }
    }
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
