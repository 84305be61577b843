/* Goal: asking ranks is asking thresholds.
 * Method: random splits, more than a lane holds, equal ones, zeros of both signs, ends of the
 * range; every split is asked of every value both ways; both twins give the same bytes. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/ranks.h"

#define SPLITS  8000
#define ROWS    77 /* no multiple of RANKS_ROWS */
#define COLUMNS 3

static const float special[] = { NAN, -INFINITY, INFINITY, 0.0F, -0.0F, 0x1p-149F, 1e38F };

static float number(struct random *random)
{
    uint64_t kind = random_below(random, 10);
    if (kind < ARRAY_SIZE(special))
        return special[kind];
    return (float)random_below(random, 700) / 10 - 30;
}

static void make_splits(struct random *random, struct split *splits)
{
    for (size_t i = 0; i < SPLITS; i++) /* the last column has few */
        splits[i] = (struct split){ number(random), (uint32_t)random_below(random, COLUMNS - 1),
                                    random_below(random, 2) == 1 };
    for (size_t i = 0; i < 3; i++)
        splits[i * 100].feature = COLUMNS - 1;
}

static void ranks_say_what_thresholds_say(void **state)
{
    (void)state;
    struct random random;
    static struct split splits[SPLITS], sorted[SPLITS];
    float values[ROWS * COLUMNS];
    struct ranks ranks;
    random_seed(&random, 3);
    make_splits(&random, splits);
    memcpy(sorted, splits, sizeof(splits));
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = number(&random);
    ranks_init(&ranks, sorted, SPLITS, COLUMNS);
    assert_true(ranks.lane_count > 2 * (COLUMNS - 1) + 1); /* more than one of a kind */
    size_t bytes = (ROWS + RANKS_ROWS - 1) / RANKS_ROWS * ranks.lane_count * sizeof(rank_rows);
    auto_free rank_rows *lanes = mem_aligned(bytes, 1), *portable = mem_aligned(bytes, 1);
    ranks_fill(&ranks, values, ROWS, lanes);
    ranks_fill_portable(&ranks, values, ROWS, portable);
    assert_memory_equal(lanes, portable, bytes);
    for (size_t i = 0; i < SPLITS; i++) {
        struct rank_split ranked = ranks_find(&ranks, splits[i]);
        for (size_t row = 0; row < ROWS; row++) {
            float value = values[row * COLUMNS + splits[i].feature];
            bool expected = value < splits[i].threshold || (splits[i].default_left && isnan(value));
            const rank_rows *part = lanes + row / RANKS_ROWS * ranks.lane_count;
            bool left = part[ranked.lane][row % RANKS_ROWS] <= ranked.rank;
            if (left != expected)
                fail_msg("%g below %g (missing goes %s): %d", (double)value,
                         (double)splits[i].threshold, splits[i].default_left ? "left" : "right",
                         left);
        }
    }
    ranks_release(&ranks);
}

static void blocks_are_whole_and_bounded(void **state)
{
    (void)state;
    struct ranks none = { .columns = 1 }, many = { .columns = 1, .lane_count = 100000 };
    assert_int_equal(ranks_block(&none, 1), RANKS_ROWS);
    assert_int_equal(ranks_block(&none, 100), 128);
    assert_int_equal(ranks_block(&none, 1024), 1024);
    assert_int_equal(ranks_block(&many, 1024), RANKS_ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_say_what_thresholds_say),
        cmocka_unit_test(blocks_are_whole_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
