/* Goal: a training file becomes typed columns, and what cannot be used is refused
 * with line and column. Method: small files with the expected message; types from
 * single columns; generated files for what depends on shares. */
#include "check.h"
#include "text_source.h"

#include "base/buf.h"
#include "base/mem.h"
#include "ml/table.h"

static int read_text(struct span file, const struct table_options *options, struct table *ret_table,
                     struct err *err)
{
    struct text_source text = { file, 0 };
    struct byte_source source = text_source(&text);

    return table_read("h.csv", &source, options, ret_table, err);
}

static const struct table_options plain = { .target = "y", .positive_label = "1", .id = "id" };

static void columns_get_types_and_values(void **state)
{
    (void)state;
    static const char file[] = "id,age,city,member,flag,y\n"
                               "a,1,Rome,Yes,0,1\n"
                               "b, 2.5 ,,no,1,0\n"
                               "c,NA,Oslo,,1,1\n";
    auto_table struct table table = { 0 };
    struct err err;

    assert_int_equal(read_text(span_of(file), &plain, &table, &err), 0);
    assert_int_equal(table.row_count, 3);
    assert_int_equal(table.positives, 2);
    assert_string_equal(table_id(&table, 1), "b");
    assert_int_equal(table_line(&table, 2), 4);
    const struct column *age = table_column(&table, "age");
    assert_int_equal(age->type, VALUE_NUMERIC);
    assert_true(column_number(age, 1) == 2.5 && isnan(column_number(age, 2)));
    const struct column *city = table_column(&table, "city");
    assert_int_equal(city->type, VALUE_CATEGORICAL);
    assert_string_equal(city->levels.texts[column_code(city, 1)], "");
    const struct column *member = table_column(&table, "member");
    assert_int_equal(member->type, VALUE_BOOLEAN);
    assert_true(column_number(member, 0) == 1 && column_number(member, 1) == 0 &&
                isnan(column_number(member, 2)));
    assert_int_equal(table_column(&table, "flag")->type, VALUE_NUMERIC);
    assert_int_equal(table_column(&table, "y")->role, ROLE_TARGET);
    assert_int_equal(table.warning_count, 0);
}

static const struct {
    const char *name, *file, *message;
} refused[] = {
    { "empty", "", "h.csv is empty" },
    { "header only", "id,a,y\n", "h.csv has a header but no rows" },
    { "no target", "id,a,Y\nx,1,0\n", "data.target: h.csv has no column y (closest: Y)" },
    { "no id", "a,y\n1,0\n", "data.id: h.csv has no column id (its header: a, y)" },
    { "one class", "id,a,y\nx,1,0\nz,2,0\n", "h.csv: the target column y has one class only: 0" },
    { "no positive", "id,a,y\nx,1,no\nz,2,yes\n",
      "h.csv: the positive label 1 is not in the target column y (it has no, yes)" },
    { "three classes", "id,a,y\nx,1,0\nz,2,1\nw,2,2\n",
      "h.csv: the target column y has 3 values, expected two (it has 0, 1, 2)" },
    { "id twice", "id,a,y\nx,1,0\nz,2,1\nx,3,1\n",
      "h.csv line 4, id: the id x is there already, in line 2" },
    { "ragged", "id,a,y\nx,1,0\nz,2\nw,3,1\n",
      "h.csv line 3: 2 fields, header has 3 (1 of 3 rows are bad, at most 1 % are tolerated)" },
    { "label blank", "id,a,y\nx,1,0\nz,2,\nw,3,1\n",
      "h.csv line 3, y: the label is blank (1 of 3 rows are bad, at most 1 % are tolerated)" },
    { "id blank", "id,a,y\nx,1,0\n ,2,1\nw,3,1\n",
      "h.csv line 3, id: the id is blank (1 of 3 rows are bad, at most 1 % are tolerated)" },
};

static void unusable_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct table table;
        struct err err = { 0 };
        assert_int_equal(read_text(span_of(refused[i].file), &plain, &table, &err), -1);
        check_text(err.message, refused[i].message, refused[i].name);
        check_text(err.reason, "DataInvalid", refused[i].name);
    }
}

/* 1000 rows: id, then cells written by `cell`, then the label. */
static void generate(struct buf *out, const char *header, size_t rows,
                     void (*cell)(struct buf *out, size_t row))
{
    buf_init(out, 16 * MIB);
    buf_format(out, "id,%s,y\n", header);
    for (size_t row = 0; row < rows; row++) {
        buf_format(out, "c%zu,", row);
        cell(out, row);
        buf_format(out, ",%d\n", row % 3 == 0);
    }
    assert_false(out->overflow);
}

static void number_or_text_from_950(struct buf *out, size_t row)
{
    buf_format(out, row < 950 ? "%zu.5" : "level %zu", row % 100);
}

static void number_or_text_twice(struct buf *out, size_t row)
{
    buf_format(out, row != 200 && row != 300 ? "%zu.5" : "oops", row % 100);
}

static void text_after_the_window(struct buf *out, size_t row)
{
    buf_format(out, row < TABLE_INFERENCE_ROWS + 2000 ? "%zu.5" : "gold", row % 100);
}

static void number_columns_that_turn_into_text(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*cell)(struct buf *out, size_t row);
        size_t rows;
        const char *message; /* of the error, or of the first warning */
        int outcome;
    } cases[] = {
        { "5 % bad", number_or_text_from_950, 1000,
          "h.csv line 952, a: \"level 50\" is not a number (50 of 1000 rows are bad, at most 1 % "
          "are tolerated)",
          -1 },
        { "tolerated", number_or_text_twice, 1000,
          "h.csv: 2 of 1000 rows are bad and left out; the first: line 202, a: \"oops\" is not a "
          "number",
          0 },
        { "behind the rows that types are inferred from", text_after_the_window,
          TABLE_INFERENCE_ROWS + 2200,
          "h.csv line 12002, a: \"gold\" is not a number (200 of 12200 rows are bad, at most 1 % "
          "are tolerated)",
          -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf file;
        auto_table struct table table = { 0 };
        struct err err = { 0 };
        generate(&file, "a", cases[i].rows, cases[i].cell);
        assert_int_equal(read_text((struct span){ file.data, file.length }, &plain, &table, &err),
                         cases[i].outcome);
        check_text(cases[i].outcome ? err.message : table.warnings[0], cases[i].message,
                   cases[i].name);
    }
}

static void mostly_text(struct buf *out, size_t row)
{
    buf_format(out, row % 5 ? "%zu" : "none", row % 7);
}

static void overrides_win(void **state)
{
    (void)state;
    static const struct type_override override = { "a", VALUE_CATEGORICAL };
    struct table_options options = plain;
    auto_buf struct buf file;
    struct err err = { 0 };

    generate(&file, "a", 1000, number_or_text_from_950);
    options.overrides = &override;
    options.override_count = 1;
    auto_table struct table table = { 0 };
    assert_int_equal(read_text((struct span){ file.data, file.length }, &options, &table, &err), 0);
    assert_int_equal(table_column(&table, "a")->type, VALUE_CATEGORICAL);

    auto_buf struct buf labels;
    auto_table struct table inferred = { 0 };
    generate(&labels, "a", 1000, mostly_text);
    assert_int_equal(
        read_text((struct span){ labels.data, labels.length }, &plain, &inferred, &err), 0);
    assert_int_equal(table_column(&inferred, "a")->type, VALUE_CATEGORICAL);
}

static void all_kinds(struct buf *out, size_t row)
{
    /* constant, blank, numbering, own text, dates, number with ties, drop */
    buf_format(out, "7,,%zu,n%zu,2026-01-%02zu,%zu,x", row, row, row % 28 + 1, row % 10);
}

static void useless_columns_are_left_out(void **state)
{
    (void)state;
    static const char *const left_out[] = { "same", "blank", "RowNumber", "Name", "Since" };
    const char *drop = "z";
    struct table_options options = plain;
    auto_buf struct buf file;
    auto_table struct table table = { 0 };
    struct err err = { 0 };

    options.drop = (struct strings){ &drop, 1 };
    generate(&file, "same,blank,RowNumber,Name,Since,Age,z", 1000, all_kinds);
    assert_int_equal(read_text((struct span){ file.data, file.length }, &options, &table, &err), 0);
    assert_int_equal(table.warning_count, ARRAY_SIZE(left_out));
    for (size_t i = 0; i < ARRAY_SIZE(left_out); i++) {
        assert_int_equal(table_column(&table, left_out[i])->role, ROLE_LEFT_OUT);
        assert_non_null(strstr(table.warnings[i], left_out[i]));
    }
    assert_string_equal(table_column(&table, "same")->why, "it has one value only");
    assert_string_equal(table_column(&table, "blank")->why, "it has no values");
    assert_int_equal(table_column(&table, "Age")->role, ROLE_FEATURE);
    assert_int_equal(table_column(&table, "z")->role, ROLE_DROPPED);
}

static void duplicates_share_a_key(void **state)
{
    (void)state;
    static const char file[] = "id,a,b,y\np,1,x,1\nq,2,x,0\nr,1,x,1\ns,1,x,0\n";
    auto_table struct table table = { 0 };
    struct err err;

    assert_int_equal(read_text(span_of(file), &plain, &table, &err), 0);
    assert_true(table.row_keys[0] == table.row_keys[2]);
    assert_true(table.row_keys[0] != table.row_keys[1]);
    assert_true(table.row_keys[0] != table.row_keys[3]);
}

/* Row numbers that nobody dropped do not make copies different. */
static void left_out_columns_are_not_part_of_keys(void **state)
{
    (void)state;
    auto_buf struct buf file;
    auto_table struct table table = { 0 };
    struct err err;

    buf_init(&file, 1 * MIB);
    buf_string(&file, "id,RowNumber,a,y\n");
    for (size_t i = 0; i < 200; i++)
        buf_format(&file, "c%zu,%zu,%zu.%s,%d\n", i, i, i % 100, i < 100 ? "5" : "50", i % 2 == 0);
    assert_int_equal(read_text((struct span){ file.data, file.length }, &plain, &table, &err), 0);
    assert_int_equal(table_column(&table, "RowNumber")->role, ROLE_LEFT_OUT);
    assert_true(table.row_keys[3] == table.row_keys[103]);
    assert_true(table.row_keys[3] != table.row_keys[4]);
}

static void dates_stay_when_the_user_says_so(void **state)
{
    (void)state;
    static const struct type_override override = { "Since", VALUE_CATEGORICAL };
    struct table_options options = plain;
    auto_buf struct buf file;
    auto_table struct table table = { 0 };
    struct err err;

    options.overrides = &override;
    options.override_count = 1;
    generate(&file, "same,blank,RowNumber,Name,Since,Age,z", 1000, all_kinds);
    assert_int_equal(read_text((struct span){ file.data, file.length }, &options, &table, &err), 0);
    assert_int_equal(table_column(&table, "Since")->role, ROLE_FEATURE);
}

static void what_is_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *cell;
        bool is_date;
    } cases[] = {
        { "2026-11-27", true },
        { " 27.11.2026 ", true },
        { "11/27/2026", true },
        { "2026-1-2", true },
        { "2026/11/27", true },
        { "2026-11-27T10:00:00Z", true },
        { "2026-11-27 10:00", true },
        { "2026-11", false },
        { "2026-11/27", false },
        { "1.2.3", false },
        { "192.168.1.2", false },
        { "2026-11-27x", false },
        { "2026-32-01", false },
        { "12345-11-27", false },
        { "$60K - $80K", false },
        { "", false },
        { "-", false },
        { "2026-11-27T", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (cell_is_date(span_of(cases[i].cell)) != cases[i].is_date)
            fail_msg("%s", cases[i].cell);
}

static void rows_without_ids_have_line_numbers(void **state)
{
    (void)state;
    struct table_options options = plain;
    auto_table struct table table = { 0 };
    struct err err;

    options.id = NULL;
    assert_int_equal(read_text(span_of("a,y\n1,0\n\n2,1\n"), &options, &table, &err), 0);
    assert_string_equal(table_id(&table, 0), "2");
    assert_string_equal(table_id(&table, 1), "4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_get_types_and_values),
        cmocka_unit_test(unusable_files_are_refused),
        cmocka_unit_test(number_columns_that_turn_into_text),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(useless_columns_are_left_out),
        cmocka_unit_test(duplicates_share_a_key),
        cmocka_unit_test(left_out_columns_are_not_part_of_keys),
        cmocka_unit_test(dates_stay_when_the_user_says_so),
        cmocka_unit_test(what_is_a_date),
        cmocka_unit_test(rows_without_ids_have_line_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
