/* client.h - requests to a Kubernetes API server, for any resource.
 *
 * Objects stay JSON trees: nothing is lost that this program does not know.
 * Every call is asynchronous on a struct transport: it never fails on the spot,
 * and its callback runs exactly once, from transport_run() or timers_run(),
 * unless the call is canceled. All of it belongs to one thread.
 *
 * The client authorizes each request and, when the answer is 401, renews the
 * credentials and tries once more. Nothing else is tried again here: the
 * caller's queue knows better what is still wanted. Requests end after
 * KUBE_REQUEST_TIMEOUT_MS. Lists by item are in list.h, watches in watch.h. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/timer.h"
#include "kube/config.h"
#include "net/transport.h"

#define KUBE_REQUEST_TIMEOUT_MS 30000

/* A kind of object. The texts must outlive every client that uses it. */
struct kube_resource {
    const char *group;   /* "" is the core group */
    const char *version; /* "v1" */
    const char *plural;  /* "jobs" */
    const char *kind;    /* "Job" */
};

struct kube_client;
struct kube_call; /* one running request; owned by the client */

struct kube_client_options {
    struct transport *transport;
    struct timers *timers; /* its clock is the client's clock */
    struct kube_config *config;
    const char *field_manager; /* who wrote a field; NULL: not sent */
    /* A Warning header (RFC 7234, code 299) of an answer, or NULL. */
    void (*on_warning)(void *context, const char *text);
    void *context;
};

/* Transport, timers and config are borrowed and must outlive the client. */
struct kube_client *kube_client_new(const struct kube_client_options *options)
    __attribute__((returns_nonnull, warn_unused_result));
void kube_client_free(struct kube_client *client); /* cancels what runs; NULL: no effect */

/* How many requests ended, by what they asked for and how the server answered. When there is no
 * place for another combination, the last one is "other" and counts the rest. */
#define KUBE_REQUESTS 128
struct kube_requests {
    struct kube_request_count {
        const char *verb;     /* as in RBAC: get, list, watch, create, patch, update, delete */
        const char *resource; /* its plural; static text as that of struct kube_resource */
        int status;           /* of HTTP; 0: no whole answer, or canceled */
        uint64_t count;
    } items[KUBE_REQUESTS];
    size_t count;
};
const struct kube_requests *kube_client_requests(const struct kube_client *client);

/* How far this clock is ahead of the server's, by the Date of its last answer, which has whole
 * seconds; 0: none had one. */
int64_t kube_client_skew_ms(const struct kube_client *client);

/* `object` is the answer, borrowed for the call (take a reference to keep it);
 * NULL on failure. Failures: NOT_FOUND, EXISTS (409 AlreadyExists), CONFLICT (409, uid or
 * resourceVersion do not match), GONE, DENIED, INVALID (the server refuses the object),
 * RETRY (retry_after_ms when the server said how long), TOO_BIG; http_status and
 * Status.reason are in it. A failed POST without an HTTP status may have happened. */
typedef void (*kube_callback)(void *context, json_t *object, const struct err *failure);

/* `namespace` NULL: a cluster-scoped object, or a list over all namespaces. */
struct kube_call *kube_get(struct kube_client *client, const struct kube_resource *resource,
                           const char *namespace, const char *name, kube_callback callback,
                           void *context);

/* What is parsed of an answer, as paths like those of base/prune.h with NULL at the end; `read`
 * NULL is all. Most of it repeats what was sent, and parsing it would cost more than sending it. */
extern const char *const kube_identity[]; /* kind, metadata: name, uid, resourceVersion */

/* POST with fieldValidation=Strict: a field that the server does not know is an error. */
struct kube_call *kube_create(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const json_t *object, const char *const *read,
                              kube_callback callback, void *context);

/* JSON merge patch (RFC 7386). `subresource`: "status" or NULL. A patch that carries
 * metadata.uid and metadata.resourceVersion fails with CONFLICT when either
 * differs: the fence against writes from an old view. Of the answer kube_identity is parsed. */
struct kube_call *kube_patch(struct kube_client *client, const struct kube_resource *resource,
                             const char *namespace, const char *name, const char *subresource,
                             const json_t *patch, kube_callback callback, void *context);

/* PUT of the whole object, which should carry its resourceVersion. */
struct kube_call *kube_update(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const char *name, const json_t *object,
                              kube_callback callback, void *context);

struct kube_delete_options {
    const char *uid, *resource_version; /* preconditions, each may be NULL */
    const char *propagation;            /* "Background", "Foreground"; NULL: the server's default */
};
struct kube_call *kube_delete(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const char *name,
                              const struct kube_delete_options *options, kube_callback callback,
                              void *context);

/* A whole list as one tree (its "items" are in it), for lists that are known to
 * be short: the pods of one Job. Longer ones end in TOO_BIG: see list.h. */
struct kube_call *kube_list(struct kube_client *client, const struct kube_resource *resource,
                            const char *namespace, const char *label_selector,
                            const char *const *read, kube_callback callback, void *context);

/* The callback will not be called. Not for use inside it; NULL: no effect. */
void kube_cancel(struct kube_call *call);

/* --- what list.h and watch.h are made of --- */

/* Appends "/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>/<subresource>"
 * with what is NULL left out, percent-encoded. */
void kube_path(struct buf *out, const struct kube_resource *resource, const char *namespace,
               const char *name, const char *subresource);

/* Appends "?name=value" or "&name=value" to a path; nothing when value is NULL. */
void kube_path_query(struct buf *path, const char *name, const char *value);

struct kube_stream {
    const struct buf *path; /* with query; a buffer that overflowed ends in TOO_BIG */
    const char *verb;       /* "list" or "watch" */
    const struct kube_resource *resource;
    int64_t timeout_ms; /* of the whole answer */
    int64_t idle_ms;    /* longest silence; 0: no limit */
};
struct kube_stream_handler {
    /* A piece of a 2xx body. Returning -1 ends the call with that err. */
    int (*on_data)(void *context, struct span piece, struct err *err);
    /* It is over: `failure` NULL when a 2xx answer arrived whole. */
    void (*on_done)(void *context, const struct err *failure);
    /* The context is not needed any more: after on_done, or when the call is canceled. */
    void (*release)(void *context);
};
/* GET whose 2xx body is handed on as it arrives. */
struct kube_call *kube_stream(struct kube_client *client, const struct kube_stream *stream,
                              const struct kube_stream_handler *handler, void *context);

struct timers *kube_client_timers(const struct kube_client *client);
