/* Whether two structs of one table say the same, without a JSON tree of either. */
#include "base/fields.h"

static bool texts_are_equal(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

static bool strings_are_equal(const struct strings *left, const struct strings *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (!texts_are_equal(left->items[i], right->items[i]))
            return false;
    return true;
}

static bool doubles_are_equal(const struct doubles *left, const struct doubles *right)
{
    return left->count == right->count &&
           (left->count == 0 ||
            memcmp(left->items, right->items, left->count * sizeof(*left->items)) == 0);
}

static bool pairs_are_equal(const struct pairs *left, const struct pairs *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (!texts_are_equal(left->items[i].name, right->items[i].name) ||
            !texts_are_equal(left->items[i].value, right->items[i].value))
            return false;
    return true;
}

static bool lists_are_equal(const struct list *left, const struct list *right,
                            const struct fields *table)
{
    if (left->count != right->count || left->items == right->items)
        return left->count == right->count;
    for (size_t i = 0; i < left->count; i++)
        if (!fields_equal(table, (const char *)left->items + i * table->size,
                          (const char *)right->items + i * table->size))
            return false;
    return true;
}

static bool trees_are_equal(const json_t *left, const json_t *right)
{
    return left == right || (left && right && json_equal(left, right));
}

static bool members_are_equal(const struct field *field, const void *left, const void *right)
{
    const struct opt_int *left_int = left, *right_int = right;
    const struct opt_bool *left_bool = left, *right_bool = right;
    const void *left_object, *right_object;

    switch (field->kind) {
    case FIELD_STRING:
        return texts_are_equal(*(const char *const *)left, *(const char *const *)right);
    case FIELD_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case FIELD_INT:
    case FIELD_DURATION:
    case FIELD_TIME:
        return *(const int64_t *)left == *(const int64_t *)right;
    case FIELD_OPT_INT:
        return left_int->set == right_int->set && left_int->value == right_int->value;
    case FIELD_OPT_BOOL:
        return left_bool->set == right_bool->set && left_bool->value == right_bool->value;
    case FIELD_NUMBER:
        return texts_are_equal(((const struct decimal *)left)->text,
                               ((const struct decimal *)right)->text);
    case FIELD_DOUBLE:
        return memcmp(left, right, sizeof(double)) == 0;
    case FIELD_DOUBLES:
        return doubles_are_equal(left, right);
    case FIELD_ENUM:
        return *(const int *)left == *(const int *)right;
    case FIELD_STRINGS:
        return strings_are_equal(left, right);
    case FIELD_MAP:
        return pairs_are_equal(left, right);
    case FIELD_OBJECT:
        left_object = *(const void *const *)left;
        right_object = *(const void *const *)right;
        return left_object == right_object ||
               (left_object && right_object &&
                fields_equal(field->table, left_object, right_object));
    case FIELD_OBJECTS:
        return lists_are_equal(left, right, field->table);
    case FIELD_JSON:
        return trees_are_equal(*(const json_t *const *)left, *(const json_t *const *)right);
    }
    return false;
}

bool fields_equal(const struct fields *table, const void *left, const void *right)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t offset = table->items[i].offset;

        if (!members_are_equal(&table->items[i], (const char *)left + offset,
                               (const char *)right + offset))
            return false;
    }
    return true;
}
