#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The second byte's range is what rules out overlong forms, surrogates and
 * code points beyond U+10FFFF (RFC 3629, section 4). */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return is_continuation(second);
    }
}

static size_t length_by_first_byte(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    if (first >= 0xF0 && first <= 0xF4)
        return 4;
    return 0;
}

size_t utf8_character(const char *bytes, size_t length)
{
    const unsigned char *text = (const unsigned char *)bytes;
    size_t needed = length > 0 ? length_by_first_byte(text[0]) : 0;

    if (needed == 0 || needed > length)
        return 0;
    if (needed > 1 && !second_byte_fits(text[0], text[1]))
        return 0;
    for (size_t i = 2; i < needed; i++) {
        if (!is_continuation(text[i]))
            return 0;
    }
    return needed;
}

/* Eight bytes at once: most of what is checked is plain ASCII. */
static size_t skip_ascii(const char *bytes, size_t length, size_t position)
{
    uint64_t word;

    for (; position + sizeof(word) <= length; position += sizeof(word)) {
        memcpy(&word, bytes + position, sizeof(word));
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (position < length && (unsigned char)bytes[position] < 0x80)
        position++;
    return position;
}

size_t utf8_valid_prefix(const char *bytes, size_t length)
{
    size_t position = 0;

    for (;;) {
        position = skip_ascii(bytes, length, position);
        if (position == length)
            break;
        size_t step = utf8_character(bytes + position, length - position);

        if (step == 0)
            break;
        position += step;
    }
    return position;
}

void utf8_mend(char *bytes, size_t length)
{
    for (size_t position = utf8_valid_prefix(bytes, length); position < length;) {
        bytes[position++] = '?';
        position += utf8_valid_prefix(bytes + position, length - position);
    }
}

void utf8_one_line(char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7F)
            bytes[i] = '?';
    }
    utf8_mend(bytes, length);
}
