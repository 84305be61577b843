/* dictionary.h - distinct texts numbered 0, 1, 2, ... in the order of adding.
 *
 * Look-ups are safe from many threads while nothing is added. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define DICTIONARY_NONE UINT32_MAX

struct dictionary {
    char **texts; /* NUL-terminated */
    uint32_t *lengths;
    uint32_t count, capacity;
    struct dictionary_slot *slots; /* open addressing */
    uint32_t slot_count;
};

/* A text as it is looked for: `head` and `tail` tell texts of one length up to 16 bytes
 * apart, and almost all longer ones. */
struct dictionary_slot {
    uint64_t head, tail;
    uint32_t length;
    uint32_t number; /* code + 1, 0 is free */
};

void dictionary_release(struct dictionary *dictionary); /* safe on a zeroed one */

/* The code of a text, added when new. */
uint32_t dictionary_add(struct dictionary *dictionary, struct span text);

/* The code, or DICTIONARY_NONE. */
uint32_t dictionary_find(const struct dictionary *dictionary, struct span text);

static inline struct span dictionary_text(const struct dictionary *dictionary, uint32_t code)
{
    return (struct span){ dictionary->texts[code], dictionary->lengths[code] };
}

/* 64 bits that depend on every byte; the same on every machine. For tables and
 * fingerprints, not for secrets. */
uint64_t dictionary_hash(struct span text, uint64_t seed);
