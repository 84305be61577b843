/* transport.h - THE port to the network: start an HTTP exchange, stream or
 * collect its answer, cancel it, run the loop.
 *
 * Everything that speaks HTTP (Kubernetes client, registry) goes
 * through a struct transport and nothing else; http.h is the real one, tests put
 * a simulated one in its place. It is single-threaded: all calls and callbacks
 * happen on the thread that calls transport_run(), except transport_wake().
 *
 * An exchange has two phases. transport_start() prepares it and copies all it
 * is given; it never fails on the spot. Then, from transport_run() only, come
 * at most one on_head, zero or more on_data and exactly one on_done - unless it is canceled, after
 * which nothing is called any more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct http_header {
    const char *name, *value;
};

/* What a TLS connection trusts and presents. PEM texts win over files; all NULL:
 * the system's certificate authorities. Verification of peer and host is on
 * unless `insecure`. TLS 1.2 at least. Files are read again for every new
 * connection, so that they may be rotated. */
struct tls_options {
    const char *ca_file, *ca_pem;
    const char *added_ca_file; /* authorities besides the system's; counts without those above */
    const char *certificate_file, *certificate_pem;
    const char *key_file, *key_pem;
    const char *server_name; /* to send and to verify, when not the URL's host */
    bool insecure;           /* a kubeconfig's insecure-skip-tls-verify only */
};

/* Which addresses a host may resolve to. User-named hosts are PUBLIC: loopback
 * and link-local addresses (metadata servers live there) end in ERR_DENIED,
 * checked on the address that is really connected to. So does whatever address
 * and port a PRIVATE exchange of this transport led to before: the API server. */
enum host_guard { HOST_ANY, HOST_PUBLIC, HOST_PRIVATE };

struct http_request {
    const char *method, *url; /* http:// or https:// */
    bool hide_path;           /* messages name the server only: the caller says what it asks for */
    const struct http_header *headers;
    size_t header_count;
    struct span body;
    const struct tls_options *tls; /* NULL: system authorities */
    const char *proxy;             /* instead of the transport's own; NULL: that */
    int64_t timeout_ms;            /* whole exchange; 0: no limit (streams) */
    int64_t idle_ms;               /* longest time without a byte in or out; 0: no limit */
    size_t idle_bytes; /* less than this in that time is as good as none; 0: any byte counts */
    bool bulk; /* moves megabytes: large buffers; `body` is not copied, it stays until on_done */
    size_t maximum_body; /* of a collected answer; 0: LIMIT_HTTP_BODY */
    enum host_guard guard;
    /* Redirects are followed for GET and HEAD only, at most so many; headers
     * named Authorization or Cookie are not sent to another host, scheme or
     * port. 0: a 3xx is an answer like any other. */
    int maximum_redirects;
};

struct http_reply {
    int status;
    struct span body; /* collected; empty when it was streamed */
    const struct http_header *headers;
    size_t header_count;
};

struct http_handler {
    /* When set: the header of a 2xx answer is complete; its body comes next. May be NULL.
     * Returning -1 ends the exchange with that err. */
    int (*on_head)(void *context, const struct http_reply *head, struct err *err);
    /* When set, the body of a 2xx answer comes here in pieces of any size and is
     * not collected (that of any other status is). Returning -1 ends the exchange
     * with that err. */
    int (*on_data)(void *context, struct span piece, struct err *err);
    /* The exchange is over. `failure` NULL: an HTTP answer arrived whole, of any
     * status. Otherwise `reply` is NULL: RETRY (network, time-out, cut stream),
     * TOO_BIG, DENIED (guard), INVALID (URL, TLS configuration), or on_data's.
     * Both are valid during the call only. */
    void (*on_done)(void *context, const struct http_reply *reply, const struct err *failure);
};

struct http_call; /* one running exchange; owned by the transport */
struct transport;

struct transport_port {
    struct http_call *(*start)(struct transport *, const struct http_request *,
                               const struct http_handler *, void *context);
    void (*cancel)(struct transport *, struct http_call *);
    void (*run)(struct transport *, int64_t wait_ms);
    void (*wake)(struct transport *);
};

/* First member of every implementation. */
struct transport {
    const struct transport_port *port;
};

/* The handler is copied too. The call is valid until on_done returns or it is
 * canceled. */
struct http_call *transport_start(struct transport *transport, const struct http_request *request,
                                  const struct http_handler *handler, void *context);
void transport_cancel(struct transport *transport, struct http_call *call); /* NULL: no effect */

/* Waits at most wait_ms (-1: until something happens) and runs what is due. */
void transport_run(struct transport *transport, int64_t wait_ms);

/* Makes a waiting transport_run() return. From any thread; async-signal-safe. */
void transport_wake(struct transport *transport);

/* "Not Found" for 404 (RFC 9110, 15); "Unknown" for a status without a name. */
const char *http_status_text(int status);

/* Value of a header, names compared without case; NULL when missing. */
const char *http_reply_header(const struct http_reply *reply, const char *name);

/* A date as HTTP writes it ("Sun, 06 Nov 1994 08:49:37 GMT") in milliseconds since 1970. */
int http_date(const char *text, int64_t *ret_unix_ms, struct err *err)
    __attribute__((warn_unused_result));

/* What a status means to the caller, with `body` (a Kubernetes Status, a
 * registry's errors[], or text) and Retry-After (seconds or a date) taken into
 * account: 0 for 2xx, else *err set - 404 NOT_FOUND, 409/412 CONFLICT, 410 GONE,
 * 401/403 DENIED, 408/425/429/5xx RETRY, 413 TOO_BIG, other 4xx INVALID - with
 * http_status, and reason from Status.reason. `what` begins the message:
 * "<what>: 403 Forbidden: ...". */
int http_reply_check(const struct http_reply *reply, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* Starts an exchange and runs the transport until it is over: for programs with
 * nothing else to do. *ret_body (malloc'ed, NUL-terminated) and *ret_status are
 * set for any HTTP answer. */
int transport_perform(struct transport *transport, const struct http_request *request,
                      int *ret_status, char **ret_body, size_t *ret_length, struct err *err)
    __attribute__((warn_unused_result));
