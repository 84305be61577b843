#include "base/json_read.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"

#define DIGITS_MAXIMUM 18 /* more may not fit into an integer: what follows them is wrong then */

struct reader {
    const char *at, *end;
    size_t depth;
    struct buf unescaped; /* the last string that had escapes */
};

static json_t *read_value(struct reader *reader);

static inline void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r'))
        reader->at++;
}

/* Whether this character comes next; then it is read. */
static inline bool take(struct reader *reader, char character)
{
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != character)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* --- strings -------------------------------------------------------------- */

/* The bytes of a word: those that are zero get their highest bit, when no lower one has it. */
#define ZEROES(word)   (((word)-EACH_BYTE(1)) & ~(word))
#define CONTROLS(word) (((word)-EACH_BYTE(' ')) & ~(word))

static bool is_plain(char character)
{
    return character >= ' ' && (unsigned char)character < 0x80 && character != '"' &&
           character != '\\';
}

/* Eight at once: most of what is read and written is such text. */
size_t jx_plain_prefix(const char *bytes, size_t length)
{
    size_t position = 0;

    for (; position + sizeof(uint64_t) <= length; position += sizeof(uint64_t)) {
        uint64_t word = span_load(bytes + position);
        uint64_t others = (word | ZEROES(word ^ EACH_BYTE('"')) | ZEROES(word ^ EACH_BYTE('\\')) |
                           CONTROLS(word)) &
                          EACH_BYTE(0x80);

        if (others)
            return position + (size_t)__builtin_ctzll(others) / 8;
    }
    while (position < length && is_plain(bytes[position]))
        position++;
    return position;
}

/* Moves behind all that stands for itself, to a quote, a backslash, the end or what is wrong. */
static void skip_plain(struct reader *reader)
{
    size_t length;

    do {
        reader->at += jx_plain_prefix(reader->at, (size_t)(reader->end - reader->at));
        length = reader->at < reader->end && (unsigned char)*reader->at >= 0x80
                     ? utf8_character(reader->at, (size_t)(reader->end - reader->at))
                     : 0;
        reader->at += length;
    } while (length > 0);
}

/* '\0': not a simple one. */
static char unescape(char character)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = character ? strchr(from, character) : NULL;

    return found ? to[found - from] : '\0';
}

/* From the first backslash on, which is at reader->at. */
static bool read_escaped(struct reader *reader, const char *begin)
{
    buf_clear(&reader->unescaped);
    for (;;) {
        buf_append(&reader->unescaped, begin, (size_t)(reader->at - begin));
        if (reader->at == reader->end || *reader->at != '\\')
            return true;
        char character = ++reader->at < reader->end ? unescape(*reader->at) : '\0';

        if (!character)
            return false;
        buf_char(&reader->unescaped, character);
        begin = ++reader->at;
        skip_plain(reader);
    }
}

/* Behind the opening quote. The text stands where it was read, or in reader->unescaped. */
static bool read_string(struct reader *reader, struct span *ret_text)
{
    const char *begin = reader->at;

    skip_plain(reader);
    *ret_text = (struct span){ begin, (size_t)(reader->at - begin) };
    if (reader->at < reader->end && *reader->at == '\\') {
        if (!read_escaped(reader, begin))
            return false;
        *ret_text = (struct span){ reader->unescaped.data, reader->unescaped.length };
    }
    return reader->at < reader->end && *reader->at++ == '"';
}

/* --- values --------------------------------------------------------------- */

static bool read_member(struct reader *reader, json_t *object)
{
    char *own auto_free = NULL;
    size_t count = json_object_size(object);
    struct span name;
    json_t *value;

    if (!take(reader, '"') || !read_string(reader, &name) || !take(reader, ':'))
        return false;
    if (name.data == reader->unescaped.data) /* where its value may come */
        name.data = own = mem_strndup(name.data, name.length);
    value = read_value(reader);
    if (!value)
        return false;
    json_object_setn_new_nocheck(object, name.data, name.length, value);
    return json_object_size(object) > count; /* else it was there already */
}

static json_t *read_object(struct reader *reader)
{
    json_t *object auto_json = json_object();

    if (take(reader, '}'))
        return TAKE(object);
    do {
        if (!read_member(reader, object))
            return NULL;
    } while (take(reader, ','));
    return take(reader, '}') ? TAKE(object) : NULL;
}

static json_t *read_array(struct reader *reader)
{
    json_t *array auto_json = json_array();

    if (take(reader, ']'))
        return TAKE(array);
    do {
        json_t *value = read_value(reader);

        if (!value)
            return NULL;
        json_array_append_new(array, value);
    } while (take(reader, ','));
    return take(reader, ']') ? TAKE(array) : NULL;
}

/* An object or an array, whose first character was read. */
static json_t *read_container(struct reader *reader, char first)
{
    json_t *value = NULL;

    if (reader->depth == LIMIT_JSON_DEPTH)
        return NULL;
    reader->depth++;
    value = first == '{' ? read_object(reader) : read_array(reader);
    reader->depth--;
    return value;
}

/* Whether there are any. */
static bool skip_digits(struct reader *reader)
{
    const char *begin = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > begin;
}

/* From the fraction or the exponent on, which is at reader->at. */
static json_t *read_real(struct reader *reader, const char *begin)
{
    double value;
    struct err ignored;

    if (*reader->at == '.') {
        reader->at++;
        if (!skip_digits(reader))
            return NULL;
    }
    if (reader->at < reader->end && (*reader->at | 0x20) == 'e') {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        if (!skip_digits(reader))
            return NULL;
    }
    if (num_double((struct span){ begin, (size_t)(reader->at - begin) }, &value, &ignored) < 0)
        return NULL;
    return json_real(value);
}

static json_t *read_number(struct reader *reader)
{
    const char *begin = reader->at, *digits;
    bool negative = take(reader, '-');
    json_int_t value = 0;

    digits = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9' &&
           reader->at - digits < DIGITS_MAXIMUM)
        value = 10 * value + (*reader->at++ - '0');
    if (reader->at == digits || (*digits == '0' && reader->at - digits > 1))
        return NULL;
    if (reader->at < reader->end && strchr(".eE", *reader->at))
        return read_real(reader, begin);
    return json_integer(negative ? -value : value);
}

static json_t *read_text(struct reader *reader)
{
    struct span text;

    return read_string(reader, &text) ? json_stringn_nocheck(text.data, text.length) : NULL;
}

static json_t *read_value(struct reader *reader)
{
    char first;

    skip_blanks(reader);
    if (reader->at == reader->end)
        return NULL;
    first = *reader->at;
    if (first == '-' || (first >= '0' && first <= '9'))
        return read_number(reader);
    reader->at++;
    switch (first) {
    case '"':
        return read_text(reader);
    case '{':
    case '[':
        return read_container(reader, first);
    case 't':
        return take_word(reader, "rue") ? json_true() : NULL;
    case 'f':
        return take_word(reader, "alse") ? json_false() : NULL;
    case 'n':
        return take_word(reader, "ull") ? json_null() : NULL;
    default:
        return NULL;
    }
}

json_t *jx_read(struct span text)
{
    struct reader reader = { .at = text.data,
                             .end = text.length > 0 ? text.data + text.length : text.data,
                             .unescaped = { .maximum = text.length } };
    json_t *value auto_json = text.length > 0 ? read_value(&reader) : NULL;

    if (value)
        skip_blanks(&reader);
    buf_release(&reader.unescaped);
    return reader.at == reader.end ? TAKE(value) : NULL;
}
