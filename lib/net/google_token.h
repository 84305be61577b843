/* google_token.h - access tokens of the service account that this process runs as in Google Cloud.
 *
 * A metadata server hands them out, to whoever asks from the machine or pod: no key is stored
 * anywhere (https://cloud.google.com/compute/docs/access/authenticate-workloads). A token is
 * used until a minute before its end, and one request serves all who wait. Outside of Google
 * Cloud there is no such server, and every get fails.
 *
 * The token is a secret that opens what the account may open: it belongs into requests to
 * Google's own hosts only. Single-threaded, like the transport. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/transport.h"

#define GOOGLE_METADATA_HOST "metadata.google.internal"

struct google_tokens; /* the source, with the token it has */
struct google_wait;   /* somebody who waits for one */

struct google_tokens_options {
    struct transport *transport;
    const struct clock *clock;
    /* HOST or HOST:PORT, $GCE_METADATA_HOST as for Google's own libraries; NULL or "":
     * GOOGLE_METADATA_HOST. Copied. */
    const char *metadata_host;
};
struct google_tokens *google_tokens_new(const struct google_tokens_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void google_tokens_free(struct google_tokens *tokens); /* cancels all waits; NULL: no effect */

/* `token` is valid during the call; NULL on failure: RETRY (nobody answers, or not now),
 * NOT_FOUND (the machine has no service account), DENIED, INVALID (the answer is no token of a
 * metadata server). */
typedef void (*google_token_callback)(void *context, const char *token, const struct err *failure);

/* Calls back exactly once, from transport_run(), unless canceled. A token that is there already is
 * told before this returns; then, and only then, it returns NULL. The wait is valid until its
 * callback begins, which may do anything but free the source. */
struct google_wait *google_token_get(struct google_tokens *tokens, google_token_callback callback,
                                     void *context);
void google_token_cancel(struct google_wait *wait); /* NULL: no effect */

/* A host refused the token (401): the next get asks for a new one. */
void google_token_reject(struct google_tokens *tokens);
