#include "telemetry.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/httpd.h"

#define STUCK_MS (30 * 1000)
/* Watches end after 10 minutes at the latest, and bookmarks come every minute. */
#define DEAF_MS (15 * 60 * 1000)

struct telemetry {
    struct httpd *server;
    pthread_t thread;
    atomic_bool closing;
    pthread_mutex_t mutex; /* of what follows */
    struct metrics metrics;
    int64_t published_ms;
};

int telemetry_parse_address(const char *address, char **ret_host, unsigned *ret_port,
                            struct err *err)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address, *end = colon;
    int64_t port;

    if (colon && address[0] == '[') {
        if (colon[-1] != ']')
            colon = NULL;
        begin++, end--;
    } else if (colon && memchr(address, ':', (size_t)(colon - address))) {
        colon = NULL; /* an IPv6 address without brackets */
    }
    if (!colon || end <= begin || num_int64(span_of(colon + 1), 0, 65535, &port, err) < 0)
        return err_set(err, ERR_INVALID,
                       "address \"%s\": must be HOST:PORT, such as 0.0.0.0:8080 or [::]:8080",
                       address);
    *ret_host = mem_strndup(begin, (size_t)(end - begin));
    *ret_port = (unsigned)port;
    return 0;
}

const char *telemetry_ailment(const struct metrics *metrics, int64_t age_ms)
{
    if (age_ms > STUCK_MS)
        return "the event loop is stuck\n";
    for (size_t kind = 0; kind < OBJECT_KINDS; kind++)
        if (metrics->caches[kind].following && metrics->caches[kind].silence_ms > DEAF_MS)
            return "a watch is silent\n";
    return NULL;
}

static struct metrics latest(struct telemetry *telemetry, int64_t *ret_age_ms)
{
    struct metrics metrics;

    pthread_mutex_lock(&telemetry->mutex);
    metrics = telemetry->metrics;
    *ret_age_ms = clock_monotonic_ms(&clock_system) - telemetry->published_ms;
    pthread_mutex_unlock(&telemetry->mutex);
    return metrics;
}

static void reply_text(struct httpd_exchange *exchange, int status, const char *text)
{
    httpd_reply(exchange, status, "text/plain; charset=utf-8", span_of(text), NULL, 0);
}

static void reply_metrics(struct httpd_exchange *exchange, const struct metrics *metrics)
{
    struct buf text auto_buf;

    buf_init(&text, LIMIT_HTTP_BODY);
    metrics_render(metrics, &text);
    httpd_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                (struct span){ buf_text(&text), text.length }, NULL, 0);
}

static void handle(void *context, struct httpd_exchange *exchange)
{
    int64_t age_ms;
    struct metrics metrics = latest(context, &age_ms);
    const char *path = httpd_path(exchange);
    const char *ailment = telemetry_ailment(&metrics, age_ms);

    if (strcmp(httpd_method(exchange), "GET") != 0)
        reply_text(exchange, 405, "only GET\n");
    else if (strcmp(path, "/metrics") == 0)
        reply_metrics(exchange, &metrics);
    else if (strcmp(path, "/healthz") == 0)
        reply_text(exchange, ailment ? 503 : 200, ailment ? ailment : "ok\n");
    else if (strcmp(path, "/readyz") == 0)
        reply_text(exchange, metrics.ready ? 200 : 503,
                   metrics.ready ? "ok\n"
                                 : "the caches are not complete yet, or the leader is not known\n");
    else
        reply_text(exchange, 404, "try /metrics, /healthz, /readyz\n");
}

static void *serve(void *context)
{
    struct telemetry *telemetry = context;

    while (!atomic_load(&telemetry->closing))
        httpd_run(telemetry->server, -1);
    return NULL;
}

static int start(struct telemetry *telemetry, const char *host, unsigned port, struct err *err)
{
    int outcome;

    telemetry->server = httpd_new(
        &(struct httpd_options){
            .address = host, .port = port, .handler = handle, .context = telemetry },
        err);
    if (!telemetry->server)
        return -1;
    outcome = pthread_create(&telemetry->thread, NULL, serve, telemetry);
    if (outcome == 0)
        return 0;
    httpd_free(telemetry->server);
    return err_errno(err, outcome, "cannot start a thread");
}

struct telemetry *telemetry_new(const char *address, struct err *err)
{
    char *host auto_free = NULL;
    struct telemetry *telemetry;
    unsigned port;

    if (telemetry_parse_address(address, &host, &port, err) < 0)
        return NULL;
    telemetry = mem_zero(1, sizeof(*telemetry));
    telemetry->published_ms = clock_monotonic_ms(&clock_system);
    pthread_mutex_init(&telemetry->mutex, NULL);
    if (start(telemetry, host, port, err) == 0)
        return telemetry;
    pthread_mutex_destroy(&telemetry->mutex);
    free(telemetry);
    return NULL;
}

void telemetry_free(struct telemetry *telemetry)
{
    if (!telemetry)
        return;
    atomic_store(&telemetry->closing, true);
    httpd_wake(telemetry->server);
    pthread_join(telemetry->thread, NULL);
    httpd_free(telemetry->server);
    pthread_mutex_destroy(&telemetry->mutex);
    free(telemetry);
}

unsigned telemetry_port(const struct telemetry *telemetry)
{
    return httpd_port(telemetry->server);
}

void telemetry_publish(struct telemetry *telemetry, const struct metrics *metrics)
{
    pthread_mutex_lock(&telemetry->mutex);
    telemetry->metrics = *metrics;
    telemetry->published_ms = clock_monotonic_ms(&clock_system);
    pthread_mutex_unlock(&telemetry->mutex);
}
