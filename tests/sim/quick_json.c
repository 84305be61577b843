/* quick_json.c - takes the place of jansson's parser when a program is linked with it: half of what
 * a seed costs is JSON that this repository printed itself.
 *
 * Plain documents only: strings of printable ASCII, integers, simple escapes. Whatever else comes,
 * wrong documents among it, is left to jansson, so that what is accepted and what is said about
 * the rest is the same. */
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "base/json.h"

/* Longer strings, and integers that might not fit, are jansson's. */
#define STRING_MAXIMUM 65536
#define DIGITS_MAXIMUM 18

struct reader {
    const char *at, *end;
    bool unique; /* keys that occur twice are refused */
    char text[STRING_MAXIMUM];
};

static json_t *read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n'))
        reader->at++;
}

/* Whether this character comes next; then it is read. */
static bool take(struct reader *reader, char character)
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

/* '\0': not a simple one. */
static char unescape(char character)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = character ? strchr(from, character) : NULL;

    return found ? to[found - from] : '\0';
}

/* Behind the opening quote. With escapes the text is put together in reader->text. */
static bool read_string(struct reader *reader, struct span *ret_text)
{
    const char *begin = reader->at;
    size_t length = 0;
    bool plain = true;

    for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        char character = *reader->at;

        if (character < ' ' || character > '~' || length == STRING_MAXIMUM)
            return false;
        if (character == '\\') {
            if (plain)
                memcpy(reader->text, begin, length);
            plain = false;
            character = ++reader->at < reader->end ? unescape(*reader->at) : '\0';
            if (!character)
                return false;
        }
        if (!plain)
            reader->text[length] = character;
        length++;
    }
    if (reader->at == reader->end)
        return false;
    reader->at++;
    *ret_text = (struct span){ plain ? begin : reader->text, length };
    return true;
}

static json_t *read_object(struct reader *reader)
{
    json_t *object auto_json = json_object();
    struct span key;

    if (take(reader, '}'))
        return TAKE(object);
    do {
        if (!take(reader, '"') || !read_string(reader, &key))
            return NULL;
        char *name auto_free = mem_strndup(key.data, key.length);
        json_t *value = take(reader, ':') ? read_value(reader) : NULL;

        if (!value)
            return NULL;
        if (reader->unique && json_object_get(object, name)) {
            json_decref(value);
            return NULL;
        }
        json_object_setn_new_nocheck(object, name, key.length, value);
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

static json_t *read_integer(struct reader *reader)
{
    bool negative = take(reader, '-');
    const char *begin = reader->at;
    json_int_t value = 0;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        value = 10 * value + (*reader->at++ - '0');
    if (reader->at == begin || reader->at - begin > DIGITS_MAXIMUM ||
        (*begin == '0' && reader->at - begin > 1) ||
        (reader->at < reader->end && strchr(".eE", *reader->at)))
        return NULL;
    return json_integer(negative ? -value : value);
}

static json_t *read_value(struct reader *reader)
{
    struct span text;

    if (take(reader, '"'))
        return read_string(reader, &text) ? json_stringn_nocheck(text.data, text.length) : NULL;
    if (take(reader, '{'))
        return read_object(reader);
    if (take(reader, '['))
        return read_array(reader);
    if (take_word(reader, "true"))
        return json_true();
    if (take_word(reader, "false"))
        return json_false();
    if (take_word(reader, "null"))
        return json_null();
    return read_integer(reader);
}

static json_t *parse_plain(const char *text, size_t length, size_t flags)
{
    static struct reader reader;

    if (flags & ~(size_t)(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY))
        return NULL;
    reader.at = text;
    reader.end = text + length;
    reader.unique = flags & JSON_REJECT_DUPLICATES;
    json_t *value auto_json = read_value(&reader);

    skip_blanks(&reader);
    if (reader.at != reader.end || (!(flags & JSON_DECODE_ANY) && !json_is_object(value)))
        return NULL;
    return TAKE(value);
}

json_t *json_loadb(const char *text, size_t length, size_t flags, json_error_t *error)
{
    static json_t *(*jansson)(const char *, size_t, size_t, json_error_t *);
    json_t *value = parse_plain(text, length, flags);

    if (value)
        return value;
    if (!jansson)
        *(void **)&jansson = dlsym(RTLD_NEXT, "json_loadb");
    return jansson(text, length, flags, error);
}
