#include "oci/token_cache.h"

#include <string.h>

#include "base/mem.h"

struct token_entry {
    char key[SHA256_HEX];
    char *token;
    int64_t expires_ms;
};

static void add_text(struct sha256 *hash, const char *text)
{
    sha256_add_part(hash, span_of(text ? "+" : "-"));
    sha256_add_part(hash, span_of(text ? text : ""));
}

static void hash_key(const struct token_key *key, char ret_hex[SHA256_HEX])
{
    struct sha256 hash;

    sha256_init(&hash);
    add_text(&hash, key->realm);
    add_text(&hash, key->service);
    add_text(&hash, key->scope);
    add_text(&hash, key->username);
    add_text(&hash, key->password);
    sha256_hex(&hash, ret_hex);
}

void token_cache_init(struct token_cache *cache, size_t maximum)
{
    *cache = (struct token_cache){ .maximum = maximum };
    cache->entries = mem_zero(maximum, sizeof(*cache->entries));
}

static void forget(struct token_entry *entry)
{
    explicit_bzero(entry->token, strlen(entry->token));
    free(entry->token);
}

void token_cache_release(struct token_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        forget(&cache->entries[i]);
    free(cache->entries);
    *cache = (struct token_cache){ 0 };
}

static struct token_entry *find(const struct token_cache *cache, const struct token_key *key)
{
    char hex[SHA256_HEX];

    hash_key(key, hex);
    for (size_t i = 0; i < cache->count; i++)
        if (strcmp(cache->entries[i].key, hex) == 0)
            return &cache->entries[i];
    return NULL;
}

const char *token_cache_get(const struct token_cache *cache, const struct token_key *key,
                            int64_t now_ms)
{
    const struct token_entry *entry = find(cache, key);

    return entry && now_ms < entry->expires_ms ? entry->token : NULL;
}

void token_cache_drop(struct token_cache *cache, const struct token_key *key)
{
    struct token_entry *entry = find(cache, key);

    if (!entry)
        return;
    forget(entry);
    *entry = cache->entries[--cache->count];
}

static struct token_entry *make_room(struct token_cache *cache)
{
    struct token_entry *first = cache->entries;

    if (cache->count < cache->maximum)
        return &cache->entries[cache->count++];
    for (size_t i = 1; i < cache->count; i++)
        if (cache->entries[i].expires_ms < first->expires_ms)
            first = &cache->entries[i];
    forget(first);
    return first;
}

void token_cache_put(struct token_cache *cache, const struct token_key *key, const char *token,
                     int64_t expires_ms)
{
    token_cache_drop(cache, key);
    struct token_entry *entry = make_room(cache);
    hash_key(key, entry->key);
    entry->token = mem_strdup(token);
    entry->expires_ms = expires_ms;
}
