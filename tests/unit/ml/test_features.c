/* Goal: scoring sees exactly what training saw, and no row sees its own label.
 * Method: a small table encoded from the table, from CSV records and after a
 * round trip through JSON; shares of many levels against their definition. */
#include "check.h"
#include "text_source.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "ml/features.h"

static const struct table_options options = { .target = "y", .positive_label = "1", .id = "id" };

static void read_table(struct span file, struct table *ret_table)
{
    struct text_source text = { file, 0 };
    struct byte_source source = text_source(&text);
    struct err err = { 0 };

    if (table_read("h.csv", &source, &options, ret_table, &err))
        fail_msg("%s", err.message);
}

static uint32_t *all_rows(const struct table *table)
{
    uint32_t *rows = mem_zero(table->row_count, sizeof(*rows));
    for (size_t i = 0; i < table->row_count; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

/* 60 rows: Rome 30, Oslo 20, blank 8, and two cities of one row each. */
static void write_history(struct buf *out)
{
    buf_init(out, 64 * KIB);
    buf_string(out, "id,age,city,member,y\n");
    for (int i = 0; i < 60; i++)
        buf_format(out, "c%d,%d,%s,%s,%d\n", i, 20 + i % 40,
                   i < 30    ? "Rome"
                   : i < 50  ? "Oslo"
                   : i < 58  ? ""
                   : i == 58 ? "Bonn"
                             : "Bern",
                   i % 2 ? "yes" : "no", i % 3 == 0);
}

static void fit(const struct table *table, struct features *ret_features)
{
    auto_free uint32_t *rows = all_rows(table);
    struct err err;
    assert_int_equal(features_fit(table, rows, table->row_count, ret_features, &err), 0);
}

static void levels_become_features(void **state)
{
    (void)state;
    static const char *const names[] = { "age",          "city=Rome", "city=Oslo", "city=(missing)",
                                         "city=(other)", "member" };
    auto_buf struct buf history;
    auto_table struct table table = { 0 };
    auto_features struct features features = { 0 };

    write_history(&history);
    read_table((struct span){ history.data, history.length }, &table);
    fit(&table, &features);
    assert_int_equal(features.count, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        check_text(features.items[i].name, names[i], "feature");
    assert_string_equal(features.sources[features.items[4].source].name, "city");
}

/* One weekly row to floats as "20 1 0 0 0 1", or the fault. */
static void encode_weekly(const struct features *features, const char *file, struct buf *out,
                          uint64_t *unseen)
{
    struct text_source text = { span_of(file), 0 };
    struct byte_source source = text_source(&text);
    struct err err = { 0 };
    auto_csv_reader struct csv_reader *reader = csv_reader_new("w.csv", &source, &err);
    auto_free size_t *cells = NULL;
    struct csv_record record;
    struct row_fault fault;
    enum csv_outcome outcome;
    double values[8];
    float row[64];

    if (features_match(features, reader, &cells, &err)) {
        buf_string(out, err.message);
        return;
    }
    assert_int_equal(csv_read(reader, &outcome, &record, &fault, &err), 0);
    assert_int_equal(outcome, CSV_RECORD);
    if (!features_decode(features, cells, &record, values, &fault, unseen)) {
        buf_format(out, "line %d, %s: %s", (int)fault.line, fault.column, fault.why);
        return;
    }
    features_encode(features, values, row);
    for (size_t i = 0; i < features->count; i++)
        buf_format(out, "%s%g", i ? " " : "", (double)row[i]);
}

static void weekly_rows_are_matched_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file, *expected;
        unsigned unseen;
    } cases[] = {
        { "other order, more columns", "new,member,city,age\n?,yes,Oslo,33\n", "33 0 1 0 0 1", 0 },
        { "blank", "age,city,member\n, ,no\n", "nan 0 0 1 0 0", 0 },
        { "rare level", "age,city,member\n1,Bonn,no\n", "1 0 0 0 1 0", 0 },
        { "never seen", "age,city,member\n1,Paris,no\n", "1 0 0 0 1 0", 0 },
        { "missing column", "age,town,member\n1,Rome,no\n",
          "w.csv has no column city (its header: age, town, member)", 0 },
        { "text for a number", "age,city,member\nold,Rome,no\n",
          "line 2, age: \"old\" is not a number", 0 },
        { "text for a boolean", "age,city,member\n1,Rome,maybe\n",
          "line 2, member: \"maybe\" is not a boolean", 0 },
    };
    auto_buf struct buf history;
    auto_table struct table table = { 0 };
    auto_features struct features features = { 0 };

    write_history(&history);
    read_table((struct span){ history.data, history.length }, &table);
    fit(&table, &features);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_buf struct buf found;
        uint64_t unseen = 0;
        buf_init(&found, 4096);
        encode_weekly(&features, cases[i].file, &found, &unseen);
        check_text(buf_text(&found), cases[i].expected, cases[i].name);
    }
}

static void never_seen_levels_are_counted(void **state)
{
    (void)state;
    auto_table struct table table = { 0 };
    auto_features struct features features = { 0 };
    auto_buf struct buf history, found;
    uint64_t unseen = 0;

    buf_init(&history, 4096);
    buf_init(&found, 4096);
    buf_string(&history, "id,city,y\n");
    for (int i = 0; i < 40; i++)
        buf_format(&history, "%d,%s,%d\n", i, i % 2 ? "Rome" : "Oslo", i % 3 == 0);
    read_table((struct span){ history.data, history.length }, &table);
    fit(&table, &features);
    encode_weekly(&features, "city\nParis\n", &found, &unseen);
    assert_string_equal(buf_text(&found), "0 0");
    assert_int_equal(unseen, 1);
}

/* 2000 rows over 100 zips; the label depends on chance only. */
static void write_zips(struct buf *out)
{
    uint32_t number = 5;

    buf_init(out, 256 * KIB);
    buf_string(out, "id,zip,y\n");
    for (int i = 0; i < 2000; i++) {
        number = number * 1664525u + 1013904223u;
        buf_format(out, "c%d,Z%u,%u\n", i, (number >> 8) % 100, number >> 31);
    }
}

static void shares_do_not_tell_the_label(void **state)
{
    (void)state;
    auto_buf struct buf history;
    auto_table struct table table = { 0 };
    auto_features struct features features = { 0 };
    struct err err;

    write_zips(&history);
    read_table((struct span){ history.data, history.length }, &table);
    fit(&table, &features);
    assert_int_equal(features.sources[0].levels.count, 100);
    assert_int_equal(features.count, FEATURES_LEVELS + 2);

    auto_free uint32_t *rows = all_rows(&table);
    auto_free float *inner = mem_zero(table.row_count * features.count, sizeof(*inner));
    auto_free float *full = mem_zero(table.row_count * features.count, sizeof(*full));
    assert_int_equal(features_encode_rows(&features, &table, rows, table.row_count,
                                          FEATURES_TRAINING, inner, &err),
                     0);
    assert_int_equal(features_encode_rows(&features, &table, rows, table.row_count,
                                          FEATURES_SCORING, full, &err),
                     0);
    /* in pieces as at once */
    auto_row_encoder struct row_encoder *encoder =
        row_encoder_new(&features, &table, rows, table.row_count, FEATURES_TRAINING, &err);
    auto_free float *piece = mem_zero(7 * features.count, sizeof(*piece));
    for (size_t first = 0; first + 7 <= table.row_count; first += 7) {
        row_encoder_encode(encoder, first, 7, piece);
        assert_memory_equal(piece, inner + first * features.count,
                            7 * features.count * sizeof(*piece));
    }
    /* Mean share of positive rows minus that of negative ones. */
    double inner_gap = 0, full_gap = 0;
    size_t share = features.count - 1;
    for (size_t i = 0; i < table.row_count; i++) {
        double weight = table.labels[i] ? 1.0 / (double)table.positives
                                        : -1.0 / (double)(table.row_count - table.positives);
        inner_gap += weight * (double)inner[i * features.count + share];
        full_gap += weight * (double)full[i * features.count + share];
    }
    assert_true(full_gap > 0.01); /* the leak that the inner folds close */
    assert_true(inner_gap < 0.005);
}

static void json_keeps_everything(void **state)
{
    (void)state;
    void (*const histories[])(struct buf *) = { write_history, write_zips };

    for (size_t i = 0; i < ARRAY_SIZE(histories); i++) {
        auto_buf struct buf history;
        auto_table struct table table = { 0 };
        auto_features struct features features = { 0 }, again = { 0 };
        struct err err;
        histories[i](&history);
        read_table((struct span){ history.data, history.length }, &table);
        fit(&table, &features);
        auto_json json_t *json = features_to_json(&features);
        if (features_from_json(json, &again, &err))
            fail_msg("%s", err.message);
        auto_json json_t *json_again = features_to_json(&again);
        assert_true(json_equal(json, json_again));
        auto_free uint32_t *rows = all_rows(&table);
        size_t bytes = table.row_count * features.count * sizeof(float);
        auto_free float *first = mem_zero(1, bytes), *second = mem_zero(1, bytes);
        assert_int_equal(features_encode_rows(&features, &table, rows, table.row_count,
                                              FEATURES_SCORING, first, &err),
                         0);
        assert_int_equal(features_encode_rows(&again, &table, rows, table.row_count,
                                              FEATURES_SCORING, second, &err),
                         0);
        assert_memory_equal(first, second, bytes);
    }
}

static void damaged_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *part; /* of the message */
    } cases[] = {
        { "{}", "features.sources" },
        { "{\"sources\":[]}", "features.sources" },
        { "{\"sources\":[{\"name\":\"a\",\"type\":\"Text\"}]}", "features.sources[0].type" },
        { "{\"sources\":[{\"name\":\"a\",\"type\":\"Numeric\",\"hot\":1}]}", "levels" },
        { "{\"sources\":[{\"name\":\"a\",\"type\":\"Categorical\",\"levels\":[\"x\"],\"hot\":2}]}",
          "hot" },
        { "{\"sources\":[{\"name\":\"a\",\"type\":\"Categorical\",\"levels\":[\"x\",\"x\"]}]}",
          "twice" },
        { "{\"sources\":[{\"name\":\"a\",\"type\":\"Categorical\",\"levels\":[\"x\"],\"shares\":"
          "[0.5]}]}",
          "shares" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = { 0 };
        struct features features;
        auto_json json_t *json = jx_parse(span_of(cases[i].json), 4096, "case", &err);
        assert_int_equal(features_from_json(json, &features, &err), -1);
        if (!strstr(err.message, cases[i].part))
            fail_msg("%s: %s", cases[i].json, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_become_features),
        cmocka_unit_test(weekly_rows_are_matched_by_name),
        cmocka_unit_test(never_seen_levels_are_counted),
        cmocka_unit_test(shares_do_not_tell_the_label),
        cmocka_unit_test(json_keeps_everything),
        cmocka_unit_test(damaged_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
