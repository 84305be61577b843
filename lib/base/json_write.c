#include "base/json_write.h"

#include "base/json.h"
#include "base/json_read.h"

#define DEPTH_MAXIMUM 2048 /* jansson reads no deeper trees */

struct member {
    const char *name;
    const json_t *value;
};

static void write_value(const json_t *value, size_t depth, struct buf *out);

/* --- scalars -------------------------------------------------------------- */

static void write_escape(char character, struct buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = character ? strchr(from, character) : NULL;

    if (found) {
        buf_char(out, '\\');
        buf_char(out, to[found - from]);
    } else {
        buf_format(out, "\\u%04X", (unsigned)character);
    }
}

static bool needs_escape(char character)
{
    return (unsigned char)character < ' ' || character == '"' || character == '\\';
}

static void write_string(const char *text, size_t length, struct buf *out)
{
    const char *end = text + length;

    buf_char(out, '"');
    while (text < end) {
        const char *next = text + jx_plain_prefix(text, (size_t)(end - text));

        while (next < end && !needs_escape(*next))
            next++; /* not ASCII, and what follows it */
        buf_append(out, text, (size_t)(next - text));
        if (next < end)
            write_escape(*next++, out);
        text = next;
    }
    buf_char(out, '"');
}

static void write_real(const json_t *value, struct buf *out)
{
    auto_free char *text = json_dumps(value, JSON_ENCODE_ANY);

    buf_string(out, text);
}

/* --- containers ----------------------------------------------------------- */

static int compare_members(const void *left, const void *right)
{
    return strcmp(((const struct member *)left)->name, ((const struct member *)right)->name);
}

static void write_object(const json_t *object, size_t depth, struct buf *out)
{
    auto_free struct member *members = mem_zero(json_object_size(object), sizeof(*members));
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        members[count++] = (struct member){ name, value };
    }
    if (count > 1)
        qsort(members, count, sizeof(*members), compare_members);
    buf_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(out, ',');
        write_string(members[i].name, strlen(members[i].name), out);
        buf_char(out, ':');
        write_value(members[i].value, depth, out);
    }
    buf_char(out, '}');
}

static void write_array(const json_t *array, size_t depth, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_char(out, ',');
        write_value(json_array_get(array, i), depth, out);
    }
    buf_char(out, ']');
}

static void write_value(const json_t *value, size_t depth, struct buf *out)
{
    if (depth == DEPTH_MAXIMUM) {
        fputs("a JSON tree cannot be written: it contains itself\n", stderr);
        abort();
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, depth + 1, out);
        break;
    case JSON_ARRAY:
        write_array(value, depth + 1, out);
        break;
    case JSON_STRING:
        write_string(json_string_value(value), json_string_length(value), out);
        break;
    case JSON_INTEGER:
        buf_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(value, out);
        break;
    case JSON_TRUE:
        buf_string(out, "true");
        break;
    case JSON_FALSE:
        buf_string(out, "false");
        break;
    case JSON_NULL:
        buf_string(out, "null");
        break;
    }
}

void jx_write(const json_t *value, struct buf *out)
{
    write_value(value, 0, out);
}
