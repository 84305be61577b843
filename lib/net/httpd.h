/* httpd.h - a small HTTP/1.1 server (libwebsockets) for our own end points:
 * the controller's /metrics and probes, kubesim's API, stand-ins in tests.
 *
 * Connections are kept alive and closed after some minutes of silence. A body
 * must come with Content-Length (otherwise 411).
 *
 * A server belongs to the thread that calls httpd_run(); the handler and all
 * functions on exchanges run there, except httpd_wake(). For each request the
 * handler gets one struct httpd_exchange with the whole request (body
 * included) and answers it exactly once, now or later: httpd_reply(), or
 * httpd_stream_begin() ... httpd_stream_end(). Requests beyond the limits of
 * limits.h are answered 413 or 431 by the server itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "net/transport.h" /* struct http_header */

struct httpd;
struct httpd_exchange;

typedef void (*httpd_handler)(void *context, struct httpd_exchange *exchange);

struct httpd_options {
    const char *address;                             /* "127.0.0.1", "::", ... */
    unsigned port;                                   /* 0: a free one, see httpd_port() */
    const char *tls_certificate_file, *tls_key_file; /* NULL: plain HTTP */
    const char *tls_client_ca_file; /* clients must present a certificate of it; NULL: none */
    size_t maximum_body;            /* 0: LIMIT_HTTP_REQUEST_BODY */
    unsigned maximum_connections;   /* 0: LIMIT_HTTP_CONNECTIONS; those beyond wait outside */
    /* So long a request may take to arrive whole, and a peer not to read; 0: 60. */
    int stalled_s;
    httpd_handler handler;
    void *context;
};

/* NULL on failure: the address is in use, the certificate cannot be read. */
struct httpd *httpd_new(const struct httpd_options *options, struct err *err)
    __attribute__((warn_unused_result));
/* Drops connections and open exchanges without further callbacks; not to be
 * called from one. NULL: no effect. */
void httpd_free(struct httpd *server);
unsigned httpd_port(const struct httpd *server);

/* Waits at most wait_ms (-1: until something happens) and serves what came. */
void httpd_run(struct httpd *server, int64_t wait_ms);
void httpd_wake(struct httpd *server); /* from any thread */

/* --- the request: borrowed, valid until the exchange is over --- */
const char *httpd_method(const struct httpd_exchange *exchange);
const char *httpd_path(const struct httpd_exchange *exchange); /* as sent, without query */
/* Query parameter, percent-decoded; NULL when absent. */
const char *httpd_query(const struct httpd_exchange *exchange, const char *name);
const char *httpd_header(const struct httpd_exchange *exchange, const char *name); /* or NULL */
struct span httpd_body(const struct httpd_exchange *exchange);

/* --- a whole answer; all is copied, the exchange is over. The peer may be gone
 * by then: that makes no difference. content_type may be NULL. --- */
void httpd_reply(struct httpd_exchange *exchange, int status, const char *content_type,
                 struct span bytes, const struct http_header *headers, size_t header_count);

/* --- a streamed answer (chunked) ---
 * After begin the exchange lives until end, or until the peer went away: then
 * on_close is called once (never after httpd_stream_end) and the exchange must
 * not be used again. Written bytes are copied and queued without limit; see
 * httpd_stream_queued() for peers that do not read. */
void httpd_stream_begin(struct httpd_exchange *exchange, int status, const char *content_type,
                        void (*on_close)(void *context), void *context);
void httpd_stream_write(struct httpd_exchange *exchange, struct span bytes);
size_t httpd_stream_queued(const struct httpd_exchange *exchange);
void httpd_stream_end(struct httpd_exchange *exchange);
/* Cuts the connection at once, without the last chunk: a fault for tests. The
 * exchange is over, and on_close is not called. */
void httpd_abort(struct httpd_exchange *exchange);
