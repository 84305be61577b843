/* bucket_access.h - how the controller reaches buckets: what options of the manager, of facts and
 * of the lister have in common. All is borrowed. */
#pragma once

#include "base/err.h"

struct guard_peers;
struct proxy_environment;
struct transport;

struct bucket_access {
    /* The environment (getenv() of a program) that opens buckets without keys; NULL: an empty one.
     */
    const char *(*variable)(void *context, const char *name);
    const struct proxy_environment *proxies; /* also to what Secrets name; NULL: none */
    struct guard_peers *private_peers;       /* where Secrets may not lead; NULL: none is known */
    /* For tests, as store.h has them. */
    struct transport *(*transport_new)(void *context, struct err *err);
    void (*transport_free)(struct transport *transport);
};
