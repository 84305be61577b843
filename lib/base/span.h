/* span.h - a view of bytes somebody else owns; what parsers take and give. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *data; /* not NUL-terminated; may be NULL when length is 0 */
    size_t length;
};

static inline struct span span_of(const char *text)
{
    return (struct span){ text, strlen(text) };
}

static inline bool span_equals(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.data, text, span.length) == 0;
}

/* Without leading and trailing blanks and tabs. */
static inline struct span span_trim(struct span span)
{
    while (span.length > 0 && (span.data[0] == ' ' || span.data[0] == '\t'))
        span.data++, span.length--;
    while (span.length > 0 &&
           (span.data[span.length - 1] == ' ' || span.data[span.length - 1] == '\t'))
        span.length--;
    return span;
}

/* A text has room when SPAN_ROOM bytes behind its end can be read, whatever they are: what is
 * short is then loaded at once, without asking for its length first. Parts of it have room, too. */
#define SPAN_ROOM 32

/* Eight times the same byte, to compute with eight bytes at once. */
#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte))

/* Eight bytes as a number, the first one lowest. */
static inline uint64_t span_load(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}
