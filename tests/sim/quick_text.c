/* quick_text.c - text to values and back: see quick_json.h.
 *
 * What is read is what base/json_read.h reads. What is wrong is left to jansson, so that the same
 * is said about it; what jansson would read and that does not ends the process. */
#include "sim/quick_json.h"

#include <dlfcn.h>
#include <string.h>

#include "base/json_read.h"

/* --- reading -------------------------------------------------------------------------------- */

json_t *json_loadb(const char *text, size_t length, size_t flags, json_error_t *error)
{
    static json_t *(*jansson)(const char *, size_t, size_t, json_error_t *);
    json_t *value = jx_read((struct span){ text, length });

    if (value)
        return value;
    if (!jansson) {
        void *library = dlopen(QUICK_JANSSON, RTLD_NOW | RTLD_LOCAL);

        *(void **)&jansson = library ? dlsym(library, "json_loadb") : NULL;
    }
    if (!jansson || jansson(text, length, flags, error)) {
        fprintf(stderr, "quick_text.c cannot read %.*s\n", (int)length, text);
        abort();
    }
    return NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

struct writer {
    char *text;
    size_t length, room;
    size_t flags;
    size_t depth;
};

/* Room for so many bytes more. */
static char *reserve(struct writer *writer, size_t more)
{
    if (writer->room - writer->length < more) {
        writer->room = 2 * writer->room + more;
        writer->text = mem_resize(writer->text, writer->room, 1);
    }
    return writer->text + writer->length;
}

static void put(struct writer *writer, const char *bytes, size_t length)
{
    memcpy(reserve(writer, length), bytes, length);
    writer->length += length;
}

static void put_escape(struct writer *writer, char character)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = character ? strchr(from, character) : NULL;
    char text[8] = { '\\' };

    if (found)
        text[1] = to[found - from];
    else
        (void)snprintf(text, sizeof(text), "\\u%04X", (unsigned)character);
    put(writer, text, strlen(text));
}

static void put_string(struct writer *writer, const char *text, size_t length)
{
    size_t begin = 0;

    put(writer, "\"", 1);
    for (size_t i = jx_plain_prefix(text, length); i < length; i++) {
        if ((unsigned char)text[i] >= ' ' && text[i] != '"' && text[i] != '\\')
            continue;
        put(writer, text + begin, i - begin);
        put_escape(writer, text[i]);
        begin = i + 1;
    }
    put(writer, text + begin, length - begin);
    put(writer, "\"", 1);
}

static void put_integer(struct writer *writer, json_int_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    put(writer, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_real(struct writer *writer, double value)
{
    char text[40];

    (void)snprintf(text, sizeof(text) - 2, "%.17g", value);
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", sizeof(".0"));
    put(writer, text, strlen(text));
}

/* Between members and items, and before the first and behind the last. */
static void put_break(struct writer *writer, bool comma)
{
    size_t indent = writer->flags & JSON_MAX_INDENT;

    if (comma)
        put(writer, ",", 1);
    if (indent > 0) {
        put(writer, "\n", 1);
        for (size_t i = 0; i < indent * writer->depth; i++)
            put(writer, " ", 1);
    } else if (comma && !(writer->flags & JSON_COMPACT)) {
        put(writer, " ", 1);
    }
}

static void put_value(struct writer *writer, const json_t *value);

static int compare_keys(const void *left, const void *right)
{
    return strcmp((*(struct quick_member *const *)left)->key,
                  (*(struct quick_member *const *)right)->key);
}

static void put_members(struct writer *writer, const struct quick_object *object)
{
    struct quick_member **members auto_free =
        mem_alloc((object->count + 1) * sizeof(struct quick_member *));
    size_t count = 0;

    for (struct quick_member *member = object->first; member; member = member->next)
        members[count++] = member;
    if (writer->flags & JSON_SORT_KEYS)
        qsort(members, count, sizeof(*members), compare_keys);
    for (size_t i = 0; i < count; i++) {
        put_break(writer, i > 0);
        put_string(writer, members[i]->key, members[i]->length);
        put(writer, ": ", writer->flags & JSON_COMPACT ? 1 : 2);
        put_value(writer, members[i]->value);
    }
}

static void put_container(struct writer *writer, const json_t *value)
{
    bool is_object = json_is_object(value);
    size_t count = is_object ? json_object_size(value) : json_array_size(value);

    put(writer, is_object ? "{" : "[", 1);
    writer->depth++;
    if (is_object)
        put_members(writer, as_object(value));
    for (size_t i = 0; i < json_array_size(value); i++) {
        put_break(writer, i > 0);
        put_value(writer, json_array_get(value, i));
    }
    writer->depth--;
    if (count > 0)
        put_break(writer, false);
    put(writer, is_object ? "}" : "]", 1);
}

static void put_value(struct writer *writer, const json_t *value)
{
    static const char *const words[] = {
        [JSON_TRUE] = "true", [JSON_FALSE] = "false", [JSON_NULL] = "null"
    };

    if (json_is_object(value) || json_is_array(value))
        put_container(writer, value);
    else if (json_is_string(value))
        put_string(writer, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        put_integer(writer, json_integer_value(value));
    else if (json_is_real(value))
        put_real(writer, json_number_value(value));
    else
        put(writer, words[value->type], strlen(words[value->type]));
}

char *json_dumps(const json_t *value, size_t flags)
{
    struct writer writer = { .flags = flags };

    if (!value || (!(flags & JSON_ENCODE_ANY) && !json_is_object(value) && !json_is_array(value)))
        return NULL;
    put_value(&writer, value);
    put(&writer, "", 1);
    return writer.text;
}

int json_dump_callback(const json_t *value, json_dump_callback_t callback, void *context,
                       size_t flags)
{
    char *text auto_free = json_dumps(value, flags);

    return text ? callback(text, strlen(text), context) : -1;
}
