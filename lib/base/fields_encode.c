/* The way from a struct back to JSON; fields.c is the way there. */
#include "base/fields.h"

#include "base/num.h"
#include "base/utf8.h"

/* jansson refuses text that is no UTF-8; file names and foreign messages may
 * be anything. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);

    if (value)
        return value;
    auto_free char *mended = mem_strdup(text);

    utf8_mend(mended, strlen(mended));
    return json_string(mended);
}

static json_t *duration_value(int64_t duration_ms)
{
    char text[NUM_DURATION_TEXT];

    num_format_duration(duration_ms, text);
    return json_string(text);
}

static json_t *time_value(int64_t unix_ms)
{
    char text[NUM_TIME_TEXT];

    num_format_time(unix_ms, text);
    return json_string(text);
}

static json_t *strings_value(const struct strings *strings)
{
    json_t *array = json_array();

    for (size_t i = 0; i < strings->count; i++)
        json_array_append_new(array, text_value(strings->items[i]));
    return array;
}

static json_t *doubles_value(const struct doubles *doubles)
{
    json_t *array = json_array();

    for (size_t i = 0; i < doubles->count; i++)
        json_array_append_new(array, json_real(doubles->items[i]));
    return array;
}

static json_t *map_value(const struct pairs *pairs)
{
    json_t *object = json_object();

    for (size_t i = 0; i < pairs->count; i++)
        json_object_set_new(object, pairs->items[i].name, text_value(pairs->items[i].value));
    return object;
}

static json_t *objects_value(const struct list *list, const struct fields *table)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, fields_encode(table, (char *)list->items + i * table->size));
    return array;
}

/* A member as JSON, new reference; NULL when there is nothing to write. */
static json_t *member_value(const struct field *field, const void *member)
{
    const struct decimal *decimal = member;
    const struct opt_int *opt_int = member;
    const struct opt_bool *opt_bool = member;

    switch (field->kind) {
    case FIELD_STRING:
        return *(const char *const *)member ? text_value(*(const char *const *)member) : NULL;
    case FIELD_BOOL:
        return json_boolean(*(const bool *)member);
    case FIELD_INT:
        return json_integer(*(const int64_t *)member);
    case FIELD_OPT_INT:
        return opt_int->set ? json_integer(opt_int->value) : NULL;
    case FIELD_OPT_BOOL:
        return opt_bool->set ? json_boolean(opt_bool->value) : NULL;
    case FIELD_NUMBER:
        return text_value(decimal->text ? decimal->text : "");
    case FIELD_DOUBLE:
        return json_real(*(const double *)member);
    case FIELD_DOUBLES:
        return doubles_value(member);
    case FIELD_DURATION:
        return duration_value(*(const int64_t *)member);
    case FIELD_TIME:
        return *(const int64_t *)member != 0 ? time_value(*(const int64_t *)member) : NULL;
    case FIELD_ENUM:
        return *(const int *)member >= 0 ? text_value(field->names[*(const int *)member]) : NULL;
    case FIELD_STRINGS:
        return strings_value(member);
    case FIELD_MAP:
        return map_value(member);
    case FIELD_OBJECT:
        return *(void *const *)member ? fields_encode(field->table, *(void *const *)member) : NULL;
    case FIELD_OBJECTS:
        return objects_value(member, field->table);
    case FIELD_JSON:
        return json_incref(*(json_t *const *)member);
    }
    return NULL;
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* Whether a reader puts the same in place when the member is missing. */
static bool is_default(const struct field *field, const void *member, const void *fallback,
                       const json_t *value)
{
    const char *text = json_string_value(value), *fallback_text;

    switch (field->kind) {
    case FIELD_STRING:
        fallback_text = *(const char *const *)fallback;
        return fallback_text && strcmp(text, fallback_text) == 0;
    case FIELD_BOOL:
        return *(const bool *)member == *(const bool *)fallback;
    case FIELD_INT:
    case FIELD_DURATION:
        return *(const int64_t *)member == *(const int64_t *)fallback;
    case FIELD_ENUM:
        return *(const int *)member == *(const int *)fallback;
    case FIELD_DOUBLE:
        return memcmp(member, fallback, sizeof(double)) == 0;
    case FIELD_NUMBER:
        fallback_text = ((const struct decimal *)fallback)->text;
        return strcmp(text, fallback_text ? fallback_text : "") == 0;
    case FIELD_DOUBLES:
    case FIELD_STRINGS:
    case FIELD_MAP:
    case FIELD_OBJECTS:
        return is_empty(value);
    case FIELD_OBJECT:
        return (field->flags & FIELD_ALWAYS) && is_empty(value);
    default:
        return false;
    }
}

json_t *fields_encode(const struct fields *table, const void *value)
{
    auto_arena struct arena arena = { 0 };
    json_t *object = json_object();
    void *defaults = arena_zero(&arena, 1, table->size);

    fields_defaults(table, &arena, defaults);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        const void *member = (const char *)value + field->offset;
        const void *fallback = (const char *)defaults + field->offset;
        auto_json json_t *json = member_value(field, member);

        if (!json)
            continue;
        if (!(field->flags & (FIELD_KEEP | FIELD_REQUIRED)) &&
            is_default(field, member, fallback, json))
            continue;
        json_object_set(object, field->name, json);
    }
    return object;
}
