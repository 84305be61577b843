#include "kubesim/front/jsonpath.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

static void walk(const json_t *value, const char *path, json_t *found);

static void each(const json_t *value, const char *rest, json_t *found)
{
    const json_t *member;
    const char *name;
    size_t i;
    json_array_foreach(value, i, member) walk(member, rest, found);
    json_object_foreach((json_t *)value, name, member) walk(member, rest, found);
}

/* ".name": up to the next '.' or '[' that is not escaped. */
static void walk_name(const json_t *value, const char *path, json_t *found)
{
    auto_buf struct buf name;
    buf_init(&name, LIMIT_JSON_DOCUMENT);
    while (*path && *path != '.' && *path != '[') {
        if (*path == '\\' && path[1])
            path++;
        buf_char(&name, *path++);
    }
    if (strcmp(buf_text(&name), "*") == 0)
        each(value, path, found);
    else
        walk(json_object_get(value, buf_text(&name)), path, found);
}

static bool equals(const json_t *value, struct span literal)
{
    bool quoted = literal.length >= 2 && (literal.data[0] == '"' || literal.data[0] == '\'');
    if (quoted)
        literal = (struct span){ literal.data + 1, literal.length - 2 };
    if (json_is_string(value))
        return quoted && span_equals(literal, json_string_value(value));
    auto_free char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    return text && !quoted && span_equals(literal, text);
}

/* "@.path==literal" for one item. */
static bool passes(const json_t *item, struct span condition)
{
    auto_free char *text = mem_strndup(condition.data, condition.length);
    char *operator= strstr(text, "==");
    bool negative = !operator&&(operator= strstr(text, "!=")) != NULL;
    if (text[0] != '@' || !operator)
        return false;
    struct span literal = span_trim(span_of(operator+ 2));
    *operator= '\0';
    for (char *end = operator; end > text && end[-1] == ' ';)
        *--end = '\0';
    auto_json json_t *values = jsonpath_find(item, text + 1);
    return equals(json_array_get(values, 0), literal) != negative;
}

static const char *subscript_end(const char *path)
{
    char quote = 0;
    for (; *path; path++) {
        if (quote)
            quote = *path == quote ? 0 : quote;
        else if (*path == '"' || *path == '\'')
            quote = *path;
        else if (*path == ']')
            return path;
    }
    return NULL;
}

/* Behind "[". */
static void walk_subscript(const json_t *value, const char *path, json_t *found)
{
    const char *end = subscript_end(path);
    if (!end)
        return;
    struct span inside = { path, (size_t)(end - path) };
    const json_t *item;
    size_t i;
    if (span_equals(inside, "*")) {
        each(value, end + 1, found);
    } else if (inside.length >= 2 && (path[0] == '\'' || path[0] == '"')) {
        auto_free char *name = mem_strndup(path + 1, inside.length - 2);
        walk(json_object_get(value, name), end + 1, found);
    } else if (inside.length >= 3 && path[0] == '?' && path[1] == '(' && end[-1] == ')') {
        json_array_foreach(value, i,
                           item) if (passes(item, (struct span){ path + 2, inside.length - 3 }))
            walk(item, end + 1, found);
    } else if (inside.length == 1 && path[0] >= '0' && path[0] <= '9') {
        walk(json_array_get(value, (size_t)(path[0] - '0')), end + 1, found);
    }
}

static void walk(const json_t *value, const char *path, json_t *found)
{
    if (!value)
        return;
    if (!*path)
        json_array_append(found, (json_t *)value);
    else if (*path == '.')
        walk_name(value, path + 1, found);
    else if (*path == '[')
        walk_subscript(value, path + 1, found);
}

json_t *jsonpath_find(const json_t *value, const char *path)
{
    json_t *found = json_array();
    walk(value, path, found);
    return found;
}
