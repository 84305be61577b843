/* manager.h - the controller: informers wake keys, keys are reconciled, plans are
 * applied. One thread owns all of it; nothing blocks.
 *
 * Only a leader reconciles. A standby keeps its caches warm and writes nothing, so
 * that it takes over at once. */
#pragma once

#include "kube/lease.h"

#include "bucket_access.h"
#include "image_resolver.h"
#include "metrics.h"
#include "view.h"

/* Rounds at a time; they wait for the API server, not for us. */
#define MANAGER_ROUNDS_MAXIMUM 64

/* What goes on beside them: watches, lists, the Lease, Events. Connections for all of it are
 * kept; of fewer, libcurl closes one with nearly every answer. */
#define MANAGER_CONNECTIONS_MAXIMUM (MANAGER_ROUNDS_MAXIMUM + 32)

struct manager_options {
    struct kube_client *client;
    struct transport *transport; /* of the client, and to registries */
    struct timers *timers;
    const struct settings *settings;
    const char *namespace; /* to watch; NULL: all */
    struct registry_settings registries;
    const char *identity;              /* of this process */
    const struct lease_options *lease; /* NULL: always the leader */
    struct bucket_access buckets; /* how they are reached, and opened for the controller itself */
    uint64_t seed;
    bool watch_list; /* as in kube/informer.h */
};

struct manager;

/* Options are copied, what they point to must outlive the manager. NULL: no thread for
 * folders could be started. */
struct manager *manager_new(const struct manager_options *options, struct err *err)
    __attribute__((warn_unused_result));
void manager_free(struct manager *manager); /* NULL: no effect */

/* One turn of the loop: waits for something to happen, at most wait_ms, and does
 * all that is due. */
void manager_turn(struct manager *manager, int64_t wait_ms);

/* No new rounds; those under way come to an end after the request that is out. Then the
 * lease is given back. Over when manager_is_stopped(), after 5 s at the latest. */
void manager_stop(struct manager *manager);
bool manager_is_stopped(const struct manager *manager);

/* Leadership is lost: the process must end at once. NULL while it is not. */
const struct err *manager_loss(const struct manager *manager);

/* The caches are complete, and it is known who leads: a standby can pass on what is pushed to it.
 */
bool manager_is_ready(const struct manager *manager);

/* Somebody says that an object of this URI has come: whoever looks at its folder looks again.
 * Returns how many look-ups that concerns. A standby ignores it. */
size_t manager_push(struct manager *manager, const char *object_uri);

/* This process decides. When it does not: what the leader's Lease says of its address (the
 * annotation MANAGER_ADDRESS_NOTE, "HOST:PORT"), NULL when it is not known. */
bool manager_leads(const struct manager *manager);
const char *manager_leader_address(const struct manager *manager);
#define MANAGER_ADDRESS_NOTE "churnops.io/hooks-address"

/* The figures of now. */
void manager_snapshot(const struct manager *manager, struct metrics *ret_metrics);
