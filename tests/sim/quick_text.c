/* quick_text.c - text to values and back: see quick_json.h.
 *
 * Strings of UTF-8, numbers, simple escapes. What is wrong is left to jansson, so that the same is
 * said about it; what jansson would read and this does not ends the process. */
#include "sim/quick_json.h"

#include <dlfcn.h>
#include <string.h>

#include "base/num.h"
#include "base/utf8.h"

/* --- strings -----------------------------------------------------------------------------------
 */

/* The bytes of a word: those that are zero get their highest bit, when no lower one has it. */
#define EACH(byte)      (UINT64_C(0x0101010101010101) * (unsigned char)(byte))
#define ZEROES(word)    (((word)-EACH(1)) & ~(word))
#define CONTROLS(word)  (((word)-EACH(' ')) & ~(word))
#define IS_PLAIN(value) ((value) >= ' ' && (value) != '"' && (value) != '\\')

/* How many bytes at the beginning stand for themselves in JSON, and are ASCII. Eight at once: most
 * of what is read and written is such text. */
static size_t plain_prefix(const char *bytes, size_t length)
{
    size_t position = 0;
    uint64_t word;

    for (; position + sizeof(word) <= length; position += sizeof(word)) {
        memcpy(&word, bytes + position, sizeof(word));
        word = (word | ZEROES(word ^ EACH('"')) | ZEROES(word ^ EACH('\\')) | CONTROLS(word)) &
               EACH(0x80);
        if (word) /* the lowest is the first: little endian */
            return position + (size_t)__builtin_ctzll(word) / 8;
    }
    while (position < length && IS_PLAIN(bytes[position]))
        position++;
    return position;
}

/* --- reading -------------------------------------------------------------------------------- */

/* Longer strings with escapes, and integers that might not fit, are not read. */
#define STRING_MAXIMUM 65536
#define DIGITS_MAXIMUM 18

struct reader {
    const char *at, *end;
    bool unique; /* keys that occur twice are refused */
    char text[STRING_MAXIMUM];
};

static json_t *read_value(struct reader *reader);

static inline void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at <= ' ' && strchr(" \n\t\r", *reader->at))
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

/* '\0': not a simple one. */
static char unescape(char character)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = character ? strchr(from, character) : NULL;

    return found ? to[found - from] : '\0';
}

/* From the first character on that is not plain, at reader->at. The text is put together in
 * reader->text. */
static bool read_rest(struct reader *reader, const char *begin, struct span *ret_text)
{
    size_t length = (size_t)(reader->at - begin);

    if (length >= STRING_MAXIMUM)
        return false;
    memcpy(reader->text, begin, length);
    for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        char character = *reader->at;

        if ((unsigned char)character < ' ' || length == STRING_MAXIMUM)
            return false;
        if (character == '\\') {
            character = ++reader->at < reader->end ? unescape(*reader->at) : '\0';
            if (!character)
                return false;
        }
        reader->text[length++] = character;
    }
    *ret_text = (struct span){ reader->text, length };
    return utf8_valid_prefix(reader->text, length) == length;
}

/* Behind the opening quote. */
static bool read_string(struct reader *reader, struct span *ret_text)
{
    const char *begin = reader->at;

    *ret_text = (struct span){ begin, plain_prefix(begin, (size_t)(reader->end - begin)) };
    reader->at += ret_text->length;
    if (reader->at < reader->end && *reader->at != '"' && !read_rest(reader, begin, ret_text))
        return false;
    return take(reader, '"');
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
        struct quick_member *member = object_find(as_object(object), key.data, key.length);

        if (member && reader->unique)
            return NULL;
        if (!member) /* before its value is read: the key may be in reader->text */
            member = object_append(as_object(object), key.data, key.length, json_null());
        json_t *value = take(reader, ':') ? read_value(reader) : NULL;

        if (!value)
            return NULL;
        json_decref(member->value);
        member->value = value;
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
           reader->at - digits <= DIGITS_MAXIMUM)
        value = 10 * value + (*reader->at++ - '0');
    if (reader->at == digits || reader->at - digits > DIGITS_MAXIMUM ||
        (*digits == '0' && reader->at - digits > 1))
        return NULL;
    if (reader->at < reader->end && strchr(".eE", *reader->at))
        return read_real(reader, begin);
    return json_integer(negative ? -value : value);
}

static json_t *read_value(struct reader *reader)
{
    struct span text;
    char first;

    skip_blanks(reader);
    first = reader->at < reader->end ? *reader->at : '\0';
    if (first == '-' || (first >= '0' && first <= '9'))
        return read_number(reader);
    reader->at++;
    switch (first) {
    case '"':
        return read_string(reader, &text) ? json_stringn_nocheck(text.data, text.length) : NULL;
    case '{':
        return read_object(reader);
    case '[':
        return read_array(reader);
    case 't':
        return take_word(reader, "rue") ? json_true() : NULL;
    case 'f':
        return take_word(reader, "alse") ? json_false() : NULL;
    case 'n':
        return take_word(reader, "ull") ? json_null() : NULL;
    default:
        reader->at--;
        return NULL;
    }
}

static json_t *read_whole(const char *text, size_t length, size_t flags)
{
    static struct reader reader;

    reader.at = text;
    reader.end = text + length;
    reader.unique = flags & JSON_REJECT_DUPLICATES;
    json_t *value auto_json = read_value(&reader);

    skip_blanks(&reader);
    if (reader.at != reader.end ||
        (!(flags & JSON_DECODE_ANY) && !json_is_object(value) && !json_is_array(value)))
        return NULL;
    return TAKE(value);
}

json_t *json_loadb(const char *text, size_t length, size_t flags, json_error_t *error)
{
    static json_t *(*jansson)(const char *, size_t, size_t, json_error_t *);
    json_t *value = read_whole(text, length, flags);

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
    for (size_t i = plain_prefix(text, length); i < length; i++) {
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
