/* Decoding and defaults; fields_encode.c is the way back. */
#include "base/fields.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/num.h"

/* Limits of kinds whose table entry gives none. */
#define STRING_MAXIMUM 1024
#define ITEMS_MAXIMUM  256

#define PATH_MAXIMUM 512 /* of a path in a message */

/* Where the decoder is: a list from the member back to the document, written
 * out only when something is wrong. */
struct place {
    const struct place *parent;
    const char *name; /* NULL: the item `index` of the parent */
    size_t index;
};

struct decoder {
    struct arena *arena;
    struct err *err;
};

static int decode_object(struct decoder *decoder, const struct place *place, const json_t *object,
                         const struct fields *table, void *value);

/* --- messages ------------------------------------------------------------- */

static void write_place(struct buf *path, const struct place *place)
{
    if (place->parent)
        write_place(path, place->parent);
    if (!place->name)
        buf_format(path, "[%zu]", place->index);
    else if (place->name[0])
        buf_format(path, "%s%s", path->length > 0 ? "." : "", place->name);
}

static int offence(const struct decoder *decoder, const struct place *place, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

static int offence(const struct decoder *decoder, const struct place *place, const char *format,
                   ...)
{
    auto_buf struct buf path = { 0 };
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    buf_init(&path, PATH_MAXIMUM);
    write_place(&path, place);
    if (path.length == 0)
        return err_set(decoder->err, ERR_INVALID, "%s", message);
    return err_set(decoder->err, ERR_INVALID, "%s: %s", buf_text(&path), message);
}

/* Passes on what a check or a number parser said, behind the path. */
static int offence_of(const struct decoder *decoder, const struct place *place,
                      const struct err *failure)
{
    return offence(decoder, place, "%s", failure->message);
}

/* "a, b, c" */
static const char *join_names(struct arena *arena, const struct field *field)
{
    char *joined = "";

    for (size_t i = 0; field->names[i]; i++) {
        if (field->names[i][0])
            joined = arena_format(arena, "%s%s%s", joined, joined[0] ? ", " : "", field->names[i]);
    }
    return joined;
}

static int unknown_member(const struct decoder *decoder, const struct place *place,
                          const char *name, const struct fields *table)
{
    char *known = "";

    for (size_t i = 0; i < table->count; i++)
        known =
            arena_format(decoder->arena, "%s%s%s", known, i > 0 ? ", " : "", table->items[i].name);
    return offence(decoder, place, "unknown member \"%.64s\" (expected one of %s)", name, known);
}

/* --- single values -------------------------------------------------------- */

static int check_length(const struct decoder *decoder, const struct place *place,
                        const struct field *field, size_t length)
{
    bool limited = field->minimum != 0 || field->maximum != 0;
    int64_t maximum = limited ? field->maximum : STRING_MAXIMUM;

    if (length == 0 && (field->flags & FIELD_NONEMPTY))
        return offence(decoder, place, "must not be empty");
    if ((int64_t)length > maximum)
        return offence(decoder, place, "must be at most %" PRId64 " bytes long", maximum);
    if ((int64_t)length < field->minimum)
        return offence(decoder, place, "must be at least %" PRId64 " bytes long", field->minimum);
    return 0;
}

static int check_text(const struct decoder *decoder, const struct place *place,
                      const struct field *field, const char *text)
{
    struct err failure = { 0 };

    if (field->check && field->check(text, &failure))
        return offence_of(decoder, place, &failure);
    return 0;
}

static int need_string(const struct decoder *decoder, const struct place *place, const json_t *json,
                       const char **ret_text)
{
    *ret_text = jx_text(json);
    return *ret_text ? 0 : offence(decoder, place, "must be a string");
}

static int decode_string(struct decoder *decoder, const struct place *place, const json_t *json,
                         const struct field *field, const char **value)
{
    const char *text;

    if (need_string(decoder, place, json, &text) ||
        check_length(decoder, place, field, strlen(text)) ||
        check_text(decoder, place, field, text))
        return -1;
    *value = arena_strdup(decoder->arena, text);
    return 0;
}

static int decode_bool(struct decoder *decoder, const struct place *place, const json_t *json,
                       bool *value)
{
    if (!json_is_boolean(json))
        return offence(decoder, place, "must be true or false");
    *value = json_is_true(json);
    return 0;
}

static int decode_int(struct decoder *decoder, const struct place *place, const json_t *json,
                      const struct field *field, int64_t *value)
{
    bool limited = field->minimum != 0 || field->maximum != 0;
    int64_t number = json_integer_value(json);

    if (!json_is_integer(json) && !limited)
        return offence(decoder, place, "must be an integer");
    if (!json_is_integer(json) || (limited && (number < field->minimum || number > field->maximum)))
        return offence(decoder, place, "must be an integer from %" PRId64 " to %" PRId64,
                       field->minimum, field->maximum);
    *value = number;
    return 0;
}

/* "(0,1]" taken apart; either bound may be missing. */
struct number_range {
    struct span lower, upper; /* empty: no bound */
    bool lower_open, upper_open;
};

static struct number_range parse_number_range(const char *text)
{
    const char *comma = strchr(text, ',');
    size_t length = strlen(text);

    return (struct number_range){
        .lower = { text + 1, (size_t)(comma - text) - 1 },
        .upper = { comma + 1, (size_t)(text + length - 1 - comma) - 1 },
        .lower_open = text[0] == '(',
        .upper_open = text[length - 1] == ')',
    };
}

static int check_number_range(const struct decoder *decoder, const struct place *place,
                              const struct field *field, double number)
{
    double bound;

    if (!field->number_range)
        return 0;
    struct number_range range = parse_number_range(field->number_range);
    bool fits = true;

    if (range.lower.length > 0 && num_double_quick(range.lower, &bound))
        fits = range.lower_open ? number > bound : number >= bound;
    if (fits && range.upper.length > 0 && num_double_quick(range.upper, &bound))
        fits = range.upper_open ? number < bound : number <= bound;
    if (fits)
        return 0;
    return offence(decoder, place, "must be a number%s%.*s%s%s%.*s",
                   range.lower.length == 0 ? ""
                   : range.lower_open      ? " above "
                                           : " of at least ",
                   (int)range.lower.length, range.lower.data,
                   range.lower.length > 0 && range.upper.length > 0 ? " and" : "",
                   range.upper.length == 0 ? ""
                   : range.upper_open      ? " below "
                                           : " at most ",
                   (int)range.upper.length, range.upper.data);
}

static int decode_number(struct decoder *decoder, const struct place *place, const json_t *json,
                         const struct field *field, struct decimal *value)
{
    struct err failure = { 0 };
    const char *text;
    double number = 0;

    text = jx_text(json);
    if (!text)
        return offence(decoder, place, "must be a decimal number in a string, like \"0.25\"");
    if (check_length(decoder, place, field, strlen(text)))
        return -1;
    *value = (struct decimal){ 0 };
    if (!text[0])
        return 0;
    if (num_double(span_of(text), &number, &failure))
        return offence_of(decoder, place, &failure);
    if (check_number_range(decoder, place, field, number) ||
        check_text(decoder, place, field, text))
        return -1;
    *value = (struct decimal){ arena_strdup(decoder->arena, text), number };
    return 0;
}

static int decode_double(struct decoder *decoder, const struct place *place, const json_t *json,
                         const struct field *field, double *value)
{
    if (!json_is_number(json))
        return offence(decoder, place, "must be a number");
    if (check_number_range(decoder, place, field, json_number_value(json)))
        return -1;
    *value = json_number_value(json);
    return 0;
}

static int decode_duration(struct decoder *decoder, const struct place *place, const json_t *json,
                           const struct field *field, int64_t *value)
{
    char minimum[NUM_DURATION_TEXT], maximum[NUM_DURATION_TEXT];
    struct err failure = { 0 };
    const char *text;
    int64_t ms;

    if (need_string(decoder, place, json, &text))
        return -1;
    if (num_duration_ms(span_of(text), &ms, &failure))
        return offence_of(decoder, place, &failure);
    if ((field->minimum != 0 || field->maximum != 0) &&
        (ms < field->minimum || ms > field->maximum)) {
        num_format_duration(field->minimum, minimum);
        num_format_duration(field->maximum, maximum);
        return offence(decoder, place, "must be a duration from %s to %s", minimum, maximum);
    }
    *value = ms;
    return 0;
}

static int decode_time(struct decoder *decoder, const struct place *place, const json_t *json,
                       int64_t *value)
{
    struct err failure = { 0 };
    const char *text;

    if (need_string(decoder, place, json, &text))
        return -1;
    if (num_time_ms(span_of(text), value, &failure))
        return offence_of(decoder, place, &failure);
    return 0;
}

static int index_of_name(const struct field *field, const char *text)
{
    for (int i = 0; field->names[i]; i++) {
        if (strcmp(field->names[i], text) == 0)
            return i;
    }
    return -1;
}

static int decode_enum(struct decoder *decoder, const struct place *place, const json_t *json,
                       const struct field *field, int *value)
{
    const char *text = jx_text(json);
    int index = text ? index_of_name(field, text) : -1;

    if (index < 0)
        return offence(decoder, place, "must be one of %s%s%.64s%s",
                       join_names(decoder->arena, field), text ? ", not \"" : "", text ? text : "",
                       text ? "\"" : "");
    *value = index;
    return 0;
}

/* --- collections ---------------------------------------------------------- */

/* `limited`: minimum and maximum of the entry speak of the count. */
static int check_count(const struct decoder *decoder, const struct place *place,
                       const struct field *field, size_t count, bool limited)
{
    int64_t minimum = limited ? field->minimum : 0;
    int64_t maximum = limited ? field->maximum : ITEMS_MAXIMUM;

    if (count == 0 && (field->flags & FIELD_NONEMPTY))
        return offence(decoder, place, "must not be empty");
    if ((int64_t)count > maximum)
        return offence(decoder, place, "must have at most %" PRId64 " items", maximum);
    if ((int64_t)count < minimum)
        return offence(decoder, place, "must have at least %" PRId64 " items", minimum);
    return 0;
}

static int need_array(const struct decoder *decoder, const struct place *place,
                      const struct field *field, const json_t *json)
{
    bool limited = field->minimum != 0 || field->maximum != 0;

    if (!json_is_array(json))
        return offence(decoder, place, "must be a list");
    return check_count(decoder, place, field, json_array_size(json), limited);
}

static int decode_strings(struct decoder *decoder, const struct place *place, const json_t *json,
                          const struct field *field, struct strings *value)
{
    /* the entry's range and NONEMPTY speak of the list, its check of the items */
    const struct field item = { .check = field->check };

    if (need_array(decoder, place, field, json))
        return -1;
    value->count = json_array_size(json);
    value->items = arena_zero(decoder->arena, value->count, sizeof(value->items[0]));
    for (size_t i = 0; i < value->count; i++) {
        struct place item_place = { .parent = place, .index = i };

        if (decode_string(decoder, &item_place, json_array_get(json, i), &item, &value->items[i]))
            return -1;
    }
    return 0;
}

static int decode_doubles(struct decoder *decoder, const struct place *place, const json_t *json,
                          const struct field *field, struct doubles *value)
{
    if (need_array(decoder, place, field, json))
        return -1;
    value->count = json_array_size(json);
    value->items = arena_zero(decoder->arena, value->count, sizeof(value->items[0]));
    for (size_t i = 0; i < value->count; i++) {
        struct place item_place = { .parent = place, .index = i };

        if (decode_double(decoder, &item_place, json_array_get(json, i), field, &value->items[i]))
            return -1;
    }
    return 0;
}

static int decode_map(struct decoder *decoder, const struct place *place, const json_t *json,
                      const struct field *field, struct pairs *value)
{
    struct field item = *field;
    const char *name;
    json_t *member;
    size_t i = 0;

    if (!json_is_object(json))
        return offence(decoder, place, "must be an object of strings");
    if (check_count(decoder, place, field, json_object_size(json), false))
        return -1;
    item.flags &= ~(unsigned)FIELD_NONEMPTY;
    value->count = json_object_size(json);
    value->items = arena_zero(decoder->arena, value->count, sizeof(value->items[0]));
    json_object_foreach((json_t *)json, name, member)
    {
        struct place item_place = { .parent = place, .name = name };

        if (strlen(name) > STRING_MAXIMUM)
            return offence(decoder, place, "has a name longer than %d bytes", STRING_MAXIMUM);
        value->items[i].name = arena_strdup(decoder->arena, name);
        if (decode_string(decoder, &item_place, member, &item, &value->items[i].value))
            return -1;
        i++;
    }
    return 0;
}

static int decode_objects(struct decoder *decoder, const struct place *place, const json_t *json,
                          const struct field *field, struct list *value)
{
    if (need_array(decoder, place, field, json))
        return -1;
    value->count = json_array_size(json);
    value->items = arena_zero(decoder->arena, value->count, field->table->size);
    for (size_t i = 0; i < value->count; i++) {
        struct place item_place = { .parent = place, .index = i };

        if (decode_object(decoder, &item_place, json_array_get(json, i), field->table,
                          (char *)value->items + i * field->table->size))
            return -1;
    }
    return 0;
}

/* --- objects -------------------------------------------------------------- */

static int decode_member(struct decoder *decoder, const struct place *place, const json_t *json,
                         const struct field *field, void *member)
{
    switch (field->kind) {
    case FIELD_STRING:
        return decode_string(decoder, place, json, field, member);
    case FIELD_BOOL:
        return decode_bool(decoder, place, json, member);
    case FIELD_INT:
        return decode_int(decoder, place, json, field, member);
    case FIELD_OPT_INT:
        ((struct opt_int *)member)->set = true;
        return decode_int(decoder, place, json, field, &((struct opt_int *)member)->value);
    case FIELD_OPT_BOOL:
        ((struct opt_bool *)member)->set = true;
        return decode_bool(decoder, place, json, &((struct opt_bool *)member)->value);
    case FIELD_NUMBER:
        return decode_number(decoder, place, json, field, member);
    case FIELD_DOUBLE:
        return decode_double(decoder, place, json, field, member);
    case FIELD_DOUBLES:
        return decode_doubles(decoder, place, json, field, member);
    case FIELD_DURATION:
        return decode_duration(decoder, place, json, field, member);
    case FIELD_TIME:
        return decode_time(decoder, place, json, member);
    case FIELD_ENUM:
        return decode_enum(decoder, place, json, field, member);
    case FIELD_STRINGS:
        return decode_strings(decoder, place, json, field, member);
    case FIELD_MAP:
        return decode_map(decoder, place, json, field, member);
    case FIELD_OBJECT:
        return decode_object(decoder, place, json, field->table, *(void **)member);
    case FIELD_OBJECTS:
        return decode_objects(decoder, place, json, field, member);
    case FIELD_JSON:
        *(json_t **)member = (json_t *)json;
        return 0;
    }
    return offence(decoder, place, "has an unknown kind in its table");
}

static int check_members_known(const struct decoder *decoder, const struct place *place,
                               const json_t *object, const struct fields *table)
{
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)object, name, member)
    {
        size_t i = 0;

        while (i < table->count && strcmp(table->items[i].name, name) != 0)
            i++;
        if (i == table->count)
            return unknown_member(decoder, place, name, table);
    }
    return 0;
}

static int decode_object(struct decoder *decoder, const struct place *place, const json_t *object,
                         const struct fields *table, void *value)
{
    if (!json_is_object(object))
        return offence(decoder, place, "must be an object");
    if (!table->open && check_members_known(decoder, place, object, table))
        return -1;
    fields_defaults(table, decoder->arena, value);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        const json_t *json = json_object_get(object, field->name);
        void *member = (char *)value + field->offset;
        struct place member_place = { .parent = place, .name = field->name };

        if (!json || json_is_null(json)) {
            if (field->flags & FIELD_REQUIRED)
                return offence(decoder, &member_place, "is required");
            continue;
        }
        if (field->kind == FIELD_OBJECT && !*(void **)member)
            *(void **)member = arena_zero(decoder->arena, 1, field->table->size);
        if (decode_member(decoder, &member_place, json, field, member))
            return -1;
    }
    return 0;
}

int fields_decode(const json_t *object, const struct fields *table, const char *path,
                  struct arena *arena, void *ret_value, struct err *err)
{
    struct decoder decoder = { arena, err };
    struct place document = { .name = path };

    return decode_object(&decoder, &document, object, table, ret_value);
}

/* --- defaults ------------------------------------------------------------- */

/* Defaults are written in the source: one that does not parse is a bug. */
static _Noreturn void bad_default(const struct field *field, const struct err *failure)
{
    fprintf(stderr, "the default of \"%s\" is wrong: %s\n", field->name, failure->message);
    abort();
}

static void default_scalar(const struct field *field, void *member)
{
    struct span text = span_of(field->fallback);
    struct err failure = { 0 };
    int result = 0;

    if (field->kind == FIELD_STRING) {
        *(const char **)member = field->fallback;
    } else if (field->kind == FIELD_BOOL) {
        *(bool *)member = span_equals(text, "true");
    } else if (field->kind == FIELD_INT) {
        result = num_int64(text, INT64_MIN, INT64_MAX, member, &failure);
    } else if (field->kind == FIELD_DURATION) {
        result = num_duration_ms(text, member, &failure);
    } else if (field->kind == FIELD_DOUBLE) {
        result = num_double(text, member, &failure);
    } else if (field->kind == FIELD_NUMBER) {
        ((struct decimal *)member)->text = field->fallback;
        result = num_double(text, &((struct decimal *)member)->value, &failure);
    } else if (field->kind == FIELD_ENUM) {
        *(int *)member = index_of_name(field, field->fallback);
        if (*(int *)member < 0)
            result = err_set(&failure, ERR_INTERNAL, "\"%s\" is no name", field->fallback);
    } else {
        result = err_set(&failure, ERR_INTERNAL, "its kind has no defaults");
    }
    if (result)
        bad_default(field, &failure);
}

void fields_defaults(const struct fields *table, struct arena *arena, void *ret_value)
{
    memset(ret_value, 0, table->size);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        void *member = (char *)ret_value + field->offset;

        if (field->kind == FIELD_OBJECT && (field->flags & FIELD_ALWAYS)) {
            void *object = arena_zero(arena, 1, field->table->size);

            fields_defaults(field->table, arena, object);
            *(void **)member = object;
        } else if (field->fallback && field->fallback[0]) {
            default_scalar(field, member);
        } else if (field->fallback && field->kind == FIELD_STRING) {
            *(const char **)member = field->fallback;
        } else if (field->kind == FIELD_ENUM && field->names[0] && field->names[0][0]) {
            *(int *)member = -1;
        }
    }
}
