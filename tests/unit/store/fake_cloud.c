#include "fake_cloud.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct http_call {
    struct fake_cloud *cloud;
    struct http_handler handler;
    void *context;
    struct fake_reply reply;
    int64_t idle_ms, heard_ms;
    size_t sent; /* of the reply's body */
    bool begun;
};

static struct http_call *start(struct transport *transport, const struct http_request *request,
                               const struct http_handler *handler, void *context)
{
    struct fake_cloud *cloud = (struct fake_cloud *)transport;
    struct http_call *call = mem_zero(1, sizeof(*call));

    *call = (struct http_call){ .cloud = cloud,
                                .handler = *handler,
                                .context = context,
                                .idle_ms = request->idle_ms,
                                .heard_ms = cloud->now_ms };
    cloud->requests++;
    buf_format(&cloud->log, "%s %s\n", request->method, request->url);
    cloud->serve(cloud->context, request, &call->reply);
    for (size_t i = 0; i < FAKE_CALLS; i++)
        if (!cloud->calls[i])
            return cloud->calls[i] = call;
    abort();
}

static void cancel(struct transport *transport, struct http_call *call)
{
    struct fake_cloud *cloud = (struct fake_cloud *)transport;

    for (size_t i = 0; i < FAKE_CALLS; i++)
        if (cloud->calls[i] == call)
            cloud->calls[i] = NULL;
    free(call);
}

static void finish(struct http_call *call, const struct http_reply *reply,
                   const struct err *failure)
{
    call->cloud->answers += reply != NULL;
    call->handler.on_done(call->context, reply, failure);
    cancel(&call->cloud->transport, call);
}

static void fail(struct http_call *call, const char *why)
{
    struct err failure;

    err_set(&failure, ERR_RETRY, "GET fake: %s", why);
    finish(call, NULL, &failure);
}

static void send_piece(struct http_call *call)
{
    struct fake_reply *reply = &call->reply;
    size_t piece = call->cloud->piece ? call->cloud->piece : 10, rest = reply->body.length;
    struct err failure;

    rest -= call->sent;
    piece = piece < rest ? piece : rest;
    call->heard_ms = call->cloud->now_ms;
    call->sent += piece;
    if (call->handler.on_data(call->context,
                              (struct span){ reply->body.data + call->sent - piece, piece },
                              &failure) < 0)
        finish(call, NULL, &failure);
}

/* Returns whether something happened. */
static bool turn(struct http_call *call)
{
    struct fake_reply *reply = &call->reply;
    bool streams = call->handler.on_data && reply->status / 100 == 2;
    struct http_reply head = { reply->status, { 0 }, reply->headers, reply->header_count };
    struct err failure;

    if (reply->status == 0)
        return fail(call, "no connection"), true;
    if (!call->begun) {
        call->begun = true;
        if (streams && call->handler.on_head &&
            call->handler.on_head(call->context, &head, &failure) < 0)
            finish(call, NULL, &failure);
        return true;
    }
    if (streams && call->sent < reply->body.length)
        return send_piece(call), true;
    if (reply->cut)
        return fail(call, "cut"), true;
    if (reply->stall && call->cloud->now_ms - call->heard_ms < call->idle_ms)
        return false;
    if (reply->stall)
        return fail(call, "nothing came"), true;
    if (!streams)
        head.body = reply->body;
    finish(call, &head, NULL);
    return true;
}

static void run(struct transport *transport, int64_t wait_ms)
{
    struct fake_cloud *cloud = (struct fake_cloud *)transport;

    for (size_t i = 0; i < FAKE_CALLS; i++)
        if (cloud->calls[i] && turn(cloud->calls[i]))
            return;
    if (cloud->stop_at_ms > 0 && cloud->now_ms + wait_ms >= cloud->stop_at_ms) {
        cloud->now_ms = cloud->stop_at_ms;
        cloud->stop = 1;
        return;
    }
    cloud->now_ms += wait_ms;
}

static void wake(struct transport *transport)
{
    (void)transport;
}

static int64_t now(void *context)
{
    return ((struct fake_cloud *)context)->now_ms;
}

void fake_cloud_init(struct fake_cloud *cloud,
                     void (*serve)(void *context, const struct http_request *request,
                                   struct fake_reply *ret_reply),
                     void *context)
{
    static const struct transport_port port = { start, cancel, run, wake };

    *cloud = (struct fake_cloud){ .transport.port = &port,
                                  .clock = { now, now, cloud },
                                  .now_ms = INT64_C(1800000000000),
                                  .serve = serve,
                                  .context = context };
    buf_init(&cloud->log, 1 << 20);
}

void fake_cloud_release(struct fake_cloud *cloud)
{
    buf_release(&cloud->log);
}

/* Every line is the same fake: it runs all calls. */
static struct transport *get_transport(void *context, struct err *err)
{
    (void)err;
    return &((struct fake_cloud *)context)->transport;
}

static void keep_transport(struct transport *transport)
{
    (void)transport;
}

static void count_trouble(void *context, const struct err *why, int64_t delay_ms)
{
    (void)why, (void)delay_ms;
    ((struct fake_cloud *)context)->troubles++;
}

static const char *find_variable(void *context, const char *name)
{
    const char *const *pair = ((struct fake_cloud *)context)->variables;

    for (; pair && pair[0]; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

struct stores_options fake_cloud_options(struct fake_cloud *cloud)
{
    return (struct stores_options){
        .variable = find_variable,
        .on_trouble = count_trouble,
        .context = cloud,
        .stop = &cloud->stop,
        .uploads = 1, /* it has one thread */
        .clock = &cloud->clock,
        .transport_new = get_transport,
        .transport_free = keep_transport,
    };
}

void fake_header(struct fake_reply *reply, const char *name, const char *value)
{
    reply->headers[reply->header_count++] = (struct http_header){ name, value };
}

const char *fake_sent(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}
