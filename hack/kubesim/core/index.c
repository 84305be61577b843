#include "kubesim/core/index.h"

#include <string.h>

#include "base/mem.h"

void index_release(struct index *index)
{
    for (size_t i = 0; i < index->count; i++)
        free(index->entries[i].key);
    free(index->entries);
    *index = (struct index){ 0 };
}

size_t index_lower(const struct index *index, const char *key)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(index->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct index *index, size_t position, const char *key)
{
    return position < index->count && strcmp(index->entries[position].key, key) == 0;
}

void *index_get(const struct index *index, const char *key)
{
    size_t position = index_lower(index, key);
    return is_at(index, position, key) ? index->entries[position].value : NULL;
}

const char *index_put(struct index *index, const char *key, void *value)
{
    size_t position = index_lower(index, key);
    if (!is_at(index, position, key)) {
        if (index->count == index->capacity) {
            index->capacity = index->capacity ? 2 * index->capacity : 16;
            index->entries = mem_resize(index->entries, index->capacity, sizeof(*index->entries));
        }
        memmove(index->entries + position + 1, index->entries + position,
                (index->count - position) * sizeof(*index->entries));
        index->entries[position].key = mem_strdup(key);
        index->count++;
    }
    index->entries[position].value = value;
    return index->entries[position].key;
}

void *index_remove(struct index *index, const char *key)
{
    size_t position = index_lower(index, key);
    if (!is_at(index, position, key))
        return NULL;
    void *value = index->entries[position].value;
    free(index->entries[position].key);
    index->count--;
    memmove(index->entries + position, index->entries + position + 1,
            (index->count - position) * sizeof(*index->entries));
    return value;
}

bool index_has_prefix(const struct index *index, size_t position, const char *prefix)
{
    return position < index->count &&
           strncmp(index->entries[position].key, prefix, strlen(prefix)) == 0;
}
