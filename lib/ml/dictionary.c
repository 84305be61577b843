/* dictionary.c - a hash table of texts with linear probing. */
#include "ml/dictionary.h"

#include "base/mem.h"

uint64_t dictionary_hash(struct span text, uint64_t seed)
{
    uint64_t hash = seed ^ 0x9e3779b97f4a7c15u ^ text.length;
    size_t i = 0;

    /* Words are taken as little-endian, so that the value is the same everywhere. */
    for (; i + 8 <= text.length; i += 8) {
        uint64_t word;

        memcpy(&word, text.data + i, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
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
    free(dictionary->lengths);
    free(dictionary->slots);
    *dictionary = (struct dictionary){ 0 };
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t slot_of(const struct dictionary *dictionary, struct span text)
{
    uint32_t mask = dictionary->slot_count - 1;
    uint32_t slot = (uint32_t)dictionary_hash(text, 0) & mask;

    for (;; slot = (slot + 1) & mask) {
        uint32_t code = dictionary->slots[slot] - 1;

        if (dictionary->slots[slot] == 0)
            return slot;
        if (dictionary->lengths[code] == text.length &&
            (text.length == 0 || memcmp(dictionary->texts[code], text.data, text.length) == 0))
            return slot;
    }
}

static void grow(struct dictionary *dictionary)
{
    dictionary->capacity = dictionary->capacity ? dictionary->capacity * 2 : 8;
    dictionary->slot_count = dictionary->capacity * 2;
    dictionary->texts =
        mem_resize(dictionary->texts, dictionary->capacity, sizeof(*dictionary->texts));
    dictionary->lengths =
        mem_resize(dictionary->lengths, dictionary->capacity, sizeof(*dictionary->lengths));
    free(dictionary->slots);
    dictionary->slots = mem_zero(dictionary->slot_count, sizeof(*dictionary->slots));
    for (uint32_t code = 0; code < dictionary->count; code++)
        dictionary->slots[slot_of(dictionary, dictionary_text(dictionary, code))] = code + 1;
}

uint32_t dictionary_add(struct dictionary *dictionary, struct span text)
{
    uint32_t code = dictionary_find(dictionary, text);

    if (code != DICTIONARY_NONE)
        return code;
    if (dictionary->count == dictionary->capacity)
        grow(dictionary);
    code = dictionary->count;
    dictionary->slots[slot_of(dictionary, text)] = code + 1;
    dictionary->texts[code] = mem_strndup(text.length ? text.data : "", text.length);
    dictionary->lengths[code] = (uint32_t)text.length;
    dictionary->count++;
    return code;
}

uint32_t dictionary_find(const struct dictionary *dictionary, struct span text)
{
    uint32_t slot;

    if (dictionary->count == 0)
        return DICTIONARY_NONE;
    slot = slot_of(dictionary, text);
    return dictionary->slots[slot] ? dictionary->slots[slot] - 1 : DICTIONARY_NONE;
}
