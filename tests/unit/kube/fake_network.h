/* fake_network.h - a network that is one function of the test.
 *
 * Every exchange that is started reaches the server function from the next
 * fake_network_run(). The server answers at once or later: network_reply() or
 * network_fail(), or for a stream network_write() ... network_end(). Answers are delivered
 * from fake_network_run() too. An exchange that the client cancels stays valid for
 * the server until it has answered; a stream's server is told by on_close.
 *
 * Time, where a test has any, is network->now_ms: nothing happens to an exchange before its
 * held_until_ms, and it fails when it takes longer, or is silent for longer, than its request
 * allows. */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/transport.h"

#define FAKE_HEADERS 8

struct fake_exchange {
    struct fake_network *network;
    struct fake_exchange *next;
    char *method, *url, *path, *body, *user_agent, *content_type, *authorization;
    struct http_handler handler;
    void *context;
    bool seen, streaming, over, canceled;
    int64_t started_ms, held_until_ms;
    enum host_guard guard;
    int64_t timeout_ms, idle_ms, last_ms; /* as in the request; when something came last */
    int status;
    struct buf written;                       /* not yet delivered */
    struct http_header headers[FAKE_HEADERS]; /* of the answer; texts owned */
    size_t header_count;
    struct err failure;
    void (*on_close)(void *context); /* of a stream's server */
    void *close_context;
};

struct fake_network {
    struct transport transport;
    void (*serve)(void *context, struct fake_exchange *exchange);
    void *context;
    struct fake_exchange *first;
    int64_t now_ms;
    unsigned started, canceled;
    bool dead; /* nothing is served or delivered any more */
};

static inline char *network_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return mem_strdup(request->headers[i].value);
    return NULL;
}

/* Without scheme, host and query. */
static inline char *network_path(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;

    return path ? mem_strndup(path, strcspn(path, "?")) : mem_strdup("/");
}

static inline struct http_call *network_start(struct transport *transport,
                                              const struct http_request *request,
                                              const struct http_handler *handler, void *context)
{
    struct fake_network *network = (struct fake_network *)transport;
    struct fake_exchange *exchange = mem_zero(1, sizeof(*exchange));
    struct fake_exchange **place = &network->first;

    exchange->network = network;
    exchange->started_ms = exchange->last_ms = network->now_ms;
    exchange->guard = request->guard;
    exchange->timeout_ms = request->timeout_ms;
    exchange->idle_ms = request->idle_ms;
    exchange->method = mem_strdup(request->method);
    exchange->url = mem_strdup(request->url);
    exchange->path = network_path(request->url);
    exchange->body = mem_strndup(request->body.data ?: "", request->body.length);
    exchange->user_agent = network_header(request, "User-Agent");
    exchange->content_type = network_header(request, "Content-Type");
    exchange->authorization = network_header(request, "Authorization");
    exchange->handler = *handler;
    exchange->context = context;
    buf_init(&exchange->written, LIMIT_HTTP_BODY);
    network->started++;
    while (*place)
        place = &(*place)->next;
    *place = exchange;
    return (struct http_call *)exchange;
}

static inline void network_unlink(struct fake_exchange *exchange)
{
    struct fake_exchange **place = &exchange->network->first;

    while (*place && *place != exchange)
        place = &(*place)->next;
    if (*place)
        *place = exchange->next;
}

static inline void network_free(struct fake_exchange *exchange)
{
    network_unlink(exchange);
    buf_release(&exchange->written);
    free(exchange->method);
    free(exchange->url);
    free(exchange->path);
    free(exchange->body);
    free(exchange->user_agent);
    free(exchange->content_type);
    free(exchange->authorization);
    for (size_t i = 0; i < exchange->header_count; i++) {
        free((char *)exchange->headers[i].name);
        free((char *)exchange->headers[i].value);
    }
    free(exchange);
}

/* The client is gone: tell the server of a stream; wait for the answer of anything else. */
static inline void network_abandon(struct fake_exchange *exchange)
{
    if (exchange->streaming && !exchange->over && exchange->on_close)
        exchange->on_close(exchange->close_context);
    if (!exchange->seen || exchange->streaming || exchange->over)
        network_free(exchange);
    else
        exchange->canceled = true;
}

static inline void network_cancel(struct transport *transport, struct http_call *call)
{
    ((struct fake_network *)transport)->canceled++;
    network_abandon((struct fake_exchange *)call);
}

/* --- the server's side ------------------------------------------------------- */

static inline void network_finish(struct fake_exchange *exchange)
{
    exchange->over = true;
    if (exchange->canceled)
        network_free(exchange);
}

static inline void network_answer_header(struct fake_exchange *exchange, const char *name,
                                         const char *value)
{
    if (exchange->header_count < FAKE_HEADERS)
        exchange->headers[exchange->header_count++] =
            (struct http_header){ mem_strdup(name), mem_strdup(value) };
}

/* The whole answer; `body` is copied. */
static inline void network_reply(struct fake_exchange *exchange, int status, const char *body)
{
    exchange->status = status;
    buf_string(&exchange->written, body);
    network_finish(exchange);
}

/* The network fails. */
static inline void network_fail(struct fake_exchange *exchange, enum err_kind kind,
                                const char *message)
{
    (void)err_set(&exchange->failure, kind, "%s", message);
    network_finish(exchange);
}

static inline void network_stream(struct fake_exchange *exchange, int status,
                                  void (*on_close)(void *context), void *context)
{
    exchange->streaming = true;
    exchange->status = status;
    exchange->on_close = on_close;
    exchange->close_context = context;
}

static inline void network_write(struct fake_exchange *exchange, struct span bytes)
{
    buf_append(&exchange->written, bytes.data, bytes.length);
}

static inline void network_end(struct fake_exchange *exchange)
{
    exchange->over = true;
}

/* --- delivery ------------------------------------------------------------------ */

/* Hands over what was written; false: the client ended the exchange, which is freed. */
static inline bool network_deliver_pieces(struct fake_exchange *exchange)
{
    struct http_handler handler = exchange->handler;
    void *context = exchange->context;
    char *piece auto_free = buf_take(&exchange->written);
    struct err failure;

    buf_init(&exchange->written, LIMIT_HTTP_BODY);
    if (handler.on_data(context, span_of(piece), &failure) == 0)
        return true;
    network_abandon(exchange);
    handler.on_done(context, NULL, &failure);
    return false;
}

static inline void network_deliver_end(struct fake_exchange *exchange)
{
    struct http_handler handler = exchange->handler;
    void *context = exchange->context;
    struct err failure = exchange->failure;
    char *body auto_free = buf_take(&exchange->written);
    struct http_reply reply = { .status = exchange->status,
                                .body = span_of(body),
                                .headers = exchange->headers,
                                .header_count = exchange->header_count };

    network_unlink(exchange);
    if (failure.kind == ERR_NONE)
        handler.on_done(context, &reply, NULL);
    else
        handler.on_done(context, NULL, &failure);
    network_free(exchange);
}

static inline bool network_has_pieces(const struct fake_exchange *exchange)
{
    return exchange->handler.on_data && exchange->status / 100 == 2 && exchange->written.length > 0;
}

/* When the client gives up, INT64_MAX: never. */
static inline int64_t network_gives_up_ms(const struct fake_exchange *exchange)
{
    int64_t whole_ms =
        exchange->timeout_ms > 0 ? exchange->started_ms + exchange->timeout_ms : INT64_MAX;
    int64_t idle_ms = exchange->idle_ms > 0 ? exchange->last_ms + exchange->idle_ms : INT64_MAX;

    return whole_ms < idle_ms ? whole_ms : idle_ms;
}

static inline bool network_has_news(const struct fake_exchange *exchange)
{
    return exchange->held_until_ms <= exchange->network->now_ms &&
           (!exchange->seen || network_has_pieces(exchange) || exchange->over);
}

static inline void network_time_out(struct fake_exchange *exchange)
{
    struct http_handler handler = exchange->handler;
    void *context = exchange->context;
    struct err failure;

    network_abandon(exchange);
    (void)err_set(&failure, ERR_RETRY, "timed out");
    handler.on_done(context, NULL, &failure);
}

/* The oldest exchange with something to serve, to deliver or to give up; NULL: none. */
static inline struct fake_exchange *network_due(const struct fake_network *network)
{
    struct fake_exchange *exchange = network->dead ? NULL : network->first;

    while (exchange && (exchange->canceled || (!network_has_news(exchange) &&
                                               network_gives_up_ms(exchange) > network->now_ms)))
        exchange = exchange->next;
    return exchange;
}

/* One step for one exchange; false: there is nothing to do. */
static inline bool network_step(struct fake_network *network)
{
    struct fake_exchange *exchange = network_due(network);

    if (!exchange)
        return false;
    if (!network_has_news(exchange)) {
        network_time_out(exchange);
    } else if (!exchange->seen) {
        exchange->seen = true;
        network->serve(network->context, exchange);
    } else if (network_has_pieces(exchange)) {
        exchange->last_ms = network->now_ms;
        (void)network_deliver_pieces(exchange);
    } else {
        network_deliver_end(exchange);
    }
    return true;
}

/* Serves and delivers until nothing more can be done without the test's help. */
static inline void fake_network_run(struct fake_network *network)
{
    while (network_step(network))
        ;
}

static inline void network_run(struct transport *transport, int64_t wait_ms)
{
    (void)wait_ms;
    fake_network_run((struct fake_network *)transport);
}

static inline void network_wake(struct transport *transport)
{
    (void)transport;
}

static inline void fake_network_init(struct fake_network *network,
                                     void (*serve)(void *, struct fake_exchange *), void *context)
{
    static const struct transport_port port = { network_start, network_cancel, network_run,
                                                network_wake };

    *network = (struct fake_network){ .transport.port = &port, .serve = serve, .context = context };
}

/* What was canceled and is not answered yet goes to another network: the client of this one is
 * gone, its server goes on. */
static inline void fake_network_orphan(struct fake_network *network, struct fake_network *heir)
{
    struct fake_exchange **place = &network->first;

    while (*place) {
        struct fake_exchange *exchange = *place;

        if (!exchange->canceled) {
            place = &exchange->next;
            continue;
        }
        *place = exchange->next;
        exchange->network = heir;
        exchange->next = heir->first;
        heir->first = exchange;
    }
}

static inline void fake_network_release(struct fake_network *network)
{
    while (network->first)
        network_free(network->first);
}
