#include "kube/cache.h"

#include <assert.h>

#include "base/mem.h"

/* Longest texts that the API server accepts, with room where it sets no limit. */
enum {
    NAMESPACE_MAXIMUM = 63,
    NAME_MAXIMUM = 253,
    UID_MAXIMUM = 128,
    VERSION_MAXIMUM = 64,
    KIND_MAXIMUM = 63,
};

enum text { NAMESPACE, NAME, UID, VERSION, OWNER_UID, OWNER_KIND, OWNER_NAME, TEXT_COUNT };

static const struct {
    const char *path;
    size_t maximum;
} TEXTS[TEXT_COUNT] = {
    [NAMESPACE] = { "metadata.namespace", NAMESPACE_MAXIMUM },
    [NAME] = { "metadata.name", NAME_MAXIMUM },
    [UID] = { "metadata.uid", UID_MAXIMUM },
    [VERSION] = { "metadata.resourceVersion", VERSION_MAXIMUM },
    [OWNER_UID] = { "metadata.ownerReferences.uid", UID_MAXIMUM },
    [OWNER_KIND] = { "metadata.ownerReferences.kind", KIND_MAXIMUM },
    [OWNER_NAME] = { "metadata.ownerReferences.name", NAME_MAXIMUM },
};

/* The blob stands first behind the header, where it is aligned; then the texts, each with its
 * NUL, in the order of enum text. */
struct cache_entry {
    struct cache_entry *next_owned, *previous_owned;
    uint32_t hash; /* of namespace and name */
    uint32_t stamp;
    uint32_t blob_length;
    uint16_t text[TEXT_COUNT]; /* offsets from the end of the blob */
    uint16_t texts_length;
    _Alignas(max_align_t) char content[];
};

/* Linear probing; a slot is empty when NULL; at most 3/4 full. */
struct table {
    struct cache_entry **slots;
    size_t capacity, count; /* capacity is 0 or a power of two */
};

struct cache {
    struct table entries; /* by namespace and name */
    struct table owners;  /* by owner uid: the head of each owner's list */
    uint32_t stamp;
    size_t entry_bytes;
    char *position;
};

/* --- entries ------------------------------------------------------------- */

static const char *entry_text(const struct cache_entry *entry, enum text text)
{
    return entry->content + entry->blob_length + entry->text[text];
}

const char *cache_entry_namespace(const struct cache_entry *entry)
{
    return entry_text(entry, NAMESPACE);
}

const char *cache_entry_name(const struct cache_entry *entry)
{
    return entry_text(entry, NAME);
}

const char *cache_entry_uid(const struct cache_entry *entry)
{
    return entry_text(entry, UID);
}

const char *cache_entry_resource_version(const struct cache_entry *entry)
{
    return entry_text(entry, VERSION);
}

const char *cache_entry_owner_uid(const struct cache_entry *entry)
{
    return entry_text(entry, OWNER_UID);
}

const char *cache_entry_owner_kind(const struct cache_entry *entry)
{
    return entry_text(entry, OWNER_KIND);
}

const char *cache_entry_owner_name(const struct cache_entry *entry)
{
    return entry_text(entry, OWNER_NAME);
}

struct span cache_entry_blob(const struct cache_entry *entry)
{
    return (struct span){ entry->content, entry->blob_length };
}

static size_t entry_bytes(const struct cache_entry *entry)
{
    return sizeof(*entry) + entry->blob_length + entry->texts_length;
}

/* FNV-1a, 32 bits: keys are short, and an attacker who could choose names to collide could
 * as well create more objects. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return (hash ^ 0xff) * 16777619u; /* an end no text contains: "a","bc" is not "ab","c" */
}

#define HASH_START 2166136261u

static uint32_t hash_key(const char *namespace, const char *name)
{
    return hash_text(hash_text(HASH_START, namespace), name);
}

static int entry_new(const struct cache_object *object, struct cache_entry **ret_entry,
                     struct err *err)
{
    const char *texts[TEXT_COUNT] = {
        [NAMESPACE] = object->namespace,
        [NAME] = object->name,
        [UID] = object->uid,
        [VERSION] = object->resource_version,
        [OWNER_UID] = object->owner_uid,
        [OWNER_KIND] = object->owner_kind,
        [OWNER_NAME] = object->owner_name,
    };
    size_t lengths[TEXT_COUNT], total = 0;

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        lengths[i] = texts[i] ? strlen(texts[i]) : 0;
        if (lengths[i] > TEXTS[i].maximum)
            return err_set(err, ERR_TOO_BIG, "%s is longer than %zu bytes", TEXTS[i].path,
                           TEXTS[i].maximum);
        total += lengths[i] + 1;
    }
    if (object->blob.length > UINT32_MAX)
        return err_set(err, ERR_TOO_BIG, "a projection is larger than %u bytes", UINT32_MAX);

    struct cache_entry *entry = mem_alloc(sizeof(*entry) + object->blob.length + total);
    char *at = entry->content;

    *entry = (struct cache_entry){ .blob_length = (uint32_t)object->blob.length,
                                   .texts_length = (uint16_t)total };
    if (object->blob.length > 0)
        memcpy(at, object->blob.data, object->blob.length);
    at += object->blob.length;
    for (size_t i = 0, offset = 0; i < TEXT_COUNT; offset += lengths[i++] + 1) {
        entry->text[i] = (uint16_t)offset;
        if (lengths[i] > 0)
            memcpy(at + offset, texts[i], lengths[i]);
        at[offset + lengths[i]] = '\0';
    }
    entry->hash = hash_key(entry_text(entry, NAMESPACE), entry_text(entry, NAME));
    *ret_entry = entry;
    return 0;
}

void cache_entry_free(struct cache_entry *entry)
{
    free(entry);
}

/* --- tables -------------------------------------------------------------- */

typedef uint32_t (*table_hash)(const struct cache_entry *entry);

static uint32_t entry_hash(const struct cache_entry *entry)
{
    return entry->hash;
}

static uint32_t owner_hash(const struct cache_entry *entry)
{
    return hash_text(HASH_START, entry_text(entry, OWNER_UID));
}

static void table_insert(struct table *table, struct cache_entry *entry, uint32_t hash)
{
    size_t slot = hash & (table->capacity - 1);

    while (table->slots[slot])
        slot = (slot + 1) & (table->capacity - 1);
    table->slots[slot] = entry;
    table->count++;
}

static void table_reserve(struct table *table, table_hash hash)
{
    struct table larger = { .capacity = table->capacity ? table->capacity * 2 : 16 };

    if (table->count + 1 <= table->capacity / 4 * 3)
        return;
    larger.slots = mem_zero(larger.capacity, sizeof(*larger.slots));
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i])
            table_insert(&larger, table->slots[i], hash(table->slots[i]));
    free(table->slots);
    *table = larger;
}

/* Closes the gap that an emptied slot leaves, so that probing never ends early: each entry
 * behind it moves up unless it already stands between its own slot and the gap. */
static void table_clear_slot(struct table *table, size_t gap, table_hash hash)
{
    size_t mask = table->capacity - 1;

    for (size_t i = (gap + 1) & mask; table->slots[i]; i = (i + 1) & mask) {
        size_t home = hash(table->slots[i]) & mask;

        if (((i - home) & mask) >= ((i - gap) & mask)) {
            table->slots[gap] = table->slots[i];
            gap = i;
        }
    }
    table->slots[gap] = NULL;
    table->count--;
}

static struct cache_entry **find_entry(const struct cache *cache, const char *namespace,
                                       const char *name)
{
    const struct table *table = &cache->entries;
    uint32_t hash = hash_key(namespace, name);

    if (table->capacity == 0)
        return NULL;
    for (size_t i = hash & (table->capacity - 1); table->slots[i];
         i = (i + 1) & (table->capacity - 1)) {
        const struct cache_entry *entry = table->slots[i];

        if (entry->hash == hash && strcmp(entry_text(entry, NAME), name) == 0 &&
            strcmp(entry_text(entry, NAMESPACE), namespace) == 0)
            return &table->slots[i];
    }
    return NULL;
}

static struct cache_entry **find_owner(const struct cache *cache, const char *uid)
{
    const struct table *table = &cache->owners;

    if (table->capacity == 0)
        return NULL;
    for (size_t i = hash_text(HASH_START, uid) & (table->capacity - 1); table->slots[i];
         i = (i + 1) & (table->capacity - 1))
        if (strcmp(entry_text(table->slots[i], OWNER_UID), uid) == 0)
            return &table->slots[i];
    return NULL;
}

/* --- the index by owner --------------------------------------------------- */

static void link_owned(struct cache *cache, struct cache_entry *entry)
{
    const char *uid = entry_text(entry, OWNER_UID);

    if (!*uid)
        return;

    struct cache_entry **head = find_owner(cache, uid);
    if (head) {
        entry->next_owned = *head;
        (*head)->previous_owned = entry;
        *head = entry;
        return;
    }
    table_reserve(&cache->owners, owner_hash);
    table_insert(&cache->owners, entry, owner_hash(entry));
}

static void unlink_owned(struct cache *cache, struct cache_entry *entry)
{
    const char *uid = entry_text(entry, OWNER_UID);

    if (!*uid)
        return;
    if (entry->next_owned)
        entry->next_owned->previous_owned = entry->previous_owned;
    if (entry->previous_owned) {
        entry->previous_owned->next_owned = entry->next_owned;
    } else {
        struct cache_entry **head = find_owner(cache, uid);

        assert(head && *head == entry);
        if (entry->next_owned)
            *head = entry->next_owned;
        else
            table_clear_slot(&cache->owners, (size_t)(head - cache->owners.slots), owner_hash);
    }
    entry->next_owned = entry->previous_owned = NULL;
}

const struct cache_entry *cache_first_owned(const struct cache *cache, const char *owner_uid)
{
    struct cache_entry **head = find_owner(cache, owner_uid);

    return head ? *head : NULL;
}

const struct cache_entry *cache_next_owned(const struct cache_entry *entry)
{
    return entry->next_owned;
}

/* --- the cache ------------------------------------------------------------ */

struct cache *cache_new(void)
{
    struct cache *cache = mem_zero(1, sizeof(*cache));

    cache->position = mem_strdup("");
    return cache;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->entries.capacity; i++)
        free(cache->entries.slots[i]);
    free(cache->entries.slots);
    free(cache->owners.slots);
    free(cache->position);
    free(cache);
}

int cache_put(struct cache *cache, const struct cache_object *object,
              const struct cache_entry **ret_entry, struct cache_entry **ret_old, struct err *err)
{
    struct cache_entry *entry = NULL, *old = NULL;

    if (entry_new(object, &entry, err) < 0)
        return -1;

    struct cache_entry **slot =
        find_entry(cache, entry_text(entry, NAMESPACE), entry_text(entry, NAME));

    if (slot) {
        old = *slot;
        unlink_owned(cache, old);
        cache->entry_bytes -= entry_bytes(old);
        *slot = entry;
    } else {
        table_reserve(&cache->entries, entry_hash);
        table_insert(&cache->entries, entry, entry->hash);
    }
    entry->stamp = cache->stamp;
    link_owned(cache, entry);
    cache->entry_bytes += entry_bytes(entry);
    *ret_entry = entry;
    *ret_old = old;
    return 0;
}

struct cache_entry *cache_remove(struct cache *cache, const char *namespace, const char *name)
{
    struct cache_entry **slot = find_entry(cache, namespace, name);

    if (!slot)
        return NULL;

    struct cache_entry *entry = *slot;
    unlink_owned(cache, entry);
    table_clear_slot(&cache->entries, (size_t)(slot - cache->entries.slots), entry_hash);
    cache->entry_bytes -= entry_bytes(entry);
    return entry;
}

const struct cache_entry *cache_get(const struct cache *cache, const char *namespace,
                                    const char *name)
{
    struct cache_entry **slot = find_entry(cache, namespace, name);

    return slot ? *slot : NULL;
}

const struct cache_entry *cache_next(const struct cache *cache, size_t *cursor)
{
    while (*cursor < cache->entries.capacity) {
        const struct cache_entry *entry = cache->entries.slots[(*cursor)++];

        if (entry)
            return entry;
    }
    return NULL;
}

void cache_begin(struct cache *cache)
{
    cache->stamp++;
}

void cache_touch(struct cache *cache, const struct cache_entry *entry)
{
    struct cache_entry **slot =
        find_entry(cache, entry_text(entry, NAMESPACE), entry_text(entry, NAME));

    if (slot)
        (*slot)->stamp = cache->stamp;
}

const struct cache_entry *cache_next_stale(const struct cache *cache, size_t *cursor)
{
    /* Removing an entry moves others towards its slot, so the slot that the last call
     * returned is looked at again: *cursor stays on what is returned. */
    for (; *cursor < cache->entries.capacity; (*cursor)++) {
        const struct cache_entry *entry = cache->entries.slots[*cursor];

        if (entry && entry->stamp != cache->stamp)
            return entry;
    }
    return NULL;
}

void cache_set_position(struct cache *cache, const char *resource_version)
{
    char *position = mem_strdup(resource_version);

    free(cache->position);
    cache->position = position;
}

const char *cache_position(const struct cache *cache)
{
    return cache->position;
}

bool cache_is_at_least(const struct cache *cache, const char *namespace, const char *name,
                       const char *resource_version)
{
    const struct cache_entry *entry = cache_get(cache, namespace, name);

    if (entry && resource_version_compare(entry_text(entry, VERSION), resource_version) >= 0)
        return true;
    return resource_version_compare(cache->position, resource_version) >= 0;
}

int resource_version_compare(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return strcmp(a, b);
}

size_t cache_count(const struct cache *cache)
{
    return cache->entries.count;
}

size_t cache_bytes(const struct cache *cache)
{
    return sizeof(*cache) + cache->entry_bytes +
           (cache->entries.capacity + cache->owners.capacity) * sizeof(struct cache_entry *);
}
