/* bridge.c - kubesim's front behind the fake network. */
#include "sim/simulation.h"

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static struct fake_exchange *own(const struct httpd_exchange *handle)
{
    return (struct fake_exchange *)handle;
}

/* Query parameters are decoded into a place that lives until the next one. */
static const char *bridge_query(const struct httpd_exchange *handle, const char *name)
{
    static char decoded[4096];
    const struct fake_exchange *exchange = own(handle);
    const char *at = strchr(exchange->url, '?');
    size_t length = strlen(name), out = 0;

    for (; at; at = strchr(at + 1, '&'))
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '=')
            break;
    if (!at)
        return NULL;
    for (at += length + 2; *at && *at != '&' && out + 1 < sizeof(decoded); at++) {
        if (*at == '%') {
            decoded[out++] = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
            at += 2;
        } else {
            decoded[out++] = *at;
        }
    }
    decoded[out] = '\0';
    return decoded;
}

static const char *bridge_header(const struct httpd_exchange *handle, const char *name)
{
    const struct fake_exchange *exchange = own(handle);

    if (strcasecmp(name, "Content-Type") == 0)
        return exchange->content_type;
    if (strcasecmp(name, "Authorization") == 0)
        return exchange->authorization;
    return strcasecmp(name, "User-Agent") == 0 ? exchange->user_agent : NULL;
}

static void bridge_reply(struct httpd_exchange *handle, int status, const char *content_type,
                         struct span bytes, const struct http_header *headers, size_t header_count)
{
    char *body auto_free = mem_strndup(bytes.data ?: "", bytes.length);

    network_answer_header(own(handle), "Content-Type", content_type);
    for (size_t i = 0; i < header_count; i++)
        network_answer_header(own(handle), headers[i].name, headers[i].value);
    network_reply(own(handle), status, body);
}

static void bridge_stream_begin(struct httpd_exchange *handle, int status, const char *content_type,
                                void (*on_close)(void *context), void *context)
{
    network_answer_header(own(handle), "Content-Type", content_type);
    network_stream(own(handle), status, on_close, context);
}

/* A watch writes one line, whole, per event. */
static void bridge_stream_write(struct httpd_exchange *handle, struct span bytes)
{
    struct fake_exchange *exchange = own(handle);
    struct sim_controller *controller = exchange->network->context;
    const struct sim_hooks *hooks = &controller->sim->hooks;
    unsigned times = hooks->on_event ? hooks->on_event(hooks->context, controller, exchange) : 1;

    while (times-- > 0)
        network_write(exchange, bytes);
    if (controller->lag_ms > 0 && exchange->held_until_ms <= controller->sim->now_ms)
        exchange->held_until_ms = controller->sim->now_ms + controller->lag_ms;
}

static size_t bridge_stream_queued(const struct httpd_exchange *handle)
{
    return own(handle)->written.length;
}

static void bridge_stream_end(struct httpd_exchange *handle)
{
    network_end(own(handle));
}

static void bridge_abort(struct httpd_exchange *handle)
{
    network_fail(own(handle), ERR_RETRY, "connection cut");
}

static const struct exchange_port bridge = {
    bridge_query,        bridge_header,        bridge_reply,      bridge_stream_begin,
    bridge_stream_write, bridge_stream_queued, bridge_stream_end, bridge_abort,
};

void sim_serve(struct sim *sim, struct fake_exchange *exchange)
{
    front_handle(&sim->front, &(struct exchange){ .port = &bridge,
                                                  .handle = (struct httpd_exchange *)exchange,
                                                  .method = exchange->method,
                                                  .path = exchange->path,
                                                  .body = span_of(exchange->body) });
}
