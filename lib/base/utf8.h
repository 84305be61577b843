/* utf8.h - checking and mending of UTF-8 (RFC 3629).
 *
 * Text from outside ends in messages, logs and JSON, which must be UTF-8. */
#pragma once

#include <stddef.h>

/* The length (1 to 4) of the character that `bytes` begins with; 0 when it is
 * cut off, overlong, a surrogate, beyond U+10FFFF or otherwise no UTF-8. */
size_t utf8_character(const char *bytes, size_t length);

/* The length of the longest prefix that is whole UTF-8 characters. */
size_t utf8_valid_prefix(const char *bytes, size_t length);

/* Replaces, in place, every byte that is not part of a character by '?'. */
void utf8_mend(char *bytes, size_t length);

/* The same, and control characters too: text for one line of a log or status. */
void utf8_one_line(char *bytes, size_t length);
