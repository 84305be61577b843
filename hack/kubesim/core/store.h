/* store.h - objects in memory, their revisions, and the log that watches read.
 *
 * An object's state is an immutable, counted struct snapshot. Every write makes
 * a new one with the next revision (its metadata.resourceVersion), appends a
 * struct change to a bounded log, and tells the watchers. Text is made once per
 * snapshot, when first asked for, and shared by lists and watches. */
#pragma once

#include <stdint.h>

#include "base/json.h"
#include "kubesim/core/resource.h"

struct snapshot {
    unsigned references;
    uint64_t revision;
    json_t *json; /* never changed */
    char *text;   /* compact JSON; use snapshot_text() */
    size_t length;
};

struct snapshot *snapshot_take(struct snapshot *snapshot); /* one more reference; NULL is fine */
void snapshot_drop(struct snapshot *snapshot);             /* NULL is fine */
struct span snapshot_text(struct snapshot *snapshot);
static inline void snapshot_cleanup(struct snapshot **snapshot)
{
    snapshot_drop(*snapshot);
}
#define auto_snapshot __attribute__((cleanup(snapshot_cleanup)))

struct object {
    struct resource *resource; /* the one that stores it */
    const char *key;           /* "<namespace>/<name>", "/<name>" when cluster-wide */
    struct snapshot *snapshot;
};

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

struct change {
    enum change_type type;
    uint64_t revision;
    struct resource *resource;
    struct snapshot *before, *after; /* before: NULL when ADDED; after DELETED: the last state */
};

struct watcher {
    const struct resource *resource; /* storage resource; NULL: every one */
    /* May stop any watcher, but writes nothing: whoever wants to write sets a timer. */
    void (*on_change)(void *context, const struct change *change);
    void *context;
    struct watcher *next, *previous;
};

struct store {
    uint64_t revision;
    struct change *log; /* ring */
    size_t log_capacity, log_first, log_count;
    struct watcher *watchers, *walking;
    struct index owned; /* "<owner uid> <plural>.<group> <key>" -> struct object */
};

void store_init(struct store *store, size_t log_capacity);
/* Drops the objects of all resources too. */
void store_release(struct store *store, struct resources *resources);

char *store_key(const char *namespace, const char *name); /* new text */
struct object *store_find(const struct resource *resource, const char *namespace, const char *name);

/* Adds the object or replaces the one with its namespace and name. Sets its resourceVersion. */
struct object *store_write(struct store *store, struct resource *resource, json_t *take_json);
void store_remove(struct store *store, struct object *object);

void store_watch(struct store *store, struct watcher *watcher);
void store_unwatch(struct store *store, struct watcher *watcher);

/* Changes after this revision are all in the log. */
uint64_t store_oldest(const struct store *store);
/* The n-th change of the log, from 0, oldest first; NULL past the end. */
const struct change *store_change(const struct store *store, size_t position);
/* The position of the first change after `revision`. */
size_t store_position(const struct store *store, uint64_t revision);

/* What the objects of a resource were at a revision within the log: key -> snapshot, borrowed
 * until the next write. The caller releases the index. */
void store_past(const struct store *store, const struct resource *resource, uint64_t revision,
                struct index *ret_snapshots);

/* Objects that name `uid` in ownerReferences, copied out so that they may be written while they
 * are walked. The caller frees *ret_objects. */
size_t store_owned(const struct store *store, const char *uid, struct object ***ret_objects);
