#include "hook_server.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "net/httpd.h"

#include "telemetry.h"

/* A request with its way back. The exchange belongs to the server's thread; what the request
 * points to stays as it is until the exchange is answered, so the loop may read it. */
struct delivery {
    struct delivery *next;
    struct hook_server *server;
    struct httpd_exchange *exchange;
    struct hooks_request request;
    int status;
    char *text;
};

struct line {
    struct delivery *first, *last;
};

struct hook_server {
    struct transport *transport;
    struct hooks *hooks;
    struct httpd *listener;
    pthread_t thread;
    atomic_bool closing;
    pthread_mutex_t mutex; /* of the lines */
    struct line arrived, answered;
};

static void append(struct hook_server *server, struct line *line, struct delivery *delivery)
{
    pthread_mutex_lock(&server->mutex);
    delivery->next = NULL;
    *(line->first ? &line->last->next : &line->first) = delivery;
    line->last = delivery;
    pthread_mutex_unlock(&server->mutex);
}

static struct delivery *take_first(struct hook_server *server, struct line *line)
{
    struct delivery *delivery;

    pthread_mutex_lock(&server->mutex);
    delivery = line->first;
    if (delivery)
        line->first = delivery->next;
    pthread_mutex_unlock(&server->mutex);
    return delivery;
}

static void free_delivery(struct delivery *delivery)
{
    free(delivery->text);
    free(delivery);
}

/* --- the server's thread ---------------------------------------------------------- */

static void handle(void *context, struct httpd_exchange *exchange)
{
    struct hook_server *server = context;
    struct delivery *delivery = mem_zero(1, sizeof(*delivery));

    delivery->server = server;
    delivery->exchange = exchange;
    delivery->request =
        (struct hooks_request){ .method = httpd_method(exchange),
                                .path = httpd_path(exchange),
                                .authorization = httpd_header(exchange, "Authorization"),
                                .token = httpd_query(exchange, "token"),
                                .forwarded = httpd_header(exchange, HOOKS_FORWARDED) != NULL,
                                .body = httpd_body(exchange) };
    append(server, &server->arrived, delivery);
    transport_wake(server->transport);
}

static void reply(const struct delivery *delivery)
{
    /* SNS sends the password of its URL only when it was asked for one. */
    static const struct http_header wanted[] = { { "WWW-Authenticate", "Basic realm=\"churn\"" },
                                                 { "WWW-Authenticate", "Bearer" } };
    static const struct http_header allowed[] = { { "Allow", "POST" } };
    bool is_401 = delivery->status == 401, is_405 = delivery->status == 405;
    char *text auto_free = mem_format("%s\n", delivery->text);

    httpd_reply(delivery->exchange, delivery->status, "text/plain; charset=utf-8", span_of(text),
                is_401 ? wanted : allowed, is_401 ? ARRAY_SIZE(wanted) : is_405);
}

static void *serve(void *context)
{
    struct hook_server *server = context;
    struct delivery *delivery;

    while (!atomic_load(&server->closing)) {
        httpd_run(server->listener, -1);
        while ((delivery = take_first(server, &server->answered))) {
            reply(delivery);
            free_delivery(delivery);
        }
    }
    return NULL;
}

/* --- the loop's thread ------------------------------------------------------------ */

static void answered(void *context, int status, const char *text)
{
    struct delivery *delivery = context;
    struct hook_server *server = delivery->server;

    delivery->status = status;
    delivery->text = mem_strdup(text);
    append(server, &server->answered, delivery);
    httpd_wake(server->listener);
}

void hook_server_poll(struct hook_server *server)
{
    struct delivery *delivery;

    while ((delivery = take_first(server, &server->arrived)))
        hooks_take(server->hooks, &delivery->request, answered, delivery);
}

/* --- life --------------------------------------------------------------------------- */

static int start(struct hook_server *server, const char *host, unsigned port, struct err *err)
{
    int outcome;

    server->listener =
        httpd_new(&(struct httpd_options){ .address = host,
                                           .port = port,
                                           .maximum_body = LIMIT_PUSH,
                                           .maximum_connections = LIMIT_PUSH_CONNECTIONS,
                                           .handler = handle,
                                           .context = server },
                  err);
    if (!server->listener)
        return -1;
    outcome = pthread_create(&server->thread, NULL, serve, server);
    if (outcome == 0)
        return 0;
    httpd_free(server->listener);
    return err_errno(err, outcome, "cannot start a thread");
}

struct hook_server *hook_server_new(const char *address, struct transport *transport,
                                    struct hooks *hooks, struct err *err)
{
    char *host auto_free = NULL;
    struct hook_server *server;
    unsigned port;

    if (telemetry_parse_address(address, &host, &port, err) < 0)
        return NULL;
    server = mem_zero(1, sizeof(*server));
    server->transport = transport;
    server->hooks = hooks;
    pthread_mutex_init(&server->mutex, NULL);
    if (start(server, host, port, err) == 0)
        return server;
    pthread_mutex_destroy(&server->mutex);
    free(server);
    return NULL;
}

static void free_line(struct hook_server *server, struct line *line)
{
    struct delivery *delivery;

    while ((delivery = take_first(server, line)))
        free_delivery(delivery);
}

void hook_server_free(struct hook_server *server)
{
    if (!server)
        return;
    atomic_store(&server->closing, true);
    httpd_wake(server->listener);
    pthread_join(server->thread, NULL);
    httpd_free(server->listener);
    free_line(server, &server->arrived);
    free_line(server, &server->answered);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

unsigned hook_server_port(const struct hook_server *server)
{
    return httpd_port(server->listener);
}
