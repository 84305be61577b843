/* quick_json.c - values: see quick_json.h. */
#include "sim/quick_json.h"

#include <string.h>

#include "base/utf8.h"

#define FEW 4 /* items that an array has room for at first */

static json_t *value_new(json_type type, size_t size)
{
    json_t *value = mem_alloc(size);

    value->type = type;
    value->refcount = 1;
    return value;
}

/* base/json.c sets ours, and ours are used here in any case. */
void json_set_alloc_funcs(json_malloc_t allocate, json_free_t release)
{
    (void)allocate;
    (void)release;
}

/* --- scalars -------------------------------------------------------------------------------- */

json_t *json_true(void)
{
    static json_t value = { JSON_TRUE, SIZE_MAX };

    return &value;
}

json_t *json_false(void)
{
    static json_t value = { JSON_FALSE, SIZE_MAX };

    return &value;
}

json_t *json_null(void)
{
    static json_t value = { JSON_NULL, SIZE_MAX };

    return &value;
}

json_t *json_integer(json_int_t number)
{
    struct quick_integer *integer =
        (struct quick_integer *)value_new(JSON_INTEGER, sizeof(*integer));

    integer->value = number;
    return &integer->base;
}

json_t *json_real(double number)
{
    struct quick_real *real = (struct quick_real *)value_new(JSON_REAL, sizeof(*real));

    real->value = number;
    return &real->base;
}

json_int_t json_integer_value(const json_t *value)
{
    return json_is_integer(value) ? ((const struct quick_integer *)value)->value : 0;
}

double json_number_value(const json_t *value)
{
    return json_is_real(value) ? ((const struct quick_real *)value)->value
                               : (double)json_integer_value(value);
}

json_t *json_stringn_nocheck(const char *text, size_t length)
{
    struct quick_string *string =
        (struct quick_string *)value_new(JSON_STRING, sizeof(*string) + length + 1);

    string->length = length;
    memcpy(string->text, text, length);
    string->text[length] = '\0';
    return &string->base;
}

json_t *json_stringn(const char *text, size_t length)
{
    if (!text || utf8_valid_prefix(text, length) != length)
        return NULL;
    return json_stringn_nocheck(text, length);
}

json_t *json_string(const char *text)
{
    return text ? json_stringn(text, strlen(text)) : NULL;
}

const char *json_string_value(const json_t *value)
{
    return json_is_string(value) ? as_string(value)->text : NULL;
}

size_t json_string_length(const json_t *value)
{
    return json_is_string(value) ? as_string(value)->length : 0;
}

/* --- arrays --------------------------------------------------------------------------------- */

json_t *json_array(void)
{
    struct quick_array *array = (struct quick_array *)value_new(JSON_ARRAY, sizeof(*array));

    array->items = NULL;
    array->count = array->room = 0;
    return &array->base;
}

size_t json_array_size(const json_t *value)
{
    return json_is_array(value) ? as_array(value)->count : 0;
}

json_t *json_array_get(const json_t *value, size_t index)
{
    return index < json_array_size(value) ? as_array(value)->items[index] : NULL;
}

int json_array_append_new(json_t *value, json_t *take_item)
{
    struct quick_array *array = as_array(value);

    if (!json_is_array(value) || !take_item) {
        json_decref(take_item);
        return -1;
    }
    if (array->count == array->room) {
        array->room = array->room > 0 ? 2 * array->room : FEW;
        array->items = mem_resize(array->items, array->room, sizeof(*array->items));
    }
    array->items[array->count++] = take_item;
    return 0;
}

int json_array_extend(json_t *value, json_t *other)
{
    if (!json_is_array(value) || !json_is_array(other))
        return -1;
    for (size_t i = 0, count = as_array(other)->count; i < count; i++)
        json_array_append(value, as_array(other)->items[i]);
    return 0;
}

int json_array_remove(json_t *value, size_t index)
{
    struct quick_array *array = as_array(value);

    if (index >= json_array_size(value))
        return -1;
    json_decref(array->items[index]);
    memmove(&array->items[index], &array->items[index + 1],
            (--array->count - index) * sizeof(*array->items));
    return 0;
}

int json_array_clear(json_t *value)
{
    while (json_array_size(value) > 0)
        json_decref(as_array(value)->items[--as_array(value)->count]);
    return json_is_array(value) ? 0 : -1;
}

/* --- objects -------------------------------------------------------------------------------- */

json_t *json_object(void)
{
    struct quick_object *object = (struct quick_object *)value_new(JSON_OBJECT, sizeof(*object));

    object->first = object->last = NULL;
    object->count = 0;
    return &object->base;
}

size_t json_object_size(const json_t *value)
{
    return json_is_object(value) ? as_object(value)->count : 0;
}

struct quick_member *object_find(const struct quick_object *object, const char *key, size_t length)
{
    struct quick_member *member = object->first;

    while (member && (member->length != length || memcmp(member->key, key, length) != 0))
        member = member->next;
    return member;
}

struct quick_member *object_append(struct quick_object *object, const char *key, size_t length,
                                   json_t *take_value)
{
    struct quick_member *member = mem_alloc(sizeof(*member) + length + 1);

    member->next = NULL;
    member->value = take_value;
    member->length = length;
    memcpy(member->key, key, length);
    member->key[length] = '\0';
    *(object->last ? &object->last->next : &object->first) = member;
    object->last = member;
    object->count++;
    return member;
}

json_t *json_object_getn(const json_t *value, const char *key, size_t length)
{
    const struct quick_member *member =
        json_is_object(value) && key ? object_find(as_object(value), key, length) : NULL;

    return member ? member->value : NULL;
}

json_t *json_object_get(const json_t *value, const char *key)
{
    return key ? json_object_getn(value, key, strlen(key)) : NULL;
}

int json_object_setn_new_nocheck(json_t *value, const char *key, size_t length, json_t *take_item)
{
    struct quick_member *member;

    if (!json_is_object(value) || !key || !take_item || value == take_item) {
        json_decref(take_item);
        return -1;
    }
    member = object_find(as_object(value), key, length);
    if (!member) {
        object_append(as_object(value), key, length, take_item);
        return 0;
    }
    json_decref(member->value);
    member->value = take_item;
    return 0;
}

int json_object_set_new(json_t *value, const char *key, json_t *take_item)
{
    size_t length = key ? strlen(key) : 0;

    if (!key || utf8_valid_prefix(key, length) != length) {
        json_decref(take_item);
        return -1;
    }
    return json_object_setn_new_nocheck(value, key, length, take_item);
}

/* The one after `previous`, NULL: the first. */
static void remove_member(struct quick_object *object, struct quick_member *previous)
{
    struct quick_member **place = previous ? &previous->next : &object->first;
    struct quick_member *member = *place;

    *place = member->next;
    if (object->last == member)
        object->last = previous;
    object->count--;
    json_decref(member->value);
    free(member);
}

int json_object_del(json_t *value, const char *key)
{
    struct quick_member *previous = NULL, *member;

    if (!json_is_object(value) || !key)
        return -1;
    for (member = as_object(value)->first; member; previous = member, member = member->next) {
        if (strcmp(member->key, key) != 0)
            continue;
        remove_member(as_object(value), previous);
        return 0;
    }
    return -1;
}

int json_object_clear(json_t *value)
{
    while (json_object_size(value) > 0)
        remove_member(as_object(value), NULL);
    return json_is_object(value) ? 0 : -1;
}

int json_object_update(json_t *value, json_t *other)
{
    const char *key;
    json_t *item;

    if (!json_is_object(value) || !json_is_object(other))
        return -1;
    json_object_foreach(other, key, item) json_object_set(value, key, item);
    return 0;
}

void *json_object_iter(json_t *value)
{
    return json_is_object(value) ? as_object(value)->first : NULL;
}

void *json_object_iter_next(json_t *value, void *member)
{
    (void)value;
    return member ? ((struct quick_member *)member)->next : NULL;
}

const char *json_object_iter_key(void *member)
{
    return member ? ((struct quick_member *)member)->key : NULL;
}

json_t *json_object_iter_value(void *member)
{
    return member ? ((struct quick_member *)member)->value : NULL;
}

void *json_object_key_to_iter(const char *key)
{
    return key ? (char *)(uintptr_t)key - offsetof(struct quick_member, key) : NULL;
}

/* --- all kinds ------------------------------------------------------------------------------ */

void json_delete(json_t *value)
{
    if (json_is_object(value)) {
        for (struct quick_member *member = as_object(value)->first, *next; member; member = next) {
            next = member->next;
            json_decref(member->value);
            free(member);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < as_array(value)->count; i++)
            json_decref(as_array(value)->items[i]);
        free(as_array(value)->items);
    }
    free(value);
}

static bool objects_are_equal(const struct quick_object *left, const struct quick_object *right)
{
    const struct quick_member *other = right->first; /* mostly they are in the same order */

    if (left->count != right->count)
        return false;
    for (const struct quick_member *member = left->first; member; member = member->next) {
        if (!other || other->length != member->length ||
            memcmp(other->key, member->key, member->length) != 0)
            other = object_find(right, member->key, member->length);
        if (!other || !json_equal(member->value, other->value))
            return false;
        other = other->next;
    }
    return true;
}

static bool arrays_are_equal(const struct quick_array *left, const struct quick_array *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (!json_equal(left->items[i], right->items[i]))
            return false;
    return true;
}

int json_equal(const json_t *left, const json_t *right)
{
    if (!left || !right || left->type != right->type)
        return 0;
    if (left == right)
        return 1;
    switch (left->type) {
    case JSON_OBJECT:
        return objects_are_equal(as_object(left), as_object(right));
    case JSON_ARRAY:
        return arrays_are_equal(as_array(left), as_array(right));
    case JSON_STRING:
        return as_string(left)->length == as_string(right)->length &&
               memcmp(as_string(left)->text, as_string(right)->text, as_string(left)->length) == 0;
    case JSON_INTEGER:
        return json_integer_value(left) == json_integer_value(right);
    case JSON_REAL:
        return !(json_number_value(left) < json_number_value(right)) &&
               !(json_number_value(left) > json_number_value(right));
    default:
        return 0; /* there is one of each */
    }
}

/* `each`: what becomes of members and items. */
static json_t *copy(const json_t *value, json_t *(*each)(const json_t *value))
{
    json_t *fresh;

    if (!json_is_object(value) && !json_is_array(value))
        return json_incref((json_t *)value);
    fresh = json_is_object(value) ? json_object() : json_array();
    if (json_is_object(value))
        for (const struct quick_member *member = as_object(value)->first; member;
             member = member->next)
            object_append(as_object(fresh), member->key, member->length, each(member->value));
    for (size_t i = 0; i < json_array_size(value); i++)
        json_array_append_new(fresh, each(as_array(value)->items[i]));
    return fresh;
}

static json_t *share(const json_t *value)
{
    return json_incref((json_t *)value);
}

json_t *json_copy(json_t *value)
{
    return copy(value, share);
}

json_t *json_deep_copy(const json_t *value)
{
    return copy(value, json_deep_copy);
}

/* --- from a format -------------------------------------------------------------------------- */

struct packer {
    const char *at;
    va_list arguments;
    bool failed; /* a text or value is NULL that may not be */
};

/* The next character of the format that says something; then it is read. */
static char next(struct packer *packer)
{
    packer->at += strspn(packer->at, " ,:\t\n");
    return *packer->at ? *packer->at++ : '\0';
}

static bool take(struct packer *packer, char character)
{
    if (*packer->at != character)
        return false;
    packer->at++;
    return true;
}

/* What is there, or null for "?", or nothing for "*": NULL. */
static json_t *or_else(struct packer *packer, json_t *value)
{
    if (take(packer, '?'))
        return value ? value : json_null();
    if (!take(packer, '*') && !value)
        packer->failed = true;
    return value;
}

static json_t *pack_string(struct packer *packer)
{
    const char *text = va_arg(packer->arguments, const char *);

    if (take(packer, '%'))
        return or_else(packer, json_stringn(text, va_arg(packer->arguments, size_t)));
    return or_else(packer, json_string(text));
}

static json_t *pack(struct packer *packer, char kind);

static json_t *pack_object(struct packer *packer)
{
    json_t *object = json_object();

    while (next(packer) == 's') {
        const char *key = va_arg(packer->arguments, const char *);
        json_t *value = pack(packer, next(packer));

        if (value)
            json_object_set_new(object, key, value);
    }
    return object;
}

static json_t *pack_array(struct packer *packer)
{
    json_t *array = json_array();

    for (char kind; (kind = next(packer)) != ']' && kind;) {
        json_t *value = pack(packer, kind);

        if (value)
            json_array_append_new(array, value);
    }
    return array;
}

static json_t *pack(struct packer *packer, char kind)
{
    switch (kind) {
    case '{':
        return pack_object(packer);
    case '[':
        return pack_array(packer);
    case 's':
        return pack_string(packer);
    case 'n':
        return json_null();
    case 'b':
        return json_boolean(va_arg(packer->arguments, int));
    case 'i':
        return json_integer(va_arg(packer->arguments, int));
    case 'I':
        return json_integer(va_arg(packer->arguments, json_int_t));
    case 'o':
        return or_else(packer, va_arg(packer->arguments, json_t *));
    case 'O':
        return or_else(packer, json_incref(va_arg(packer->arguments, json_t *)));
    default:
        fprintf(stderr, "quick_json.c knows no format %c\n", kind);
        abort();
    }
}

json_t *json_pack(const char *format, ...)
{
    struct packer packer = { .at = format };
    json_t *value auto_json = NULL;

    va_start(packer.arguments, format);
    value = pack(&packer, next(&packer));
    va_end(packer.arguments);
    return packer.failed ? NULL : TAKE(value);
}

json_t *json_sprintf(const char *format, ...)
{
    char *text auto_free = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        mem_exhausted();
    va_end(arguments);
    return json_string(text);
}
