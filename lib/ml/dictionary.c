/* dictionary.c - a hash table of texts with linear probing. */
#include "ml/dictionary.h"

#include "base/mem.h"

uint64_t dictionary_hash(struct span text, uint64_t seed)
{
    uint64_t hash = seed ^ 0x9e3779b97f4a7c15u ^ text.length;
    size_t i = 0;

    for (; i + 8 <= text.length; i += 8) {
        hash = (hash ^ span_load(text.data + i)) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 29);
}

void dictionary_release(struct dictionary *dictionary)
{
    for (uint32_t i = 0; i < dictionary->count; i++)
        free(dictionary->texts[i]);
    free(dictionary->texts);
    free(dictionary->keys);
    free(dictionary->slots);
    *dictionary = (struct dictionary){ 0 };
}

/* What a look-up is made of: in one piece the words of a key are nowhere but in registers. */
#define IN_REGISTERS static inline __attribute__((always_inline))

/* Of a text of at most SPAN_ROOM bytes that has room. */
IN_REGISTERS struct dictionary_key key_of_roomy(struct span text)
{
    static const char kept[2 * SPAN_ROOM] = { [0 ... SPAN_ROOM - 1] = -1 };
    struct dictionary_key key = { .length = (uint32_t)text.length };
    const char *mask = kept + SPAN_ROOM - text.length;

    for (size_t i = 0; i < DICTIONARY_WORDS; i++)
        key.words[i] = span_load(text.data + 8 * i) & span_load(mask + 8 * i);
    return key;
}

static struct dictionary_key key_of(struct span text)
{
    struct dictionary_key key = { .length = (uint32_t)text.length };
    char room[SPAN_ROOM] = { 0 };

    if (text.length > SPAN_ROOM) {
        key.words[0] = dictionary_hash(text, 0);
        return key;
    }
    if (text.length > 0)
        memcpy(room, text.data, text.length);
    return key_of_roomy((struct span){ room, text.length });
}

IN_REGISTERS uint32_t hash_of(const struct dictionary_key *key)
{
    static const uint64_t factors[DICTIONARY_WORDS] = { 0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu,
                                                        0x165667b19e3779f9u, 0x85ebca77c2b2ae63u };
    uint64_t hash = 0;

    for (size_t i = 0; i < DICTIONARY_WORDS; i++)
        hash += key->words[i] * factors[i];
    return (uint32_t)((hash ^ hash >> 32) * 0xff51afd7ed558ccdu >> 32);
}

/* All words at once: which one differs is nothing that a processor could guess. */
IN_REGISTERS bool is_key(const struct dictionary_key *a, const struct dictionary_key *b)
{
    uint64_t difference = a->length ^ b->length;

    for (size_t i = 0; i < DICTIONARY_WORDS; i++)
        difference |= a->words[i] ^ b->words[i];
    return difference == 0;
}

/* The slot that holds the text, or the free one where it belongs. */
IN_REGISTERS uint32_t slot_of(const struct dictionary *dictionary, const struct dictionary_key *key,
                              struct span text)
{
    uint32_t mask = dictionary->slot_count - 1;
    uint32_t index = hash_of(key) & mask;

    for (;; index = (index + 1) & mask) {
        uint32_t number = dictionary->slots[index];

        if (number == 0)
            return index;
        if (is_key(&dictionary->keys[number - 1], key) &&
            (key->length <= SPAN_ROOM ||
             memcmp(dictionary->texts[number - 1], text.data, text.length) == 0))
            return index;
    }
}

static void fill_slot(struct dictionary *dictionary, uint32_t code)
{
    const struct dictionary_key *key = &dictionary->keys[code];

    dictionary->slots[slot_of(dictionary, key, dictionary_text(dictionary, code))] = code + 1;
}

/* So many slots that a look-up seldom meets another text. */
static void grow(struct dictionary *dictionary)
{
    dictionary->capacity = dictionary->capacity ? dictionary->capacity * 2 : 16;
    dictionary->slot_count = dictionary->capacity * 4;
    dictionary->texts =
        mem_resize(dictionary->texts, dictionary->capacity, sizeof(*dictionary->texts));
    dictionary->keys =
        mem_resize(dictionary->keys, dictionary->capacity, sizeof(*dictionary->keys));
    free(dictionary->slots);
    dictionary->slots = mem_zero(dictionary->slot_count, sizeof(*dictionary->slots));
    for (uint32_t code = 0; code < dictionary->count; code++)
        fill_slot(dictionary, code);
}

uint32_t dictionary_add(struct dictionary *dictionary, struct span text)
{
    uint32_t code = dictionary_find(dictionary, text);

    if (code != DICTIONARY_NONE)
        return code;
    if (dictionary->count == dictionary->capacity)
        grow(dictionary);
    code = dictionary->count;
    dictionary->texts[code] = mem_strndup(text.length ? text.data : "", text.length);
    dictionary->keys[code] = key_of(text);
    fill_slot(dictionary, code);
    dictionary->count++;
    return code;
}

IN_REGISTERS uint32_t find(const struct dictionary *dictionary, const struct dictionary_key *key,
                           struct span text)
{
    if (dictionary->count == 0)
        return DICTIONARY_NONE;
    uint32_t number = dictionary->slots[slot_of(dictionary, key, text)];

    return number ? number - 1 : DICTIONARY_NONE;
}

uint32_t dictionary_find(const struct dictionary *dictionary, struct span text)
{
    struct dictionary_key key = key_of(text);

    return find(dictionary, &key, text);
}

uint32_t dictionary_find_roomy(const struct dictionary *dictionary, struct span text)
{
    if (text.length > SPAN_ROOM)
        return dictionary_find(dictionary, text);
    struct dictionary_key key = key_of_roomy(text);

    return find(dictionary, &key, text);
}
