/* hook_keys.h - the keys that an issuer signs tokens with, fetched when they are needed.
 *
 * A key set is good for as long as its server says (Cache-Control: max-age), within bounds. A
 * token with a key that is not in it lets it be fetched again, because issuers rotate keys, but
 * not more often than every HOOK_KEYS_PAUSE_MS, so that forged tokens cause no traffic. When
 * fetching fails, the keys that are there serve for a day. Belongs to the thread of its
 * transport. */
#pragma once

#include "base/clock.h"
#include "net/jwt.h"
#include "net/transport.h"

#define HOOK_KEYS_PAUSE_MS (30 * 1000)

struct hook_keys_options {
    struct transport *transport;
    const struct clock *clock;
    const char *url; /* of the JWKS; borrowed */
};

/* What hook_keys_ask() is for; embedded in the object that asks. */
struct hook_keys_wait {
    /* Keys that are as good as can be had; they may still lack the one. Or why there are none. */
    void (*done)(struct hook_keys_wait *wait, const struct jwt_keys *keys,
                 const struct err *failure);
    const char *key_id;
    struct hook_keys_wait *next, **place; /* private */
};

struct hook_keys *hook_keys_new(const struct hook_keys_options *options)
    __attribute__((warn_unused_result));
void hook_keys_free(struct hook_keys *keys); /* NULL: no effect */

/* Calls wait->done once, at once when the keys are there. */
void hook_keys_ask(struct hook_keys *keys, struct hook_keys_wait *wait);
void hook_keys_cancel(struct hook_keys_wait *wait); /* one that is not waiting: no effect */

struct hook_keys_stats {
    uint64_t fetches, failures;
};
void hook_keys_stats(const struct hook_keys *keys, struct hook_keys_stats *ret_stats);
