#include "base/base64.h"

#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t count = bytes.length - i < 3 ? bytes.length - i : 3;
        uint32_t group = 0;

        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? (unsigned char)bytes.data[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            buf_char(out, j <= count ? ALPHABET[group >> (18 - 6 * j) & 63] : '=');
    }
}

static int bad_base64(struct err *err)
{
    return err_set(err, ERR_INVALID, "not valid base64");
}

/* Four characters, the last one or two of which may be padding. */
static int decode_group(struct buf *out, const char characters[4], struct err *err)
{
    size_t count = characters[3] != '=' ? 3 : characters[2] != '=' ? 2 : 1;
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        const char *found = i <= count ? strchr(ALPHABET, characters[i]) : ALPHABET;

        if (!found || (i > count && characters[i] != '='))
            return bad_base64(err);
        group = group << 6 | (uint32_t)(found - ALPHABET);
    }
    if (group & ((1u << 8 * (3 - count)) - 1))
        return bad_base64(err); /* bits that no encoder leaves behind */
    for (size_t i = 0; i < count; i++)
        buf_char(out, (char)(group >> (16 - 8 * i)));
    return 0;
}

int base64_decode(struct buf *out, struct span text, struct err *err)
{
    char characters[4];
    size_t count = 0;
    bool ended = false;

    for (size_t i = 0; i < text.length; i++) {
        char character = text.data[i];

        if (character == ' ' || character == '\t' || character == '\r' || character == '\n')
            continue;
        if (ended || character == '\0')
            return bad_base64(err);
        characters[count++] = character;
        if (count < 4)
            continue;
        if (decode_group(out, characters, err) < 0)
            return -1;
        ended = character == '=';
        count = 0;
    }
    return count == 0 ? 0 : bad_base64(err);
}

static int url_digit(char character)
{
    const char *found = character == '-'                       ? strchr(ALPHABET, '+')
                        : character == '_'                     ? strchr(ALPHABET, '/')
                        : character == '+' || character == '/' ? NULL
                                                               : strchr(ALPHABET, character);

    return found && *found ? (int)(found - ALPHABET) : -1;
}

int base64url_decode(struct buf *out, struct span text, struct err *err)
{
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are not written yet */

    for (size_t i = 0; i < text.length; i++) {
        int digit = url_digit(text.data[i]);

        if (digit < 0)
            return bad_base64(err);
        bits = (bits << 6 | (uint32_t)digit) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_char(out, (char)(bits >> count));
        }
    }
    if (count >= 6 || (bits & ((1u << count) - 1)))
        return bad_base64(err); /* a digit too many, or bits that no encoder leaves behind */
    return 0;
}
