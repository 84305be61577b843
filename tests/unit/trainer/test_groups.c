/* Goal: groups are what a user expects of a column, and their figures are those of their
 * members alone. Method: a table made here with chosen scores; figures counted by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../ml/text_source.h"
#include "base/buf.h"
#include "base/limits.h"
#include "trainer/groups.h"

enum { ROWS = 400, SEX = 0, AGE = 1, CITY = 2 };

static double probability_at(uint32_t row)
{
    return (row % 10 + 0.5) / 10;
}

static int label_at(uint32_t row)
{
    return row % 10 >= 5 && row % 3 != 0;
}

static const char *sex_at(uint32_t row)
{
    return row % 40 == 0 ? "rare" : row % 4 == 0 ? "B" : "A";
}

static void write_rows(struct buf *text)
{
    buf_string(text, "id,sex,age,city,y\n");
    for (uint32_t i = 0; i < ROWS; i++) {
        buf_format(text, "c%u,%s,", i, sex_at(i));
        if (i % 8 != 7)
            buf_format(text, "%u", i % 50);
        buf_format(text, ",C%u,%d\n", i % 30, label_at(i));
    }
}

/* Everybody is held out. Sex is dropped, which is no reason not to look at it. */
static void make_training(struct training *training)
{
    static const char *names[] = { "sex", "age", "city" };
    const struct table_options options = { .target = "y",
                                           .positive_label = "1",
                                           .id = "id",
                                           .drop = { names, 1 },
                                           .sensitive = { names, 3 } };
    auto_buf struct buf text;
    buf_init(&text, 1 * MIB);
    write_rows(&text);
    struct text_source source = { { text.data, text.length }, 0 };
    struct byte_source bytes = text_source(&source);
    struct err err;
    if (table_read("h.csv", &bytes, &options, &training->table, &err) < 0)
        fail_msg("%s", err.message);
    training->evaluation.calibration = CALIBRATION_NONE;
    training->evaluation.threshold = 0.5;
    training->folds.holdout = mem_zero(ROWS, sizeof(uint32_t));
    training->folds.holdout_count = ROWS;
    training->holdout_margins = mem_zero(ROWS, sizeof(double));
    for (uint32_t i = 0; i < ROWS; i++) {
        training->folds.holdout[i] = i;
        training->holdout_margins[i] = log(probability_at(i) / (1 - probability_at(i)));
    }
}

static const struct group *find(const struct group_column *column, const char *name)
{
    for (size_t i = 0; i < column->count; i++)
        if (strcmp(column->groups[i].name, name) == 0)
            return &column->groups[i];
    fail_msg("%s has no group %s", column->name, name);
    return NULL;
}

static void near(double actual, double expected, const char *what)
{
    if (!(fabs(actual - expected) < 1e-9))
        fail_msg("%s is %g, expected %g", what, actual, expected);
}

static void figures_are_those_of_the_members(void **state)
{
    (void)state;
    auto_training struct training training = { 0 };
    struct group_column column;
    double rows = 0, left = 0, called = 0, found = 0, sum = 0;
    make_training(&training);
    groups_measure(&training, SEX, &column);
    assert_string_equal(column.name, "sex");
    assert_int_equal(column.count, 3);
    assert_string_equal(column.groups[0].name, "A"); /* the largest */
    for (uint32_t i = 0; i < ROWS; i++) {
        if (strcmp(sex_at(i), "A") != 0)
            continue;
        rows++;
        left += label_at(i);
        called += probability_at(i) >= 0.5;
        found += probability_at(i) >= 0.5 && label_at(i);
        sum += probability_at(i);
    }
    const struct group *group = find(&column, "A");
    near((double)group->rows, rows, "rows");
    near(group->observed, left / rows, "observed");
    near(group->selected, called / rows, "selected");
    near(group->recall, found / left, "recall");
    near(group->false_alarms, (called - found) / (rows - left), "false alarms");
    near(group->mean, sum / rows, "mean");
    near(group->p50, 0.55, "median");
}

static void few_customers_say_nothing(void **state)
{
    (void)state;
    auto_training struct training training = { 0 };
    struct group_column column;
    make_training(&training);
    groups_measure(&training, SEX, &column);
    const struct group *group = find(&column, "rare");
    assert_int_equal(group->rows, 10);
    assert_true(group->few);
    assert_true(isnan(group->selected) && isnan(group->mean) && isnan(group->auc));
    auto_json json_t *json = groups_encode(&training);
    json_t *first = json_array_get(json_object_get(json_array_get(json, SEX), "groups"), 2);
    assert_string_equal(json_string_value(json_object_get(first, "group")), "rare");
    assert_true(json_is_true(json_object_get(first, "tooFew")));
    assert_null(json_object_get(first, "selectionRate"));
}

static void many_numbers_are_ranges(void **state)
{
    (void)state;
    auto_training struct training training = { 0 };
    struct group_column column;
    size_t rows = 0;
    make_training(&training);
    groups_measure(&training, AGE, &column);
    assert_int_equal(column.count, GROUPS_RANGES + 1);
    assert_string_equal(column.groups[0].name, "0 to 12");
    assert_string_equal(column.groups[GROUPS_RANGES].name, "(missing)");
    assert_int_equal(column.groups[GROUPS_RANGES].rows, ROWS / 8);
    for (size_t i = 0; i < column.count; i++) {
        assert_in_range(column.groups[i].rows, ROWS / 8, ROWS / 4);
        rows += column.groups[i].rows;
    }
    assert_int_equal(rows, ROWS);
}

static void rare_categories_are_put_together(void **state)
{
    (void)state;
    auto_training struct training training = { 0 };
    struct group_column column;
    size_t rows = 0;
    make_training(&training);
    groups_measure(&training, CITY, &column);
    assert_int_equal(column.count, GROUPS_CATEGORIES);
    assert_string_equal(column.groups[GROUPS_CATEGORIES - 1].name, "(other)");
    for (size_t i = 0; i < column.count; i++)
        rows += column.groups[i].rows;
    assert_int_equal(rows, ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_members),
        cmocka_unit_test(few_customers_say_nothing),
        cmocka_unit_test(many_numbers_are_ranges),
        cmocka_unit_test(rare_categories_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
