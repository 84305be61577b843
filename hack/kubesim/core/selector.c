#include "kubesim/core/selector.h"

#include <string.h>

static json_t *requirement(struct span key, const char *operator, json_t * take_values)
{
    key = span_trim(key);
    return json_pack("{ss%, ss, so}", "key", key.data, key.length, "operator", operator, "values",
                     take_values);
}

static json_t *values_of(struct span text)
{
    json_t *values = json_array();
    const char *end = text.data + text.length;
    for (const char *begin = text.data; begin <= end;) {
        const char *comma = memchr(begin, ',', (size_t)(end - begin));
        struct span value = { begin, (size_t)((comma ? comma : end) - begin) };
        value = span_trim(value);
        json_array_append_new(values, json_stringn(value.data, value.length));
        begin = (comma ? comma : end) + 1;
    }
    return values;
}

/* "key in (a,b)" and "key notin (a,b)"; NULL when it is no such term. */
static json_t *parse_set(struct span term)
{
    const char *open = memchr(term.data, '(', term.length);
    if (!open || term.data[term.length - 1] != ')')
        return NULL;
    struct span head = span_trim((struct span){ term.data, (size_t)(open - term.data) });
    struct span list = { open + 1, (size_t)(term.data + term.length - 1 - (open + 1)) };
    static const char *const operators[] = { " notin", " in" };
    for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
        size_t length = strlen(operators[i]);
        if (head.length > length &&
            memcmp(head.data + head.length - length, operators[i], length) == 0)
            return requirement((struct span){ head.data, head.length - length }, i ? "in" : "notin",
                               values_of(list));
    }
    return NULL;
}

static json_t *parse_term(struct span term)
{
    json_t *set = parse_set(term);
    const char *equals = memchr(term.data, '=', term.length);
    if (set)
        return set;
    if (!equals)
        return term.data[0] == '!' ? requirement((struct span){ term.data + 1, term.length - 1 },
                                                 "absent", json_array())
                                   : requirement(term, "exists", json_array());
    bool negative = equals > term.data && equals[-1] == '!';
    struct span key = { term.data, (size_t)(equals - term.data) - negative };
    if (equals + 1 < term.data + term.length && equals[1] == '=')
        equals++;
    struct span value = { equals + 1, (size_t)(term.data + term.length - equals - 1) };
    return requirement(key, negative ? "notin" : "in", values_of(value));
}

static bool is_key(const char *key)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    return *key && key[strspn(key, allowed)] == '\0';
}

/* Commas inside of parentheses belong to the term. */
static size_t term_length(const char *text)
{
    size_t length = 0;
    bool inside = false;
    for (; text[length] && (inside || text[length] != ','); length++)
        inside = text[length] == '(' || (inside && text[length] != ')');
    return length;
}

static int parse(const char *text, const char *what, json_t **ret_terms, struct err *err)
{
    auto_json json_t *terms = json_array();
    while (text && *text) {
        size_t length = term_length(text);
        struct span term = span_trim((struct span){ text, length });
        json_t *parsed = term.length ? parse_term(term) : NULL;
        if (!parsed || !is_key(jx_string(parsed, "key", NULL))) {
            json_decref(parsed);
            return err_set(err, ERR_INVALID, "unable to parse %s: \"%.*s\"", what, (int)length,
                           text);
        }
        json_array_append_new(terms, parsed);
        text += length + (text[length] == ',');
    }
    *ret_terms = TAKE(terms);
    return 0;
}

int selector_parse(const char *labels, const char *fields, struct selector *ret_selector,
                   struct err *err)
{
    auto_json json_t *label_terms = NULL;
    if (parse(labels, "labelSelector", &label_terms, err) != 0 ||
        parse(fields, "fieldSelector", &ret_selector->fields, err) != 0)
        return -1;
    ret_selector->labels = TAKE(label_terms);
    return 0;
}

void selector_release(struct selector *selector)
{
    json_decref(selector->labels);
    json_decref(selector->fields);
    *selector = (struct selector){ 0 };
}

bool selector_is_empty(const struct selector *selector)
{
    return json_array_size(selector->labels) == 0 && json_array_size(selector->fields) == 0;
}

static bool contains(const json_t *values, const char *text)
{
    const json_t *value;
    size_t i;
    json_array_foreach(values, i,
                       value) if (strcmp(json_string_value(value), text) == 0) return true;
    return false;
}

/* `absent_text`: what a missing value compares as; NULL: it only matches negative terms. */
static bool holds(const json_t *term, const char *value, const char *absent_text)
{
    const char *operator= jx_string(term, "operator", NULL);
    const json_t *values = jx_get(term, "values", NULL);
    if (strcmp(operator, "exists") == 0)
        return value != NULL;
    if (strcmp(operator, "absent") == 0)
        return value == NULL;
    value = value ? value : absent_text;
    bool found = value && contains(values, value);
    return strcmp(operator, "in") == 0 ? found : !found;
}

static const char *field_value(const json_t *object, const char *path)
{
    while (object) {
        size_t length = strcspn(path, ".");
        object = json_is_object(object) ? json_object_getn(object, path, length) : NULL;
        if (!path[length])
            return json_string_value(object);
        path += length + 1;
    }
    return NULL;
}

bool selector_matches(const struct selector *selector, const json_t *object)
{
    const json_t *labels = jx_get(object, "metadata", "labels", NULL), *term;
    size_t i;
    json_array_foreach(selector->labels, i,
                       term) if (!holds(term, jx_string(labels, jx_string(term, "key", NULL), NULL),
                                        NULL)) return false;
    json_array_foreach(
        selector->fields, i,
        term) if (!holds(term, field_value(object, jx_string(term, "key", NULL)), "")) return false;
    return true;
}
