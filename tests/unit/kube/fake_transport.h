/* fake_transport.h - a network and a clock that a test plays by hand.
 *
 * Requests wait in the order in which they were started. A test takes them one by one with
 * fake_expect(), which fails when the request is another, and answers: whole (fake_answer), or
 * as a stream (fake_data, then fake_end or fake_cut). Time stands still until fake_advance(). */
#pragma once

#include "unit.h"

#include "base/buf.h"
#include "base/timer.h"
#include "kube/client.h"
#include "net/transport.h"

#define FAKE_SERVER "http://fake"
#define FAKE_CALLS  16

struct fake;

struct http_call {
    struct fake *fake;
    char *method, *path; /* without the server, with the query */
    char *body, *authorization, *content_type;
    char *certificate, *key; /* PEM texts; "" for none */
    int64_t timeout_ms, idle_ms;
    struct http_handler handler;
    void *context;
};

struct fake {
    struct transport transport;
    struct http_call *calls[FAKE_CALLS]; /* that run, oldest first */
    size_t count;
    unsigned started, canceled;
    struct clock clock;
    struct timers timers;
    int64_t now_ms;
    struct kube_config config;
    struct kube_client *client;
};

static inline char *fake_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return mem_strdup(request->headers[i].value);
    return mem_strdup("");
}

static inline struct http_call *fake_start(struct transport *transport,
                                           const struct http_request *request,
                                           const struct http_handler *handler, void *context)
{
    struct fake *fake = (struct fake *)transport;
    struct http_call *call = mem_zero(1, sizeof(*call));

    assert_true(fake->count < FAKE_CALLS);
    assert_true(strncmp(request->url, FAKE_SERVER "/", strlen(FAKE_SERVER "/")) == 0);
    call->fake = fake;
    call->method = mem_strdup(request->method);
    call->path = mem_strdup(request->url + strlen(FAKE_SERVER));
    call->body = mem_strndup(request->body.length ? request->body.data : "", request->body.length);
    call->authorization = fake_header(request, "Authorization");
    call->content_type = fake_header(request, "Content-Type");
    const struct tls_options *tls = request->tls;
    call->certificate = mem_strdup(tls && tls->certificate_pem ? tls->certificate_pem : "");
    call->key = mem_strdup(tls && tls->key_pem ? tls->key_pem : "");
    call->timeout_ms = request->timeout_ms;
    call->idle_ms = request->idle_ms;
    call->handler = *handler;
    call->context = context;
    fake->calls[fake->count++] = call;
    fake->started++;
    return call;
}

static inline void fake_forget(struct http_call *call)
{
    struct fake *fake = call->fake;
    size_t i = 0;

    while (i < fake->count && fake->calls[i] != call)
        i++;
    assert_true(i < fake->count);
    memmove(fake->calls + i, fake->calls + i + 1, (--fake->count - i) * sizeof(fake->calls[0]));
    free(call->method);
    free(call->path);
    free(call->body);
    free(call->authorization);
    free(call->content_type);
    free(call->certificate);
    free(call->key);
    free(call);
}

static inline void fake_cancel(struct transport *transport, struct http_call *call)
{
    ((struct fake *)transport)->canceled++;
    fake_forget(call);
}

static inline int64_t fake_now(void *context)
{
    return *(const int64_t *)context;
}

/* A client without credentials unless the test sets others before its first request. */
static inline void fake_init(struct fake *fake)
{
    static const struct transport_port port = { .start = fake_start, .cancel = fake_cancel };

    *fake = (struct fake){ .transport.port = &port, .now_ms = 1000000 };
    fake->clock = (struct clock){ fake_now, fake_now, &fake->now_ms };
    timers_init(&fake->timers, &fake->clock);
    fake->config.server = FAKE_SERVER;
    fake->config.credentials = kube_credentials_new(&(struct kube_credentials_options){ 0 });
    fake->client = kube_client_new(&(struct kube_client_options){ .transport = &fake->transport,
                                                                  .timers = &fake->timers,
                                                                  .config = &fake->config,
                                                                  .field_manager = "test" });
}

static inline void fake_release(struct fake *fake)
{
    kube_client_free(fake->client);
    assert_int_equal(fake->count, 0);
    assert_int_equal(fake->timers.count, 0);
    timers_release(&fake->timers);
    kube_config_release(&fake->config);
}

/* Time passes, timers run when they are due. */
static inline void fake_advance(struct fake *fake, int64_t ms)
{
    int64_t end_ms = fake->now_ms + ms;

    for (;;) {
        int64_t wait_ms = timers_run(&fake->timers);

        if (wait_ms < 0 || fake->now_ms + wait_ms > end_ms)
            break;
        fake->now_ms += wait_ms;
    }
    fake->now_ms = end_ms;
}

/* The oldest request that runs, which must be this one; `query` are words that must be in it,
 * separated by blanks; words that begin with '!' must not. */
static inline struct http_call *fake_expect(struct fake *fake, const char *method, const char *path,
                                            const char *query)
{
    struct http_call *call = fake->calls[0];
    size_t length = strlen(path);

    if (fake->count == 0)
        fail_msg("expected %s %s, but nothing was sent", method, path);
    if (strcmp(call->method, method) != 0 || strncmp(call->path, path, length) != 0 ||
        (call->path[length] != '\0' && call->path[length] != '?'))
        fail_msg("expected %s %s, but %s %s was sent", method, path, call->method, call->path);
    for (const char *at = query; *at;) {
        size_t word_length = strcspn(at, " ");
        auto_free char *word = mem_strndup(at, word_length);
        bool unwanted = word[0] == '!';

        if (!strstr(call->path, word + unwanted) != unwanted)
            fail_msg("expected \"%s\" in %s", word, call->path);
        at += word_length + (at[word_length] == ' ');
    }
    return call;
}

static inline void fake_answer_with(struct http_call *call, int status, const char *body,
                                    const struct http_header *headers, size_t header_count)
{
    const struct http_handler handler = call->handler;
    void *context = call->context;
    struct http_reply reply = {
        .status = status, .body = span_of(body), .headers = headers, .header_count = header_count
    };
    struct err failure = { 0 };
    int result = 0;

    if (status / 100 == 2 && handler.on_data) {
        result = handler.on_data(context, reply.body, &failure);
        reply.body = span_of("");
    }
    fake_forget(call);
    handler.on_done(context, result < 0 ? NULL : &reply, result < 0 ? &failure : NULL);
}

static inline void fake_answer(struct http_call *call, int status, const char *body)
{
    fake_answer_with(call, status, body, NULL, 0);
}

/* A Status as the API server sends it. */
static inline void fake_refuse(struct http_call *call, int status, const char *reason)
{
    auto_free char *body =
        mem_format("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
                   "\"reason\":\"%s\",\"message\":\"refused by the test\",\"code\":%d}",
                   reason, status);

    fake_answer(call, status, body);
}

static inline void fake_fail(struct http_call *call, enum err_kind kind, const char *message)
{
    const struct http_handler handler = call->handler;
    void *context = call->context;
    struct err failure = { 0 };

    err_set(&failure, kind, "%s", message);
    fake_forget(call);
    handler.on_done(context, NULL, &failure);
}

/* A piece of a 2xx stream; false when the receiver ended the call with an error. */
static inline bool fake_data(struct http_call *call, const char *text)
{
    struct err failure = { 0 };

    if (call->handler.on_data(call->context, span_of(text), &failure) == 0)
        return true;

    const struct http_handler handler = call->handler;
    void *context = call->context;

    fake_forget(call);
    handler.on_done(context, NULL, &failure);
    return false;
}

static inline void fake_end(struct http_call *call)
{
    fake_answer(call, 200, "");
}

static inline void fake_cut(struct http_call *call)
{
    fake_fail(call, ERR_RETRY, "connection reset by the test");
}
