/* dictionary.h - distinct texts numbered 0, 1, 2, ... in the order of adding.
 *
 * Look-ups are safe from many threads while nothing is added. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define DICTIONARY_NONE UINT32_MAX

struct dictionary {
    char **texts;                /* NUL-terminated */
    struct dictionary_key *keys; /* of the texts */
    uint32_t count, capacity;
    uint32_t *slots; /* open addressing: code + 1, 0 is free */
    uint32_t slot_count;
};

/* What is compared at once: a text of at most SPAN_ROOM bytes with zeros behind it, or hashes of a
 * longer one. */
#define DICTIONARY_WORDS (SPAN_ROOM / 8)
struct dictionary_key {
    uint64_t words[DICTIONARY_WORDS];
    uint32_t length; /* of the text */
};

void dictionary_release(struct dictionary *dictionary); /* safe on a zeroed one */

/* The code of a text, added when new. */
uint32_t dictionary_add(struct dictionary *dictionary, struct span text);

/* The code, or DICTIONARY_NONE. */
uint32_t dictionary_find(const struct dictionary *dictionary, struct span text);

/* The same, faster, for a text that has room (span.h). */
uint32_t dictionary_find_roomy(const struct dictionary *dictionary, struct span text);

static inline struct span dictionary_text(const struct dictionary *dictionary, uint32_t code)
{
    return (struct span){ dictionary->texts[code], dictionary->keys[code].length };
}

/* 64 bits that depend on every byte; the same on every machine. For tables and
 * fingerprints, not for secrets. */
uint64_t dictionary_hash(struct span text, uint64_t seed);
