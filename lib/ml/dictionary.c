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

static uint64_t load_8(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint32_t load_4(const char *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* What overlaps in short texts does not hurt: their length is compared too. */
static struct dictionary_slot key_of(struct span text)
{
    struct dictionary_slot key = { .length = (uint32_t)text.length };
    const unsigned char *bytes = (const unsigned char *)text.data;

    if (text.length >= 8) {
        key.head = load_8(text.data);
        key.tail =
            text.length <= 16 ? load_8(text.data + text.length - 8) : dictionary_hash(text, 0);
    } else if (text.length >= 4) {
        key.head = load_4(text.data) | (uint64_t)load_4(text.data + text.length - 4) << 32;
    } else if (text.length > 0) {
        key.head = bytes[0] | (uint64_t)bytes[text.length / 2] << 8 |
                   (uint64_t)bytes[text.length - 1] << 16;
    }
    return key;
}

static uint32_t hash_of(const struct dictionary_slot *key)
{
    uint64_t hash = key->head * 0x9e3779b97f4a7c15u + key->tail * 0xc2b2ae3d27d4eb4fu + key->length;

    return (uint32_t)((hash ^ hash >> 32) * 0xff51afd7ed558ccdu >> 32);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t slot_of(const struct dictionary *dictionary, const struct dictionary_slot *key,
                        struct span text)
{
    uint32_t mask = dictionary->slot_count - 1;
    uint32_t index = hash_of(key) & mask;

    for (;; index = (index + 1) & mask) {
        const struct dictionary_slot *slot = &dictionary->slots[index];

        if (slot->number == 0)
            return index;
        if (slot->length == key->length && slot->head == key->head && slot->tail == key->tail &&
            (key->length <= 16 ||
             memcmp(dictionary->texts[slot->number - 1], text.data, text.length) == 0))
            return index;
    }
}

static void fill_slot(struct dictionary *dictionary, struct span text, uint32_t code)
{
    struct dictionary_slot key = key_of(text);
    uint32_t index = slot_of(dictionary, &key, text);

    key.number = code + 1;
    dictionary->slots[index] = key;
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
        fill_slot(dictionary, dictionary_text(dictionary, code), code);
}

uint32_t dictionary_add(struct dictionary *dictionary, struct span text)
{
    uint32_t code = dictionary_find(dictionary, text);

    if (code != DICTIONARY_NONE)
        return code;
    if (dictionary->count == dictionary->capacity)
        grow(dictionary);
    code = dictionary->count;
    fill_slot(dictionary, text, code);
    dictionary->texts[code] = mem_strndup(text.length ? text.data : "", text.length);
    dictionary->lengths[code] = (uint32_t)text.length;
    dictionary->count++;
    return code;
}

uint32_t dictionary_find(const struct dictionary *dictionary, struct span text)
{
    if (dictionary->count == 0)
        return DICTIONARY_NONE;
    struct dictionary_slot key = key_of(text);
    const struct dictionary_slot *slot = &dictionary->slots[slot_of(dictionary, &key, text)];

    return slot->number ? slot->number - 1 : DICTIONARY_NONE;
}
