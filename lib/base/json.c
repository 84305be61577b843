#include "base/json.h"

#include <stdarg.h>

#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/limits.h"
#include "base/mem.h"

/* jansson reports a failed allocation by NULL, and takes NULL for a value that is left out: a
 * document would lose members in silence. So its allocations do not fail either. */
__attribute__((constructor)) static void use_our_memory(void)
{
    json_set_alloc_funcs(mem_alloc, free);
}

/* --- parsing -------------------------------------------------------------- */

struct text_position {
    size_t line, column; /* from 1; columns count bytes */
};

static struct text_position position_of(struct span text, size_t offset)
{
    struct text_position position = { 1, 1 };

    for (size_t i = 0; i < offset; i++) {
        position.column++;
        if (text.data[i] == '\n')
            position = (struct text_position){ position.line + 1, 1 };
    }
    return position;
}

/* The index just behind the string whose opening quote is at `offset`. */
static size_t skip_string(struct span text, size_t offset)
{
    for (size_t i = offset + 1; i < text.length; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            return i + 1;
    }
    return text.length;
}

/* jansson recurses once for every level, so the depth is checked before. */
static int check_depth(struct span text, const char *what, struct err *err)
{
    size_t depth = 0;

    for (size_t i = 0; i < text.length;) {
        char character = text.data[i];

        if (character == '"') {
            i = skip_string(text, i);
            continue;
        }
        if (character == '{' || character == '[')
            depth++;
        else if ((character == '}' || character == ']') && depth > 0)
            depth--;
        if (depth > LIMIT_JSON_DEPTH) {
            struct text_position position = position_of(text, i);

            return err_set(err, ERR_TOO_BIG, "%s line %zu column %zu: nested deeper than %d levels",
                           what, position.line, position.column, LIMIT_JSON_DEPTH);
        }
        i++;
    }
    return 0;
}

int jx_check_values(struct span text, size_t maximum, const char *what, struct err *err)
{
    size_t count = 1;
    bool opened = false; /* a first value may follow */

    for (size_t i = 0; i < text.length && count <= maximum;) {
        char character = text.data[i];

        if (strchr(" \t\r\n", character) && character != '\0') {
            i++;
            continue;
        }
        count += character == ',' || (opened && character != ']' && character != '}');
        opened = character == '[' || character == '{';
        i = character == '"' ? skip_string(text, i) : i + 1;
    }
    if (count <= maximum)
        return 0;
    return err_set(err, ERR_TOO_BIG, "%s has more than %zu values", what, maximum);
}

/* jansson appends " near '<input>'", which may be part of a secret. */
static void syntax_error(const char *what, const json_error_t *failure, struct err *err)
{
    const char *near = strstr(failure->text, " near '");
    int length = near ? (int)(near - failure->text) : (int)strlen(failure->text);

    err_set(err, ERR_INVALID, "%s line %d column %d: %.*s", what, failure->line, failure->column,
            length, failure->text);
}

/* jansson passes over a NUL byte behind a number or literal as if it were not there. */
static int check_nul(struct span text, const char *what, struct err *err)
{
    const char *nul = text.length > 0 ? memchr(text.data, '\0', text.length) : NULL;

    if (!nul)
        return 0;
    struct text_position position = position_of(text, (size_t)(nul - text.data));

    return err_set(err, ERR_INVALID, "%s line %zu column %zu: NUL byte", what, position.line,
                   position.column);
}

static json_t *parse(struct span text, size_t maximum, size_t flags, const char *what,
                     struct err *err)
{
    json_error_t failure;

    if (text.length > maximum) {
        err_set(err, ERR_TOO_BIG, "%s is larger than %zu bytes", what, maximum);
        return NULL;
    }
    json_t *value = jx_read(text);

    if (value || check_nul(text, what, err) || check_depth(text, what, err))
        return value;
    value = json_loadb(text.length > 0 ? text.data : "", text.length,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &failure);
    if (!value)
        syntax_error(what, &failure, err);
    return value;
}

json_t *jx_parse(struct span text, size_t maximum, const char *what, struct err *err)
{
    return parse(text, maximum, 0, what, err);
}

json_t *jx_parse_with_nul(struct span text, size_t maximum, const char *what, struct err *err)
{
    return parse(text, maximum, JSON_ALLOW_NUL, what, err);
}

json_t *jx_parse_file(const char *path, size_t maximum, struct err *err)
{
    auto_buf struct buf content = { 0 };

    buf_init(&content, maximum);
    if (file_read(path, &content, err))
        return NULL;
    return jx_parse((struct span){ content.data, content.length }, maximum, path, err);
}

/* --- reading -------------------------------------------------------------- */

char *jx_canonical(const json_t *value)
{
    auto_buf struct buf text = { .maximum = SIZE_MAX / 2 };

    jx_write(value, &text);
    return buf_take(&text);
}

static json_t *walk(const json_t *object, va_list names)
{
    const json_t *value = object;

    for (const char *name = va_arg(names, const char *); name && value;
         name = va_arg(names, const char *))
        value = json_object_get(value, name);
    return json_is_null(value) ? NULL : (json_t *)value;
}

json_t *jx_get(const json_t *object, ...)
{
    va_list names;

    va_start(names, object);
    json_t *value = walk(object, names);
    va_end(names);
    return value;
}

const char *jx_text(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

const char *jx_string(const json_t *object, ...)
{
    va_list names;

    va_start(names, object);
    const char *text = jx_text(walk(object, names));
    va_end(names);
    return text;
}

int64_t jx_int(const json_t *object, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool jx_bool(const json_t *object, const char *name, bool fallback)
{
    const json_t *value = json_object_get(object, name);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* --- RFC 7386 ------------------------------------------------------------- */

/* Members that `to` no longer has become null. A merge patch cannot set null:
 * null in `to` is the same as absent. */
static void diff_removed(const json_t *from, const json_t *to, json_t *patch)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)from, name, value)
    {
        const json_t *wanted = json_object_get(to, name);

        if (!json_is_null(value) && (!wanted || json_is_null(wanted)))
            json_object_set_new(patch, name, json_null());
    }
}

json_t *jx_merge_diff(const json_t *from, const json_t *to)
{
    const char *name;
    json_t *value;

    if (!json_is_object(from) || !json_is_object(to))
        return json_deep_copy(to);
    json_t *patch = json_object();

    diff_removed(from, to, patch);
    json_object_foreach((json_t *)to, name, value)
    {
        const json_t *present = json_object_get(from, name);

        if (json_is_null(value) || json_equal(present, value))
            continue;
        auto_json json_t *change = jx_merge_diff(present, value);

        /* objects that differ in nulls only need no change */
        if (!json_is_object(present) || !json_is_object(value) || json_object_size(change) > 0)
            json_object_set(patch, name, change);
    }
    return patch;
}

json_t *jx_merge_apply(const json_t *target, const json_t *patch)
{
    const char *name;
    json_t *value;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *result = json_is_object(target) ? json_deep_copy(target) : json_object();

    json_object_foreach((json_t *)patch, name, value)
    {
        if (json_is_null(value))
            json_object_del(result, name);
        else
            json_object_set_new(result, name, jx_merge_apply(json_object_get(result, name), value));
    }
    return result;
}
