/* exchange.h - the port between the HTTP front and whatever carries requests:
 * httpd.h in the program, a simulated network in tests.
 *
 * The rules are those of httpd.h: an exchange is answered exactly once, by a
 * reply or a stream; a stream lives until its end, or until on_close was called.
 * Texts of the request are borrowed and valid until it is answered. */
#pragma once

#include "base/span.h"
#include "net/transport.h" /* struct http_header */

struct httpd_exchange; /* of httpd.h; a test has handles of its own behind this name */

struct exchange_port {
    const char *(*query)(const struct httpd_exchange *handle,
                         const char *name); /* decoded; NULL when absent */
    const char *(*header)(const struct httpd_exchange *handle,
                          const char *name); /* NULL when absent */
    void (*reply)(struct httpd_exchange *handle, int status, const char *content_type,
                  struct span bytes, const struct http_header *headers, size_t header_count);
    void (*stream_begin)(struct httpd_exchange *handle, int status, const char *content_type,
                         void (*on_close)(void *context), void *context);
    void (*stream_write)(struct httpd_exchange *handle, struct span bytes);
    size_t (*stream_queued)(const struct httpd_exchange *handle);
    void (*stream_end)(struct httpd_exchange *handle);
    void (*abort)(struct httpd_exchange *handle); /* cuts the connection */
};

struct exchange {
    const struct exchange_port *port;
    struct httpd_exchange *handle;
    const char *method, *path; /* without query */
    struct span body;
};

static inline const char *exchange_query(const struct exchange *exchange, const char *name)
{
    return exchange->port->query(exchange->handle, name);
}

static inline const char *exchange_header(const struct exchange *exchange, const char *name)
{
    return exchange->port->header(exchange->handle, name);
}
