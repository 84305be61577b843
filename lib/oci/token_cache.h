/* token_cache.h - pure: bearer tokens of registries until they expire.
 *
 * The key covers who asked (credentials) besides what was asked for, so that a
 * token fetched with one namespace's pull secret never serves another. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

struct token_key {
    const char *realm, *service, *scope; /* service, scope: NULL when not given */
    const char *username, *password;     /* NULL: anonymous */
};

struct token_cache {
    struct token_entry *entries;
    size_t count, maximum; /* the entry that expires first gives way */
};

void token_cache_init(struct token_cache *cache, size_t maximum);
void token_cache_release(struct token_cache *cache);

/* Borrowed until the next change; NULL: none, or expired. */
const char *token_cache_get(const struct token_cache *cache, const struct token_key *key,
                            int64_t now_ms);
void token_cache_put(struct token_cache *cache, const struct token_key *key, const char *token,
                     int64_t expires_ms);
void token_cache_drop(struct token_cache *cache, const struct token_key *key);
