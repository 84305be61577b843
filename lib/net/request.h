/* request.h - pure: the bytes of a connection to HTTP/1.1 requests (RFC 9112),
 * for httpd.c.
 *
 * libwebsockets gives us connections, TLS and the loop, but its own HTTP parser
 * hands out decoded paths and closes where a status should be sent; this one
 * keeps the path as sent and says which status to answer. Feed every piece to
 * request_push() until the state is COMPLETE or REFUSED. All texts belong to the
 * request and live until request_release(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "net/transport.h" /* struct http_header */

enum request_state { REQUEST_HEAD, REQUEST_BODY, REQUEST_COMPLETE, REQUEST_REFUSED };

struct request {
    enum request_state state;
    int refused_status;      /* REFUSED: 400, 411, 413, 431 or 505 */
    const char *refused_why; /* a sentence for the peer */

    /* From the state BODY on: */
    const char *method, *path;                /* path as sent, without the query */
    struct http_header *headers, *parameters; /* parameters: the query, decoded */
    size_t header_count, parameter_count;
    size_t content_length;
    bool http_1_0;
    bool keep_alive;       /* the peer lets the connection stay open */
    bool expects_continue; /* it waits for "100 Continue" before it sends the body */

    struct buf head, body;
    struct arena arena;
};

/* `maximum_body`: a larger one is refused with 413. */
void request_init(struct request *request, size_t maximum_body);
void request_release(struct request *request); /* safe on a zeroed struct */

/* Takes bytes until the request is COMPLETE or REFUSED and returns how many it
 * took; what is left belongs to the next request. */
size_t request_push(struct request *request, struct span piece);

/* Has anything of a request arrived? */
bool request_begun(const struct request *request);

/* Value of a header, names compared without case; NULL when missing. */
const char *request_header(const struct request *request, const char *name);
/* Value of a query parameter, "" for one without "="; NULL when missing. */
const char *request_parameter(const struct request *request, const char *name);
