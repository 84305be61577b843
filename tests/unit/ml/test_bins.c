/* Goal: bins and thresholds say the same of every row, few values stay apart, many are spread
 * evenly, categories share a column, and rows may come block by block. Method: seeded columns of
 * each kind. */
#include "check.h"

#include "base/mem.h"
#include "base/random.h"
#include "ml/bins.h"

#define ROWS 1000

enum { SMOOTH, FEW, HEAVY, GAPS, CONSTANT, RED, GREEN, BLUE, ANY, HALF, COLUMNS };

static float values[ROWS * COLUMNS];
static const struct matrix all = { values, ROWS, COLUMNS };

static int make_data(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 9);
    for (size_t row = 0; row < ROWS; row++) {
        float *cells = values + row * COLUMNS;
        uint64_t color = random_below(&random, 4);
        cells[SMOOTH] = (float)random_unit(&random);
        cells[FEW] = (float)random_below(&random, 5) - 2;
        cells[HEAVY] = row % 2 ? 0 : (float)random_unit(&random);
        cells[GAPS] = row % 3 ? NAN : (float)random_unit(&random);
        cells[CONSTANT] = 7;
        for (size_t i = RED; i <= BLUE; i++)
            cells[i] = color == i - RED;
        cells[ANY] = (float)random_below(&random, 2);
        cells[HALF] = row % 2 ? NAN : 1;
    }
    return 0;
}

static const struct bin_column *column_of(const struct bins *bins, uint32_t feature)
{
    for (size_t i = 0; i < bins->column_count; i++)
        if (bins->columns[i].feature == feature)
            return &bins->columns[i];
    return NULL;
}

static uint8_t bin_at(const struct bins *bins, const struct bin_column *column, size_t row)
{
    return bins->values[row * bins->column_count + (size_t)(column - bins->columns)];
}

static void thresholds_say_what_bins_say(void **state)
{
    (void)state;
    static const size_t maxima[] = { 2, 3, 64, 255 };
    for (size_t i = 0; i < ARRAY_SIZE(maxima); i++) {
        auto_bins struct bins bins;
        size_t total = 0;
        bins_init(&bins, rows_of(all), maxima[i]);
        for (const struct bin_column *column = bins.columns;
             column < bins.columns + bins.column_count; column++) {
            assert_int_equal(column->first, total);
            total += column->bins + column->has_missing;
            assert_in_range(column->bins, 1, maxima[i]);
            for (size_t row = 0; column->thresholds != NULL && row < ROWS; row++) {
                float value = values[row * COLUMNS + column->feature];
                uint8_t bin = bin_at(&bins, column, row);
                if (isnan(value)) {
                    assert_int_equal(bin, column->bins);
                    continue;
                }
                for (uint32_t j = 0; j < column->bins; j++)
                    if ((value < column->thresholds[j]) != (bin <= j))
                        fail_msg("feature %u: %g is in bin %u, threshold %u is %g", column->feature,
                                 (double)value, bin, j, (double)column->thresholds[j]);
            }
        }
        assert_int_equal(bins.total, total);
    }
}

static void few_values_stay_apart_and_many_are_spread(void **state)
{
    (void)state;
    auto_bins struct bins bins;
    size_t counts[256] = { 0 };
    bins_init(&bins, rows_of(all), 50);
    assert_int_equal(column_of(&bins, FEW)->bins, 5);
    assert_int_equal(column_of(&bins, SMOOTH)->bins, 50);
    for (size_t row = 0; row < ROWS; row++)
        counts[bin_at(&bins, column_of(&bins, SMOOTH), row)]++;
    for (size_t bin = 0; bin < 50; bin++)
        assert_in_range(counts[bin], 15, 25);
    /* half of the rows have one value: the others still have nearly all the bins */
    assert_in_range(column_of(&bins, HEAVY)->bins, 45, 50);
    assert_true(column_of(&bins, GAPS)->has_missing);
    assert_false(column_of(&bins, SMOOTH)->has_missing);
    /* one value or none */
    assert_int_equal(column_of(&bins, HALF)->bins, 1);
    assert_null(column_of(&bins, CONSTANT));
}

static void levels_share_a_column(void **state)
{
    (void)state;
    auto_bins struct bins bins;
    bins_init(&bins, rows_of(all), 50);
    const struct bin_column *colors = column_of(&bins, RED), *any = column_of(&bins, ANY);
    assert_int_equal(colors->feature_count, 3);
    assert_int_equal(colors->bins, 4);
    assert_null(column_of(&bins, BLUE));
    /* a row may have both a color and this */
    assert_int_equal(any->feature_count, 1);
    for (size_t row = 0; row < ROWS; row++) {
        const float *cells = values + row * COLUMNS;
        uint8_t expected = cells[RED] == 1 ? 1 : cells[GREEN] == 1 ? 2 : cells[BLUE] == 1 ? 3 : 0;
        assert_int_equal(bin_at(&bins, colors, row), expected);
        assert_int_equal(bin_at(&bins, any, row), cells[ANY] == 1);
    }
}

static void neighbouring_floats_are_told_apart(void **state)
{
    (void)state;
    float close[4] = { 1, nextafterf(1, 2), 1e37F, -1e37F };
    auto_bins struct bins bins;
    bins_init(&bins, rows_of((struct matrix){ close, 4, 1 }), 255);
    static const uint8_t expected[] = { 1, 2, 3, 0 };
    assert_int_equal(bins.columns[0].bins, 4);
    assert_memory_equal(bins.values, expected, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(isfinite(bins.columns[0].thresholds[i]));
}

/* The rows above, some times over and in another order. */
static void read_again(const void *context, size_t first, size_t count, float *ret_values)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        memcpy(ret_values + i * COLUMNS, values + (first + i) * 7 % ROWS * COLUMNS,
               COLUMNS * sizeof(float));
}

static void blocks_give_what_a_matrix_gives(void **state)
{
    (void)state;
    const size_t rows = 2 * ROW_SOURCE_BLOCK + 300;
    auto_free float *whole = mem_zero(rows * COLUMNS, sizeof(*whole));
    struct row_source source = { .rows = rows, .columns = COLUMNS, .read = read_again };
    auto_bins struct bins expected, bins;
    read_again(NULL, 0, rows, whole);
    bins_init(&expected, rows_of((struct matrix){ whole, rows, COLUMNS }), 50);
    bins_init(&bins, source, 50);
    assert_int_equal(bins.column_count, expected.column_count);
    assert_int_equal(bins.total, expected.total);
    assert_memory_equal(bins.values, expected.values, rows * bins.column_count);
    for (size_t i = 0; i < bins.column_count; i++) {
        assert_int_equal(bins.columns[i].feature, expected.columns[i].feature);
        assert_int_equal(bins.columns[i].feature_count, expected.columns[i].feature_count);
        if (bins.columns[i].thresholds != NULL)
            assert_memory_equal(bins.columns[i].thresholds, expected.columns[i].thresholds,
                                bins.columns[i].bins * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_say_what_bins_say),
        cmocka_unit_test(few_values_stay_apart_and_many_are_spread),
        cmocka_unit_test(levels_share_a_column),
        cmocka_unit_test(neighbouring_floats_are_told_apart),
        cmocka_unit_test(blocks_give_what_a_matrix_gives),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
