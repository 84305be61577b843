#include "base/yaml.h"

#include <yaml.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"

#define CORE_TAG "tag:yaml.org,2002:"

struct reader {
    yaml_parser_t parser;
    const char *what;
    struct err *err;
};

#define auto_event __attribute__((cleanup(yaml_event_delete)))

static json_t *read_node(struct reader *reader, const yaml_event_t *event, size_t depth);

/* --- messages ------------------------------------------------------------- */

static int fail_at(const struct reader *reader, yaml_mark_t mark, enum err_kind kind,
                   const char *problem)
{
    return err_set(reader->err, kind, "%s line %zu column %zu: %s", reader->what, mark.line + 1,
                   mark.column + 1, problem);
}

static json_t *refuse(const struct reader *reader, const yaml_event_t *event, const char *problem)
{
    fail_at(reader, event->start_mark, ERR_INVALID, problem);
    return NULL;
}

/* The caller deletes the event. libyaml's texts never quote the input. */
static int next_event(struct reader *reader, yaml_event_t *ret_event)
{
    const yaml_parser_t *parser = &reader->parser;

    if (yaml_parser_parse(&reader->parser, ret_event))
        return 0;
    if (parser->error == YAML_MEMORY_ERROR)
        mem_exhausted();
    *ret_event = (yaml_event_t){ 0 };
    return fail_at(reader, parser->problem_mark, ERR_INVALID,
                   parser->problem ? parser->problem : "is no YAML");
}

/* --- scalars -------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static bool has_only(const char *text, const char *characters)
{
    return *text && text[strspn(text, characters)] == '\0';
}

/* 0o17 and 0x1F: the value, or false when it exceeds an int64. */
static bool parse_based(const char *digits, int base, int64_t *ret_value)
{
    int64_t value = 0;

    for (; *digits; digits++) {
        int digit = *digits <= '9' ? *digits - '0' : (*digits | 0x20) - 'a' + 10;

        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static json_t *integer_value(const struct reader *reader, const yaml_event_t *event, bool valid,
                             int64_t value)
{
    if (!valid)
        return refuse(reader, event, "an integer does not fit 64 bits (quote it to keep the text)");
    return json_integer(value);
}

/* A plain scalar by the core schema of YAML 1.2, section 10.3.2. */
static json_t *resolve_plain(const struct reader *reader, const yaml_event_t *event)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    static const char *const no_numbers[] = {
        ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL
    };
    const char *text = (const char *)event->data.scalar.value;
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    int64_t integer = 0;
    double real;
    bool valid;

    if (is_one_of(text, nulls))
        return json_null();
    if (is_one_of(text, trues) || is_one_of(text, falses))
        return json_boolean((*text | 0x20) == 't');
    if (has_only(unsigned_text, "0123456789")) {
        valid = num_int64(span_of(*text == '+' ? unsigned_text : text), INT64_MIN, INT64_MAX,
                          &integer, NULL) == 0;
        return integer_value(reader, event, valid, integer);
    }
    if (strncmp(text, "0o", 2) == 0 && has_only(text + 2, "01234567")) {
        valid = parse_based(text + 2, 8, &integer);
        return integer_value(reader, event, valid, integer);
    }
    if (strncmp(text, "0x", 2) == 0 && has_only(text + 2, "0123456789abcdefABCDEF")) {
        valid = parse_based(text + 2, 16, &integer);
        return integer_value(reader, event, valid, integer);
    }
    if (is_one_of(unsigned_text, no_numbers))
        return refuse(reader, event, "infinity and nan are not supported");
    if (num_double_quick(span_of(text), &real))
        return json_real(real);
    return json_string(text);
}

/* Whether a tag of the core schema agrees with the value it is put on. */
static bool tag_fits(const char *tag, const json_t *value)
{
    return (strcmp(tag, CORE_TAG "null") == 0 && json_is_null(value)) ||
           (strcmp(tag, CORE_TAG "bool") == 0 && json_is_boolean(value)) ||
           (strcmp(tag, CORE_TAG "int") == 0 && json_is_integer(value)) ||
           (strcmp(tag, CORE_TAG "float") == 0 && json_is_number(value));
}

static json_t *read_scalar(const struct reader *reader, const yaml_event_t *event)
{
    const char *tag = (const char *)event->data.scalar.tag;
    const char *text = (const char *)event->data.scalar.value;

    if (event->data.scalar.anchor)
        return refuse(reader, event, "anchors are not supported");
    if (strlen(text) != event->data.scalar.length)
        return refuse(reader, event, "NUL is not allowed");
    if (tag && (strcmp(tag, "!") == 0 || strcmp(tag, CORE_TAG "str") == 0))
        return json_string(text);
    if (!tag && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_string(text);
    json_t *value = resolve_plain(reader, event);

    if (value && tag && !tag_fits(tag, value)) {
        json_decref(value);
        return refuse(reader, event, "the tag is not supported, or the value does not fit it");
    }
    return value;
}

/* --- collections ---------------------------------------------------------- */

static int check_collection(const struct reader *reader, const yaml_event_t *event,
                            const yaml_char_t *anchor, const yaml_char_t *tag, const char *own_tag)
{
    if (anchor)
        return fail_at(reader, event->start_mark, ERR_INVALID, "anchors are not supported");
    if (tag && strcmp((const char *)tag, "!") != 0 && strcmp((const char *)tag, own_tag) != 0)
        return fail_at(reader, event->start_mark, ERR_INVALID, "the tag is not supported");
    return 0;
}

static json_t *read_sequence(struct reader *reader, const yaml_event_t *start, size_t depth)
{
    auto_json json_t *array = json_array();

    if (check_collection(reader, start, start->data.sequence_start.anchor,
                         start->data.sequence_start.tag, CORE_TAG "seq"))
        return NULL;
    for (;;) {
        auto_event yaml_event_t event = { 0 };

        if (next_event(reader, &event))
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return TAKE(array);
        json_t *item = read_node(reader, &event, depth + 1);

        if (!item)
            return NULL;
        json_array_append_new(array, item);
    }
}

/* One "key: value" whose key is `key_event`. A key is taken as it is written:
 * `1:` and `true:` name the members "1" and "true". */
static int read_member(struct reader *reader, const yaml_event_t *key_event, json_t *object,
                       size_t depth)
{
    auto_event yaml_event_t value_event = { 0 };
    const char *key = (const char *)key_event->data.scalar.value;

    if (key_event->type != YAML_SCALAR_EVENT)
        return fail_at(reader, key_event->start_mark, ERR_INVALID, "a key must be a string");
    auto_json json_t *checked = read_scalar(reader, key_event);

    if (!checked)
        return -1;
    if (json_object_get(object, key))
        return err_set(reader->err, ERR_INVALID, "%s line %zu column %zu: duplicate key \"%.64s\"",
                       reader->what, key_event->start_mark.line + 1,
                       key_event->start_mark.column + 1, key);
    if (next_event(reader, &value_event))
        return -1;
    json_t *value = read_node(reader, &value_event, depth + 1);

    if (!value)
        return -1;
    json_object_set_new(object, key, value);
    return 0;
}

static json_t *read_mapping(struct reader *reader, const yaml_event_t *start, size_t depth)
{
    auto_json json_t *object = json_object();

    if (check_collection(reader, start, start->data.mapping_start.anchor,
                         start->data.mapping_start.tag, CORE_TAG "map"))
        return NULL;
    for (;;) {
        auto_event yaml_event_t event = { 0 };

        if (next_event(reader, &event))
            return NULL;
        if (event.type == YAML_MAPPING_END_EVENT)
            return TAKE(object);
        if (read_member(reader, &event, object, depth))
            return NULL;
    }
}

static json_t *read_node(struct reader *reader, const yaml_event_t *event, size_t depth)
{
    bool is_collection =
        event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;

    if (is_collection && depth >= LIMIT_JSON_DEPTH) {
        fail_at(reader, event->start_mark, ERR_TOO_BIG, "nested too deep");
        return NULL;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(reader, event, depth);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(reader, event, depth);
    case YAML_ALIAS_EVENT:
        return refuse(reader, event, "aliases are not supported");
    default:
        return refuse(reader, event, "a value is expected");
    }
}

/* --- documents ------------------------------------------------------------ */

/* Events around the root nodes only tell where documents begin and end. */
static json_t *read_stream(struct reader *reader)
{
    auto_json json_t *documents = json_array();

    for (;;) {
        auto_event yaml_event_t event = { 0 };

        if (next_event(reader, &event))
            return NULL;
        if (event.type == YAML_STREAM_END_EVENT)
            return TAKE(documents);
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT ||
            event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        json_t *document = read_node(reader, &event, 0);

        if (!document)
            return NULL;
        if (!json_is_null(document))
            json_array_append(documents, document);
        json_decref(document);
    }
}

json_t *yaml_parse_all(struct span text, const char *what, struct err *err)
{
    struct reader reader = { .what = what, .err = err };

    if (text.length > LIMIT_YAML_DOCUMENT) {
        err_set(err, ERR_TOO_BIG, "%s is larger than %zu bytes", what, LIMIT_YAML_DOCUMENT);
        return NULL;
    }
    if (!yaml_parser_initialize(&reader.parser))
        mem_exhausted();
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &reader.parser, (const unsigned char *)(text.length > 0 ? text.data : ""), text.length);
    json_t *documents = read_stream(&reader);

    yaml_parser_delete(&reader.parser);
    return documents;
}

json_t *yaml_parse(struct span text, const char *what, struct err *err)
{
    auto_json json_t *documents = yaml_parse_all(text, what, err);

    if (!documents)
        return NULL;
    if (json_array_size(documents) != 1) {
        err_set(err, ERR_INVALID, "%s holds %zu documents, not one", what,
                json_array_size(documents));
        return NULL;
    }
    return json_incref(json_array_get(documents, 0));
}
