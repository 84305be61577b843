#include "kubesim/core/selector.h"

#include <string.h>

static json_t *parse_term(struct span term)
{
    const char *equals = memchr(term.data, '=', term.length), *end = term.data + term.length;
    struct span key = term, value = { 0 };
    bool negative = term.length > 0 && *term.data == '!';
    if (equals) {
        negative = equals > term.data && equals[-1] == '!';
        key.length = (size_t)(equals - term.data) - negative;
        equals += equals + 1 < end && equals[1] == '=';
        value = span_trim((struct span){ equals + 1, (size_t)(end - equals - 1) });
    } else if (negative) {
        key = (struct span){ term.data + 1, term.length - 1 };
    }
    key = span_trim(key);
    return json_pack("{ss% sb so*}", "key", key.data, key.length, "negative", negative, "value",
                     equals ? json_stringn(value.data, value.length) : NULL);
}

static bool is_key(const char *key)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    return *key && key[strspn(key, allowed)] == '\0';
}

static int parse(const char *text, const char *what, json_t **ret_terms, struct err *err)
{
    auto_json json_t *terms = json_array();
    while (text && *text) {
        size_t length = strcspn(text, ",");
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

static bool holds(const json_t *term, const char *actual)
{
    const char *wanted = jx_string(term, "value", NULL);
    bool found = actual && (!wanted || strcmp(actual, wanted) == 0);
    return found != jx_bool(term, "negative", false);
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
    json_array_foreach(selector->labels, i, term)
    {
        if (!holds(term, jx_string(labels, jx_string(term, "key", NULL), NULL)))
            return false;
    }
    json_array_foreach(selector->fields, i, term)
    {
        const char *actual = field_value(object, jx_string(term, "key", NULL));
        if (!holds(term, actual ? actual : ""))
            return false;
    }
    return true;
}
