/* image_resolver.h - image references to digests, with what opens their registries.
 *
 * As for a pod: the pull secrets that are named, or when none is, those of the pod's
 * ServiceAccount. Secrets are read for one look-up and forgotten after it; the account is read only
 * after the registry refused without them, so that public images cost no request. Where nothing
 * opens it for the controller, a probe is asked (image_probe.h), if there is one. */
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
    bool (*may_write)(void *context); /* as in image_probe.h */
    void *context;
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

/* The Job that look-ups from now on may have made; NULL: none. */
void image_source_set_probe(struct image_source *source, json_t *job);

struct image_handler {
    /* The registry has been asked, and from now on a pod is; at most once. */
    void (*probes)(void *context);
    /* It is over; the source may be freed. `digest` NULL: see registry.h and image_probe.h; or
     * the API server could not be asked. */
    void (*done)(void *context, const char *digest, const struct err *failure);
};

/* Looks it up. `done` is called exactly once, unless it is freed before; maybe before this
 * returns. */
void image_source_resolve(struct image_source *source, const struct image_handler *handler,
                          void *context);
