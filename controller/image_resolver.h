/* image_resolver.h - image references to digests, with what opens their registries.
 *
 * As for a pod: the pull secrets that are named, or when none is, those of the pod's
 * ServiceAccount. Secrets are read for one look-up and wiped after it; the account is read only
 * after the registry refused without them, so that public images cost no request. */
#pragma once

#include "kube/client.h"

#include "plan.h"

/* How registries are reached. */
struct registry_settings {
    struct strings insecure;     /* HOST:PORT that may be plain HTTP and loopback */
    const char *ca_file;         /* authorities besides the system's; NULL: none */
    const char *google_metadata; /* $GCE_METADATA_HOST; NULL: where it is in Google Cloud */
};

struct image_resolver_options {
    struct kube_client *client;  /* reads Secrets and ServiceAccounts */
    struct transport *transport; /* to registries */
    const struct clock *clock;
    struct registry_settings registries;
};

struct image_resolver; /* shared by all images */
struct image_source;   /* an image and what opens its registry; one look-up at a time */

/* Options are copied, the texts in them borrowed. */
struct image_resolver *image_resolver_new(const struct image_resolver_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void image_resolver_free(struct image_resolver *resolver); /* NULL: no effect */

/* Of the image that a FACT_IMAGE asks for, for an object in `namespace`; all is copied. */
struct image_source *image_source_new(struct image_resolver *resolver, const char *namespace,
                                      const struct fact_request *request)
    __attribute__((returns_nonnull, warn_unused_result));
void image_source_free(struct image_source *source); /* cancels its look-up; NULL: no effect */

/* Looks it up. Calls back exactly once, unless it is freed before; maybe before this returns. The
 * callback may free the source. `digest` NULL: see registry.h; or the API server could not be
 * asked. */
void image_source_resolve(struct image_source *source,
                          void (*done)(void *context, const char *digest,
                                       const struct err *failure),
                          void *context);
