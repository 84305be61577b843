/* fake_network.h - a network that is one function of the test.
 *
 * Every exchange that is started reaches the server function from the next
 * fake_network_run(). It may answer at once (network_reply, network_fail), stream
 * (network_piece), or leave the exchange open and answer later. Answers are
 * delivered from fake_network_run() too, in the order in which they were given. */
#pragma once

#include "base/mem.h"
#include "net/transport.h"

struct fake_exchange {
    struct fake_network *network;
    struct fake_exchange *next;
    char *method, *url, *body;
    struct http_handler handler;
    void *context;
    bool seen, answered;
    int status;
    char *reply;
    const char *header_name, *header_value; /* one header of the answer, or NULL */
    struct err failure;
};

struct fake_network {
    struct transport transport;
    void (*serve)(void *context, struct fake_exchange *exchange);
    void *context;
    struct fake_exchange *first;
    unsigned started, canceled;
};

static inline void fake_exchange_free(struct fake_exchange *exchange)
{
    free(exchange->method);
    free(exchange->url);
    free(exchange->body);
    free(exchange->reply);
    free(exchange);
}

static inline struct http_call *network_start(struct transport *transport,
                                              const struct http_request *request,
                                              const struct http_handler *handler, void *context)
{
    struct fake_network *network = (struct fake_network *)transport;
    struct fake_exchange *exchange = mem_zero(1, sizeof(*exchange));
    struct fake_exchange **place = &network->first;

    exchange->network = network;
    exchange->method = mem_strdup(request->method);
    exchange->url = mem_strdup(request->url);
    exchange->body = mem_strndup(request->body.data ?: "", request->body.length);
    exchange->handler = *handler;
    exchange->context = context;
    network->started++;
    while (*place)
        place = &(*place)->next;
    *place = exchange;
    return (struct http_call *)exchange;
}

static inline void network_unlink(struct fake_exchange *exchange)
{
    struct fake_exchange **place = &exchange->network->first;

    while (*place != exchange)
        place = &(*place)->next;
    *place = exchange->next;
}

static inline void network_cancel(struct transport *transport, struct http_call *call)
{
    struct fake_exchange *exchange = (struct fake_exchange *)call;

    ((struct fake_network *)transport)->canceled++;
    network_unlink(exchange);
    fake_exchange_free(exchange);
}

/* The whole answer; `body` is copied. */
static inline void network_reply(struct fake_exchange *exchange, int status, const char *body)
{
    exchange->answered = true;
    exchange->status = status;
    free(exchange->reply);
    exchange->reply = mem_strdup(body);
}

/* The network fails. */
static inline void network_fail(struct fake_exchange *exchange, enum err_kind kind,
                                const char *message)
{
    exchange->answered = true;
    (void)err_set(&exchange->failure, kind, "%s", message);
}

/* A piece of a streamed answer, delivered at once: only for code that is called
 * from fake_network_run(). */
static inline int network_piece(struct fake_exchange *exchange, const char *text, struct err *err)
{
    return exchange->handler.on_data(exchange->context, span_of(text), err);
}

static inline void network_deliver(struct fake_exchange *exchange)
{
    struct http_header header = { exchange->header_name, exchange->header_value };
    struct http_reply reply = { .status = exchange->status,
                                .headers = &header,
                                .header_count = exchange->header_name ? 1 : 0 };
    bool stream = exchange->handler.on_data && exchange->status / 100 == 2;
    struct err failure = exchange->failure;

    network_unlink(exchange);
    if (failure.kind == ERR_NONE && stream)
        (void)network_piece(exchange, exchange->reply, &failure);
    else if (failure.kind == ERR_NONE)
        reply.body = span_of(exchange->reply);
    if (failure.kind == ERR_NONE)
        exchange->handler.on_done(exchange->context, &reply, NULL);
    else
        exchange->handler.on_done(exchange->context, NULL, &failure);
    fake_exchange_free(exchange);
}

/* Serves and delivers until nothing more can be done without the test's help. */
static inline void fake_network_run(struct fake_network *network)
{
    struct fake_exchange *exchange;

    for (;;) {
        for (exchange = network->first; exchange && exchange->seen; exchange = exchange->next)
            ;
        if (exchange) {
            exchange->seen = true;
            network->serve(network->context, exchange);
            continue;
        }
        for (exchange = network->first; exchange && !exchange->answered; exchange = exchange->next)
            ;
        if (!exchange)
            return;
        network_deliver(exchange);
    }
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

static inline void fake_network_release(struct fake_network *network)
{
    while (network->first)
        network_cancel(&network->transport, (struct http_call *)network->first);
}
