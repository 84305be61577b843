/* registry.h - image references to digests, by asking the image's registry.
 *
 * A tag becomes the digest of what the tag names (an index stays an index: no
 * platform is selected). Speaks the OCI distribution API over a struct transport:
 * anonymous, Basic, or a Bearer token from the realm that the registry names.
 * Hosts are reached over https and may not be this machine or link, except those
 * on the insecure list: plain HTTP, any address, for exactly these.
 *
 * Where no pull secret helps, Google's registries (cloud.h) are asked once more with the token of
 * the service account that this process runs as. It goes to hosts of Google's only, over https.
 *
 * Single-threaded, like the transport. */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fields.h"
#include "base/span.h"
#include "net/google_token.h"
#include "net/transport.h"

struct registry; /* the client with its cache of tokens */
struct registry_lookup;

struct registry_options {
    struct transport *transport;
    const struct clock *clock;
    struct strings insecure;       /* "localhost:5000": compared with what is written */
    const struct tls_options *tls; /* NULL: the system's authorities; borrowed */
    struct google_tokens *google;  /* NULL: none are used; borrowed */
};

struct registry *registry_new(const struct registry_options *options);
void registry_free(struct registry *registry); /* cancels all look-ups; NULL: no effect */

/* `digest` "sha256:..." or, when NULL, why not, and what can be done about it. Reasons:
 * InvalidImageName, and those of failure.h; RETRY with retry_after_ms when the registry said
 * so. */
typedef void (*registry_callback)(void *context, const char *digest, const struct err *failure);

/* Calls back exactly once, unless canceled. `pull_secrets` are texts of
 * kubernetes.io/dockerconfigjson, copied; all entries that match the image are
 * tried in order, nothing else then; without one the request is anonymous.
 *
 * What needs no request (a digest, an invalid reference or secret) is answered
 * before this returns; then, and only then, it returns NULL. The look-up is valid
 * until its callback begins. */
struct registry_lookup *registry_resolve(struct registry *registry, const char *reference,
                                         const struct span *pull_secrets, size_t secret_count,
                                         registry_callback callback, void *context);
void registry_cancel(struct registry_lookup *lookup); /* NULL: no effect */
