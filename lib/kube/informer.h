/* informer.h - keeps a cache equal to what the API server holds, for ever.
 *
 * List (in pages, cut item by item, at the newest state), then watch from the
 * list's resourceVersion; resume a watch that ends; list again when the server
 * no longer knows the position (410). It never gives up: failures are tried again after
 * 0.8 s, doubled up to 30 s, with jitter, or after what Retry-After says.
 *
 * Objects are projected as they arrive and dropped: the cache keeps what
 * project() wrote, never a JSON tree. on_change() tells what became different, at
 * least once for every difference between two states of the cache that a caller
 * could have seen; intermediate states may be missed, as everywhere in Kubernetes.
 * An object deleted and made again under its name is told as a deletion and an addition.
 *
 * All callbacks run from transport_run() or timers_run(). They may use the client
 * and read the cache, but not free or stop the informer. */
#pragma once

#include "kube/cache.h"
#include "kube/client.h"

struct informer;

/* What the informer itself reads of an object. */
#define INFORMER_READS                                                                             \
    "metadata.namespace", "metadata.name", "metadata.uid", "metadata.resourceVersion",             \
        "metadata.ownerReferences"

struct informer_options {
    struct kube_client *client;
    struct kube_resource resource;
    const char *namespace;      /* NULL: all namespaces */
    const char *label_selector; /* NULL: everything */
    /* Ask for the initial state as a stream of events (WatchList, KEP-3157); when the server
     * refuses or stalls, a list is taken instead. */
    bool watch_list;
    /* The members that are parsed when an object comes: what project() reads of the tree, and
     * INFORMER_READS. Paths as in base/prune.h, NULL at the end. NULL: all. */
    const char *const *read;
    uint64_t seed; /* of jitter; different in every process */

    /* Writes what is to be kept of an object into `blob` (empty at first): of its members that
     * were to be `read`, and of its whole `text`, of which nobody has checked the others. On
     * failure the object is kept out of the cache, and on_failure hears why. */
    int (*project)(void *context, const json_t *object, struct span text, struct buf *blob,
                   struct err *err);
    /* before NULL: added; after NULL: deleted; both: the same uid with another
     * resourceVersion. Valid during the call. `after` is in the cache already, `before` no
     * longer is. */
    void (*on_change)(void *context, const struct cache_entry *before,
                      const struct cache_entry *after);
    /* The cache became complete: once after the start, and after each list. May be NULL. */
    void (*on_sync)(void *context);
    /* A list or watch failed, or an object cannot be used; for the log. May be NULL. */
    void (*on_failure)(void *context, const struct err *failure);
    void *context;
};

/* Options are copied, the texts in them borrowed. */
struct informer *informer_new(const struct informer_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void informer_free(struct informer *informer); /* NULL: no effect */

void informer_start(struct informer *informer); /* once */

const struct cache *informer_cache(const struct informer *informer);

enum informer_state {
    INFORMER_IDLE,     /* not started                             */
    INFORMER_LISTING,  /* reading the whole state                 */
    INFORMER_WATCHING, /* following changes                       */
    INFORMER_WAITING,  /* before the next attempt after a failure */
};

struct informer_health {
    enum informer_state state;
    bool synced;     /* the cache has been complete: decisions may be taken from it */
    bool not_served; /* 404 on the whole kind: its CRD is not installed (yet) */
    /* Since the last byte from the server; grows while disconnected. Servers send a
     * bookmark about every minute, so minutes of silence mean trouble. */
    int64_t silence_ms;
    unsigned failures;              /* less than two minutes apart, up to now */
    uint64_t lists, watches;        /* begun since the start */
    uint64_t events;                /* received since the start */
    const struct err *last_failure; /* kind NONE when there was none */
};
void informer_health(const struct informer *informer, struct informer_health *ret_health);
