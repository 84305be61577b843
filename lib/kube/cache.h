/* cache.h - a packed store of what is known about the objects of one kind.
 *
 * An entry is one block of memory: identity (namespace, name, uid,
 * resourceVersion), the controlling owner, and a blob of bytes that the owner of
 * the cache made out of the object. Entries never change: a newer version
 * replaces them, so a pointer is valid until the next cache_put() or
 * cache_remove() of its key. They are found by namespace and name (one open-addressing hash
 * table) and by the uid of their owner (an index of lists).
 *
 * To replace the whole content without a second store: cache_begin(), put all
 * objects that exist, then remove what cache_next_stale() finds.
 *
 * The position is the resourceVersion up to which every change has been seen: of
 * a complete list, of a later event, of a bookmark. One thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct cache;
struct cache_entry;

/* What goes in; copied. */
struct cache_object {
    const char *namespace; /* "" for cluster-scoped objects */
    const char *name, *uid, *resource_version;
    const char *owner_uid, *owner_kind, *owner_name; /* the controller; "" or NULL: none */
    struct span blob;
};

struct cache *cache_new(void) __attribute__((returns_nonnull, warn_unused_result));
void cache_free(struct cache *cache); /* NULL: no effect */

/* Puts a version of an object. *ret_old is the entry it replaces, which the caller frees
 * with cache_entry_free(); NULL when there was none. ERR_TOO_BIG when a text is longer
 * than Kubernetes allows (nothing is changed then). */
int cache_put(struct cache *cache, const struct cache_object *object,
              const struct cache_entry **ret_entry, struct cache_entry **ret_old, struct err *err)
    __attribute__((warn_unused_result));

/* Takes an entry out; the caller frees it. NULL when there is none. */
struct cache_entry *cache_remove(struct cache *cache, const char *namespace, const char *name)
    __attribute__((warn_unused_result));
void cache_entry_free(struct cache_entry *entry); /* NULL: no effect */

/* NULL when there is none. */
const struct cache_entry *cache_get(const struct cache *cache, const char *namespace,
                                    const char *name);

/* Every entry, in no order: start with *cursor = 0; NULL at the end. The cache must not
 * change meanwhile. */
const struct cache_entry *cache_next(const struct cache *cache, size_t *cursor);

/* The entries with this owner, in no order; NULL at the end. */
const struct cache_entry *cache_first_owned(const struct cache *cache, const char *owner_uid);
const struct cache_entry *cache_next_owned(const struct cache_entry *entry);

/* --- an entry; texts are never NULL and live as long as it does --- */
const char *cache_entry_namespace(const struct cache_entry *entry);
const char *cache_entry_name(const struct cache_entry *entry);
const char *cache_entry_uid(const struct cache_entry *entry);
const char *cache_entry_resource_version(const struct cache_entry *entry);
const char *cache_entry_owner_uid(const struct cache_entry *entry);
const char *cache_entry_owner_kind(const struct cache_entry *entry);
const char *cache_entry_owner_name(const struct cache_entry *entry);
/* Aligned for any type. */
struct span cache_entry_blob(const struct cache_entry *entry);

/* --- replacing the content --- */
void cache_begin(struct cache *cache);
/* Marks an entry as still there, without a new version. */
void cache_touch(struct cache *cache, const struct cache_entry *entry);
/* An entry that was neither put nor touched since cache_begin(); NULL: no more. Start with
 * *cursor = 0; what is returned must be removed before the next call. */
const struct cache_entry *cache_next_stale(const struct cache *cache, size_t *cursor);

/* --- position --- */
void cache_set_position(struct cache *cache, const char *resource_version);
const char *cache_position(const struct cache *cache); /* "" before the first complete list */

/* Read-your-writes: whether the cache shows this object as it was at
 * `resource_version` or later - its entry is as new, or the position is (then the object may
 * have been deleted since). */
bool cache_is_at_least(const struct cache *cache, const char *namespace, const char *name,
                       const char *resource_version);

/* <0, 0, >0 as a is older than, the same as, newer than b: decimal numbers of any
 * length, compared by length and then as text (KEP-5504). "" is older than all. */
int resource_version_compare(const char *a, const char *b);

size_t cache_count(const struct cache *cache);
/* Bytes that the entries and tables were allocated with. */
size_t cache_bytes(const struct cache *cache);
