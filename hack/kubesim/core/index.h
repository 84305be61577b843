/* index.h - a sorted map from text to pointers.
 *
 * A sorted array with binary search: look-ups take a few dozen nanoseconds,
 * ranges come in key order (what lists and their continue tokens need), and an
 * insertion moves a few hundred KiB at worst for the tens of thousands of
 * objects this server is made for. Keys are copied, values are borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct index_entry {
    char *key;
    void *value;
};

struct index {
    struct index_entry *entries; /* sorted by key */
    size_t count, capacity;
};

void index_release(struct index *index); /* safe on a zeroed struct */
#define auto_index __attribute__((cleanup(index_release)))

/* The position of the first entry whose key is >= `key`; count when there is none. */
size_t index_lower(const struct index *index, const char *key);
void *index_get(const struct index *index, const char *key); /* NULL: absent */
/* Replaces the value when the key is there. Returns the index's copy of the key. */
const char *index_put(struct index *index, const char *key, void *value);
void *index_remove(struct index *index, const char *key); /* the value, or NULL */

/* True while the entry at `position` begins with `prefix`: the loop condition over a range. */
bool index_has_prefix(const struct index *index, size_t position, const char *prefix);
