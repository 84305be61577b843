/* Goal: membership follows from id and seed alone; folds are stratified; copies
 * stay together; a search learns from a fair sample. Method: the same customers in another order
 * and in a larger file; counts per fold. */
#include "check.h"
#include "text_source.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ml/folds.h"

static const struct table_options options = { .target = "y", .positive_label = "1", .id = "id" };

/* Customers first .. last (or down from last), one in five leaves. */
static void customers(int first, int last, bool reversed, struct table *ret_table)
{
    auto_buf struct buf file;
    buf_init(&file, 1 * MIB);
    buf_string(&file, "id,a,y\n");
    for (int i = first; i <= last; i++) {
        int customer = reversed ? last + first - i : i;
        buf_format(&file, "c%d,%d,%d\n", customer, customer, customer % 5 == 0);
    }
    struct text_source text = { { file.data, file.length }, 0 };
    struct byte_source source = text_source(&text);
    struct err err = { 0 };
    if (table_read("h.csv", &source, &options, ret_table, &err) < 0)
        fail_msg("%s", err.message);
}

/* Whether customer c<number> is held out; -1: not in the table. */
static int is_held_out(const struct table *table, const struct folds *folds, int number)
{
    char id[16];
    snprintf(id, sizeof(id), "c%d", number);
    for (size_t row = 0; row < table->row_count; row++) {
        if (strcmp(table_id(table, row), id) == 0)
            return folds->fold[row] == FOLD_HOLDOUT;
    }
    return -1;
}

static void same_customers_are_held_out(void **state)
{
    (void)state;
    auto_table struct table table = { 0 }, reversed = { 0 }, larger = { 0 };
    auto_folds struct folds folds, reversed_folds, larger_folds, reseeded;
    customers(1, 300, false, &table);
    customers(1, 300, true, &reversed);
    customers(100, 900, false, &larger);
    folds_init(&folds, &table, 42, 0.2, 5);
    folds_init(&reversed_folds, &reversed, 42, 0.2, 5);
    folds_init(&larger_folds, &larger, 42, 0.2, 5);
    folds_init(&reseeded, &table, 43, 0.2, 5);
    int different = 0;
    for (int i = 100; i <= 300; i++) {
        int held_out = is_held_out(&table, &folds, i);
        assert_int_equal(is_held_out(&reversed, &reversed_folds, i), held_out);
        assert_int_equal(is_held_out(&larger, &larger_folds, i), held_out);
        different += is_held_out(&table, &reseeded, i) != held_out;
    }
    assert_true(different > 20);
}

static void shares_are_kept(void **state)
{
    (void)state;
    auto_table struct table table = { 0 };
    auto_folds struct folds folds;
    customers(1, 2000, false, &table);
    folds_init(&folds, &table, 1, 0.25, 4);
    assert_int_equal(folds.training_count + folds.holdout_count, 2000);
    assert_in_range(folds.holdout_count, 440, 560);
    size_t rows[4] = { 0 }, positives[4] = { 0 };
    for (size_t i = 0; i < folds.training_count; i++) {
        uint32_t row = folds.training[i];
        rows[folds.fold[row]]++;
        positives[folds.fold[row]] += table.labels[row];
    }
    for (int fold = 1; fold < 4; fold++) {
        assert_in_range(rows[fold], rows[0] - 2, rows[0] + 2);
        assert_in_range(positives[fold], positives[0] - 1, positives[0] + 1);
    }
}

/* 600 customers with `distinct` different contents. */
static void repeated_customers(int distinct, struct table *ret_table)
{
    auto_buf struct buf file;
    buf_init(&file, 1 * MIB);
    buf_string(&file, "id,a,y\n");
    for (int i = 0; i < 600; i++)
        buf_format(&file, "c%d,%d,%d\n", i, i % distinct, i % distinct % 3 == 0);
    struct text_source text = { { file.data, file.length }, 0 };
    struct byte_source source = text_source(&text);
    struct err err = { 0 };
    assert_int_equal(table_read("h.csv", &source, &options, ret_table, &err), 0);
}

static void copies_stay_together(void **state)
{
    (void)state;
    auto_table struct table table = { 0 };
    auto_folds struct folds folds;
    repeated_customers(550, &table);
    folds_init(&folds, &table, 7, 0.2, 5);
    assert_int_equal(folds.duplicates, 50);
    size_t copies = 0;
    for (size_t row = 0; row < 50; row++) {
        uint8_t one = folds.fold[row], other = folds.fold[row + 550];
        bool both_out = one >= FOLD_COPY && other >= FOLD_COPY;
        bool both_in = one < FOLD_COPY && other < FOLD_COPY;
        if (both_out || both_in)
            assert_int_equal(one, other);
        else
            assert_int_equal(one > other ? one : other, FOLD_COPY);
        copies += !both_out && !both_in;
    }
    assert_in_range(copies, 5, 30);
    assert_int_equal(folds.copies, copies);
    assert_in_range(folds.holdout_count, 80, 160);
    assert_int_equal(folds.holdout_count + folds.training_count + copies, 600);
}

/* A copy of somebody else's row moves nobody into the hold-out or out of it. */
static void copies_do_not_change_membership(void **state)
{
    (void)state;
    auto_table struct table table = { 0 }, unlike = { 0 };
    auto_folds struct folds folds, others;
    repeated_customers(550, &table);
    repeated_customers(600, &unlike);
    folds_init(&folds, &table, 7, 0.2, 5);
    folds_init(&others, &unlike, 7, 0.2, 5);
    for (size_t row = 0; row < 600; row++)
        assert_int_equal(folds.fold[row] >= FOLD_COPY, others.fold[row] >= FOLD_COPY);
}

static void few_values_are_no_copies(void **state)
{
    (void)state;
    auto_table struct table table = { 0 };
    auto_folds struct folds folds;
    repeated_customers(12, &table);
    folds_init(&folds, &table, 7, 0.2, 5);
    assert_int_equal(folds.duplicates, 0);
    assert_in_range(folds.holdout_count, 80, 160);
}

#define MANY (2 * FOLDS_SEARCHED)

/* One in ten is held out, one in eight left. */
static void many_folds(const struct table *table, int64_t seed, struct folds *ret_folds)
{
    *ret_folds = (struct folds){ .fold = mem_zero(table->row_count, 1), .fold_count = 5 };
    for (size_t row = 0; row < table->row_count; row++)
        ret_folds->fold[row] = row % 10 == 3 ? FOLD_HOLDOUT : (uint8_t)(row % 5);
    folds_list(ret_folds, table, seed);
}

static void searches_learn_from_a_sample(void **state)
{
    (void)state;
    auto_table struct table table = { .row_count = MANY, .labels = mem_zero(MANY, 1) };
    auto_folds struct folds folds, again, reseeded;
    size_t positives = 0, learned = 0, same = 0;
    for (size_t row = 0; row < MANY; row++)
        table.labels[row] = row % 8 == 0;
    many_folds(&table, 1, &folds);
    many_folds(&table, 1, &again);
    many_folds(&table, 2, &reseeded);
    assert_int_equal(folds.searched_count, FOLDS_SEARCHED);
    assert_memory_equal(folds.searched, again.searched, FOLDS_SEARCHED * sizeof(uint32_t));
    for (size_t i = 0; i < FOLDS_SEARCHED; i++) {
        assert_true(i == 0 || folds.searched[i] > folds.searched[i - 1]);
        assert_int_not_equal(folds.fold[folds.searched[i]], FOLD_HOLDOUT);
        positives += table.labels[folds.searched[i]];
        same += folds.searched[i] == reseeded.searched[i];
    }
    for (size_t i = 0; i < folds.training_count; i++)
        learned += table.labels[folds.training[i]];
    double expected = (double)learned * FOLDS_SEARCHED / (double)folds.training_count;
    assert_true(fabs((double)positives - expected) <= 0.5);
    assert_in_range(same, 0, FOLDS_SEARCHED / 100);
}

static void few_rows_are_all_searched(void **state)
{
    (void)state;
    auto_table struct table table = { 0 };
    auto_folds struct folds folds;
    customers(1, 300, false, &table);
    folds_init(&folds, &table, 42, 0.2, 5);
    assert_int_equal(folds.searched_count, folds.training_count);
    assert_memory_equal(folds.searched, folds.training, folds.training_count * sizeof(uint32_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_customers_are_held_out),
        cmocka_unit_test(shares_are_kept),
        cmocka_unit_test(copies_stay_together),
        cmocka_unit_test(copies_do_not_change_membership),
        cmocka_unit_test(few_values_are_no_copies),
        cmocka_unit_test(searches_learn_from_a_sample),
        cmocka_unit_test(few_rows_are_all_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
