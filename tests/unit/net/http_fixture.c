#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"

struct http_fixture fixture;

int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

static void answer(void *context, struct httpd_exchange *exchange)
{
    const char *path = httpd_path(exchange), *size = httpd_query(exchange, "size");
    const char *to = httpd_query(exchange, "to");

    (void)context;
    fixture.requests++;
    if (strcmp(path, "/hold") == 0) {
        fixture.held = exchange;
    } else if (strcmp(path, "/stream") == 0) {
        fixture.held = exchange;
        httpd_stream_begin(exchange, 200, "text/plain", NULL, NULL);
        httpd_stream_write(exchange, span_of("first"));
    } else if (strcmp(path, "/bytes") == 0) {
        auto_free char *bytes = mem_zero(strlen(size) + 1, 1);

        memset(bytes, 'x', strlen(size));
        httpd_reply(exchange, 200, "text/plain", (struct span){ bytes, strlen(size) }, NULL, 0);
    } else if (strcmp(path, "/redirect") == 0) {
        httpd_reply(exchange, 302, NULL, span_of("elsewhere"),
                    &(struct http_header){ "Location", to }, 1);
    } else {
        auto_buf struct buf text;

        buf_init(&text, LIMIT_HTTP_BODY);
        buf_format(&text, "%s %s %.*s", httpd_method(exchange), path,
                   (int)httpd_body(exchange).length, httpd_body(exchange).data);
        snprintf(fixture.seen, sizeof(fixture.seen), "authorization=%s cookie=%s x=%s host=%s",
                 httpd_header(exchange, "Authorization"), httpd_header(exchange, "Cookie"),
                 httpd_header(exchange, "X-Test"), httpd_header(exchange, "Host"));
        httpd_reply(exchange, strcmp(path, "/missing") == 0 ? 404 : 200, "text/plain",
                    (struct span){ text.data, text.length },
                    &(struct http_header){ "X-Answer", "  some value " }, 1);
    }
}

static struct httpd *server_new(void)
{
    struct err err;
    struct httpd *server =
        httpd_new(&(struct httpd_options){ .address = "127.0.0.1", .handler = answer }, &err);

    if (!server)
        fail_msg("%s", err.message);
    return server;
}

int set_up(void **state)
{
    struct err err;

    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    fixture.transport = http_transport_new(&(struct http_options){ .user_agent = "test" }, &err);
    if (!fixture.transport)
        fail_msg("%s", err.message);
    fixture.server = server_new();
    fixture.other = server_new();
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    http_transport_free(fixture.transport);
    httpd_free(fixture.server);
    httpd_free(fixture.other);
    return 0;
}

void turn(void)
{
    httpd_run(fixture.server, 0);
    httpd_run(fixture.other, 0);
    transport_run(fixture.transport, 1);
}

void turn_until(const unsigned *value, unsigned wanted)
{
    int64_t give_up = now_ms() + 20000;

    while (*value < wanted && now_ms() < give_up)
        turn();
    assert_int_equal(*value, wanted);
}

void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){ 0 };
    buf_init(&outcome->body, 32 * MIB);
    buf_init(&outcome->pieces, 32 * MIB);
}

void outcome_release(struct outcome *outcome)
{
    buf_release(&outcome->body);
    buf_release(&outcome->pieces);
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct outcome *outcome = context;

    buf_append(&outcome->pieces, piece.data, piece.length);
    outcome->pieces_count++;
    if (outcome->cancel_in_data)
        transport_cancel(fixture.transport, *outcome->victim);
    return outcome->fail_in_data ? err_set(err, ERR_GONE, "enough") : 0;
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct outcome *outcome = context;

    outcome->done++;
    outcome->failed = failure != NULL;
    if (failure)
        outcome->failure = *failure;
    if (reply) {
        const char *value = http_reply_header(reply, "x-answer");

        outcome->status = reply->status;
        buf_append(&outcome->body, reply->body.data, reply->body.length);
        snprintf(outcome->header, sizeof(outcome->header), "%s", value ? value : "");
    }
    if (outcome->victim && !outcome->cancel_in_data)
        transport_cancel(fixture.transport, *outcome->victim);
    if (outcome->start_in_done) {
        outcome->start_in_done = false;
        outcome->call = get("/again", outcome);
    }
}

char *url_of(const struct httpd *server, const char *path)
{
    return mem_format("http://127.0.0.1:%u%s", httpd_port(server), path);
}

struct http_call *start(const struct http_request *request, bool stream, struct outcome *outcome)
{
    struct http_handler handler = { .on_data = stream ? on_data : NULL, .on_done = on_done };

    outcome->call = transport_start(fixture.transport, request, &handler, outcome);
    return outcome->call;
}

struct http_call *get(const char *path, struct outcome *outcome)
{
    auto_free char *url = url_of(fixture.server, path);

    return start(&(struct http_request){ .method = "GET", .url = url }, false, outcome);
}
