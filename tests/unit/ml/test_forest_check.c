/* Goal: bytes that libxgboost would follow out of its memory never reach it.
 * Method: a real model, cut at every byte and damaged at one place per case: the
 * place is found by the name of its member. */
#include "check.h"

#include "base/mem.h"
#include "ml/boost.h"
#include "ml/forest_check.h"

#define ROWS    100
#define COLUMNS 3

static char *bytes;
static size_t size;

static int train(void **state)
{
    (void)state;
    static float values[ROWS * COLUMNS];
    static uint8_t labels[ROWS];
    const struct boost_options options = {
        .max_depth = 2, .min_child_weight = 0, .learning_rate = 0.3, .lambda = 1
    };
    struct err err;
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = (float)(i * 37 % 101);
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = values[i * COLUMNS] + values[i * COLUMNS + 1] > 100;
    auto_booster struct booster *booster =
        booster_train(&options, rows_of((struct matrix){ values, ROWS, COLUMNS }), labels, 3, &err);
    return booster == NULL ? -1 : booster_save(booster, &bytes, &size, &err);
}

static int release(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

static void a_real_model_is_sound(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(forest_check((struct span){ bytes, size }, COLUMNS, &err), 0);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t length = 0; length < size; length++) {
        auto_free char *copy = mem_alloc(length); /* no longer, for the sanitizer */
        memcpy(copy, bytes, length);
        struct err err;
        if (forest_check((struct span){ copy, length }, COLUMNS, &err) == 0)
            fail_msg("%zu of %zu bytes were taken for a model", length, size);
        assert_string_equal(err.reason, "DataInvalid");
    }
}

/* The offset behind the first `member`. */
static size_t behind(const char *text, size_t length, const char *member)
{
    const char *found = memmem(text, length, member, strlen(member));
    assert_non_null(found);
    return (size_t)(found - text) + strlen(member);
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    /* A typed array begins with "[$l#L" and eight bytes of length. */
    const struct {
        const char *name, *member;
        size_t offset;
        const char *value;
        size_t length;
        const char *message;
    } cases[] = {
        { "child of itself", "left_children", 13, "\0\0\0\0", 4, "a child that cannot be one" },
        { "child beyond the nodes", "left_children", 13, "\0\0\0\x7f", 4,
          "a child that cannot be one" },
        { "child with two parents", "right_children", 13, "\0\0\0\x01", 4,
          "a child that cannot be one" },
        { "one child only", "left_children", 13, "\xff\xff\xff\xff", 4,
          "a child that cannot be one" },
        { "feature beyond the columns", "split_indices", 13, "\0\0\0\x03", 4,
          "a split that cannot be one" },
        { "negative feature", "split_indices", 13, "\xff\xff\xff\xff", 4,
          "a split that cannot be one" },
        { "parent that knows nothing of its child", "parents", 17, "\0\0\0\x02", 4,
          "a child that cannot be one" },
        { "array under another name", "loss_chang", 0, "Xs", 2, "an array of another kind" },
        { "split by category", "split_type", 13, "\x01", 1, "a split that cannot be one" },
        { "array beyond the end", "left_children", 5, "\x7f", 1, "numbers beyond the end" },
        { "negative length", "left_children", 5, "\xff", 1, "no length" },
        { "children of another type", "left_children", 2, "d", 1, "not all of a tree" },
        { "other number of nodes", "num_nodes", 10, "9", 1, "not all of a tree" },
        { "another tree number", "id", 1, "\x05", 1, "not all of a tree" },
        { "other number of trees", "num_trees", 10, "7", 1, "not as many trees as announced" },
        { "tree of another class", "tree_info", 12, "\x01", 1, "a tree of another class" },
        { "more trees than there are", "trees[#L", 0, "\0\0\0\0\0\0\0\x04", 8, "unexpected byte" },
        { "another kind of model", "nameSL", 8, "d", 1, "a model of another kind" },
        { "unknown type", "version", 0, "x", 1, "unexpected byte" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        auto_free char *copy = mem_alloc(size);
        memcpy(copy, bytes, size);
        size_t offset = behind(copy, size, cases[i].member) + cases[i].offset;
        memcpy(copy + offset, cases[i].value, cases[i].length);
        struct err err = { 0 };
        if (forest_check((struct span){ copy, size }, COLUMNS, &err) == 0 ||
            strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].name, err.message);
    }
}

static void features_must_agree(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(forest_check((struct span){ bytes, size }, COLUMNS + 1, &err), -1);
    assert_string_equal(err.message, "the trees take 3 features, not 4");
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct err err;
    auto_free char *nested = mem_alloc(10000 * 11);
    for (size_t i = 0; i < 10000; i++)
        memcpy(nested + i * 11, "{L\0\0\0\0\0\0\0\1a", 11);
    assert_int_equal(forest_check((struct span){ nested, 10000 * 11 }, COLUMNS, &err), -1);
    assert_non_null(strstr(err.message, "too many levels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_model_is_sound),      cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(damaged_models_are_refused), cmocka_unit_test(features_must_agree),
        cmocka_unit_test(deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, train, release);
}
