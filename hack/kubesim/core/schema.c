#include "kubesim/core/schema.h"

#include <regex.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

static const char *const root_members[] = { "apiVersion", "kind", "metadata" };

static bool is_root_member(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(root_members); i++)
        if (strcmp(name, root_members[i]) == 0)
            return true;
    return false;
}

static bool has(const json_t *schema, const char *flag)
{
    return jx_bool(schema, flag, false);
}

/* The schema of a member: by name, or additionalProperties; NULL when unknown. */
static const json_t *member_schema(const json_t *schema, const char *name)
{
    const json_t *member = json_object_get(jx_get(schema, "properties", NULL), name);
    return member ? member : jx_get(schema, "additionalProperties", NULL);
}

/* Where a value stands. Text is made of it only when something is wrong there. */
struct path {
    const struct path *above; /* NULL: the root */
    const char *name;         /* NULL: an item */
    size_t position;
};

static void append_path(struct buf *text, const struct path *path)
{
    if (!path->above)
        return;
    append_path(text, path->above);
    if (path->name)
        buf_format(text, "%s%s", text->length > 0 ? "." : "", path->name);
    else
        buf_format(text, "[%zu]", path->position);
}

/* New. */
static char *path_text(const struct path *path)
{
    auto_buf struct buf text;
    buf_init(&text, LIMIT_JSON_DOCUMENT);
    append_path(&text, path);
    return buf_take(&text);
}

static void prune(const json_t *schema, json_t *value, const struct path *path, json_t *unknown)
{
    json_t *member;
    const char *name;
    void *next;
    size_t i;
    json_array_foreach(value, i, member)
    {
        prune(jx_get(schema, "items", NULL), member, &(struct path){ path, NULL, i }, unknown);
    }
    json_object_foreach_safe(value, next, name, member)
    {
        if (!path->above && is_root_member(name))
            continue;
        const json_t *known = member_schema(schema, name);
        const struct path member_path = { path, name, 0 };
        if (known) {
            prune(known, member, &member_path, unknown);
        } else if (!has(schema, "x-kubernetes-preserve-unknown-fields")) {
            auto_free char *text = unknown ? path_text(&member_path) : NULL;
            if (unknown)
                json_array_append_new(unknown, json_string(text));
            json_object_del(value, name);
        }
    }
}

void schema_prune(const json_t *schema, json_t *value, json_t *unknown)
{
    prune(schema, value, &(struct path){ 0 }, unknown);
}

void schema_default(const json_t *schema, json_t *value)
{
    const json_t *member_rule;
    json_t *member;
    const char *name;
    size_t i;
    json_array_foreach(value, i, member) schema_default(jx_get(schema, "items", NULL), member);
    if (!json_is_object(value))
        return;
    json_object_foreach((json_t *)jx_get(schema, "properties", NULL), name, member_rule)
    {
        json_t *fallback = jx_get(member_rule, "default", NULL);
        member = json_object_get(value, name);
        if (fallback && (!member || json_is_null(member)))
            json_object_set_new(value, name, json_deep_copy(fallback));
    }
    json_object_foreach(value, name, member)
    {
        const json_t *rule = member_schema(schema, name);
        if (rule)
            schema_default(rule, member);
    }
}

void cause_add(json_t *causes, const char *reason, const char *field, const char *format, ...)
{
    va_list arguments;
    char *message;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    json_array_append_new(causes, json_pack("{ss ss ss}", "reason", reason, "message", message,
                                            "field", *field ? field : "<nil>"));
    free(message);
}

struct check {
    struct index *patterns;
    json_t *causes;
};

static char *text_of(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void invalid(const struct check *check, const struct path *path, const json_t *value,
                    const char *rule)
{
    auto_free char *field = path_text(path);
    auto_free char *text = json_is_object(value) || json_is_array(value) ? NULL : text_of(value);
    cause_add(check->causes, "FieldValueInvalid", field, "Invalid value: %s: %s in body %s",
              text                    ? text
              : json_is_object(value) ? "\"object\""
                                      : "\"array\"",
              field, rule);
}

static const char *type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_NULL:
        return "null";
    default:
        return "boolean";
    }
}

static bool check_type(const struct check *check, const json_t *schema, const json_t *value,
                       const struct path *path)
{
    const char *type = jx_string(schema, "type", NULL), *actual = type_of(value);
    if (!type || strcmp(type, actual) == 0 ||
        (strcmp(type, "number") == 0 && json_is_integer(value)))
        return true;
    auto_free char *field = path_text(path);
    cause_add(check->causes, "FieldValueTypeInvalid", field,
              "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", actual, field, type,
              actual);
    return false;
}

/* RE2 shorthands in words of POSIX extended expressions. */
static char *posix_pattern(const char *pattern)
{
    static const struct {
        const char *from, *to;
    } words[] = { { "(?:", "(" },           { "\\d", "[0-9]" }, { "\\w", "[A-Za-z0-9_]" },
                  { "\\s", "[ \t\n\r\f]" }, { "\\/", "/" },     { "\\-", "-" } };
    auto_buf struct buf out;
    buf_init(&out, LIMIT_JSON_DOCUMENT);
    while (*pattern) {
        size_t i = 0;
        while (i < ARRAY_SIZE(words) && strncmp(pattern, words[i].from, strlen(words[i].from)))
            i++;
        if (i < ARRAY_SIZE(words)) {
            buf_string(&out, words[i].to);
            pattern += strlen(words[i].from);
        } else {
            if (*pattern == '\\' && pattern[1])
                buf_char(&out, *pattern++);
            buf_char(&out, *pattern++);
        }
    }
    return buf_take(&out);
}

static bool matches(struct index *patterns, const char *pattern, const char *text)
{
    regex_t *compiled = index_get(patterns, pattern);
    if (!compiled) {
        auto_free char *posix = posix_pattern(pattern);
        compiled = mem_zero(1, sizeof(*compiled));
        if (regcomp(compiled, posix, REG_EXTENDED | REG_NOSUB) != 0) {
            free(compiled);
            return true; /* outside of the subset: a real cluster checks it */
        }
        index_put(patterns, pattern, compiled);
    }
    return regexec(compiled, text, 0, NULL, 0) == 0;
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static void check_string(const struct check *check, const json_t *schema, const json_t *value,
                         const struct path *path)
{
    const char *text = json_string_value(value), *pattern = jx_string(schema, "pattern", NULL);
    auto_free char *rule = NULL;
    int64_t length = (int64_t)count_characters(text);
    int64_t minimum = jx_int(schema, "minLength", 0), maximum = jx_int(schema, "maxLength", -1);
    if (length < minimum) {
        rule = mem_format("should be at least %" PRId64 " chars long", minimum);
        invalid(check, path, value, rule);
    } else if (maximum >= 0 && length > maximum) {
        auto_free char *field = path_text(path);
        cause_add(check->causes, "FieldValueTooLong", field,
                  "Too long: may not be more than %" PRId64 " bytes", maximum);
    } else if (pattern && !matches(check->patterns, pattern, text)) {
        rule = mem_format("should match '%s'", pattern);
        invalid(check, path, value, rule);
    }
}

static void check_number(const struct check *check, const json_t *schema, const json_t *value,
                         const struct path *path)
{
    static const char *const bounds[] = { "minimum", "maximum" }, *const words[] = { "greater",
                                                                                     "less" };
    double number = json_number_value(value);
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        const json_t *bound = json_object_get(schema, bounds[i]);
        double limit = json_number_value(bound);
        if (!bound || (i == 0 ? number >= limit : number <= limit))
            continue;
        auto_free char *text = text_of(bound);
        auto_free char *rule = mem_format("should be %s than or equal to %s", words[i], text);
        invalid(check, path, value, rule);
    }
}

static void check_enum(const struct check *check, const json_t *schema, const json_t *value,
                       const struct path *path)
{
    const json_t *allowed = jx_get(schema, "enum", NULL), *choice;
    size_t i;
    if (!allowed)
        return;
    auto_buf struct buf choices;
    buf_init(&choices, LIMIT_JSON_DOCUMENT);
    json_array_foreach(allowed, i, choice)
    {
        if (json_equal(choice, value))
            return;
        auto_free char *text = text_of(choice);
        buf_format(&choices, "%s%s", i ? ", " : "", text);
    }
    auto_free char *text = text_of(value), *field = path_text(path);
    cause_add(check->causes, "FieldValueNotSupported", field,
              "Unsupported value: %s: supported values: %s", text, buf_text(&choices));
}

static void check_count(const struct check *check, const json_t *schema, const json_t *value,
                        const struct path *path)
{
    bool list = json_is_array(value);
    int64_t count = (int64_t)(list ? json_array_size(value) : json_object_size(value));
    int64_t minimum = jx_int(schema, list ? "minItems" : "minProperties", 0);
    int64_t maximum = jx_int(schema, list ? "maxItems" : "maxProperties", -1);
    const char *what = list ? "items" : "properties";
    if (count >= minimum && (maximum < 0 || count <= maximum))
        return;
    auto_free char *field = path_text(path);
    if (count < minimum)
        cause_add(check->causes, "FieldValueInvalid", field,
                  "Invalid value: %" PRId64 ": %s in body should have at least %" PRId64 " %s",
                  count, field, minimum, what);
    else
        cause_add(check->causes, "FieldValueTooMany", field,
                  "Too many: %" PRId64 ": must have at most %" PRId64 " %s", count, maximum, what);
}

/* What identifies an item: its key members, or the whole item. New. */
static char *item_identity(const json_t *schema, const json_t *item)
{
    const json_t *keys = jx_get(schema, "x-kubernetes-list-map-keys", NULL), *key;
    size_t i;
    if (!keys)
        return jx_canonical(item);
    auto_json json_t *identity = json_object();
    json_array_foreach(keys, i, key) json_object_set(identity, json_string_value(key),
                                                     json_object_get(item, json_string_value(key)));
    return jx_canonical(identity);
}

static void check_unique(const struct check *check, const json_t *schema, const json_t *list,
                         const struct path *path)
{
    const char *type = jx_string(schema, "x-kubernetes-list-type", NULL);
    const json_t *item;
    size_t i;
    if (!type || strcmp(type, "atomic") == 0)
        return;
    auto_index struct index seen = { 0 };
    json_array_foreach(list, i, item)
    {
        auto_free char *identity = item_identity(schema, item);
        if (index_get(&seen, identity)) {
            auto_free char *field = path_text(&(struct path){ path, NULL, i });
            cause_add(check->causes, "FieldValueDuplicate", field, "Duplicate value: %s", identity);
        }
        index_put(&seen, identity, &seen);
    }
}

static void check_value(const struct check *check, const json_t *schema, const json_t *value,
                        const struct path *path);

static void check_object(const struct check *check, const json_t *schema, const json_t *value,
                         const struct path *path)
{
    const json_t *name_value, *member;
    const char *name;
    size_t i;
    json_array_foreach(jx_get(schema, "required", NULL), i, name_value)
    {
        name = json_string_value(name_value);
        if (json_object_get(value, name))
            continue;
        auto_free char *field = path_text(&(struct path){ path, name, 0 });
        cause_add(check->causes, "FieldValueRequired", field, "Required value");
    }
    json_object_foreach((json_t *)value, name, member)
    {
        const json_t *rule = member_schema(schema, name);
        if (rule && (path->above || !is_root_member(name)))
            check_value(check, rule, member, &(struct path){ path, name, 0 });
    }
}

static void check_value(const struct check *check, const json_t *schema, const json_t *value,
                        const struct path *path)
{
    const json_t *item;
    size_t i;
    if (!check_type(check, schema, value, path))
        return;
    check_enum(check, schema, value, path);
    if (json_is_string(value))
        check_string(check, schema, value, path);
    if (json_is_number(value))
        check_number(check, schema, value, path);
    if (json_is_array(value) || json_is_object(value))
        check_count(check, schema, value, path);
    if (json_is_object(value))
        check_object(check, schema, value, path);
    if (json_is_array(value))
        check_unique(check, schema, value, path);
    json_array_foreach(value, i, item)
    {
        const json_t *rule = jx_get(schema, "items", NULL);
        if (rule)
            check_value(check, rule, item, &(struct path){ path, NULL, i });
    }
}

void schema_validate(const json_t *schema, const json_t *value, struct index *patterns,
                     json_t *causes)
{
    struct check check = { patterns, causes };
    check_value(&check, schema, value, &(struct path){ 0 });
}
