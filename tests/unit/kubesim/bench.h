/* bench.h - a cluster and its front under virtual time, asked as a client asks.
 *
 * bench_ask() sends one request and keeps its answer; a watch stays open and
 * collects its lines. Pods do what the test says: nothing runs. */
#pragma once

#include <string.h>

#include "unit.h"

#include "base/json.h"
#include "base/limits.h"
#include "kubesim/core/api.h"
#include "kubesim/front/front.h"

struct bench_stream {
    bool open, cut;
    char *text; /* what was written so far */
    size_t length;
    void (*on_close)(void *context);
    void *context;
};

struct bench {
    int64_t now_ms;
    struct clock clock;
    struct timers timers;
    struct cluster cluster;
    struct front front;
    /* the last request and its answer */
    struct arena arena;
    const char *query, *content_type;
    int status;
    json_t *answer;
    struct bench_stream streams[8];
    size_t stream_count;
    /* pods that were started and asked to stop, oldest first */
    char *started[32], *stopped[32];
    size_t started_count, stopped_count;
    int64_t grace_ms;
};

static int64_t bench_clock(void *context)
{
    return *(int64_t *)context;
}

/* --- the exchange port --- */

struct bench_handle {
    struct bench *bench;
    struct bench_stream *stream;
};

static struct bench_handle *bench_handle(const struct httpd_exchange *handle)
{
    return (struct bench_handle *)handle;
}

static const char *bench_query(const struct httpd_exchange *handle, const char *name)
{
    struct bench *bench = bench_handle(handle)->bench;
    size_t length = strlen(name);
    for (const char *p = bench->query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
        if (strncmp(p, name, length) == 0 && p[length] == '=')
            return arena_strndup(&bench->arena, p + length + 1, strcspn(p + length + 1, "&"));
    return NULL;
}

static const char *bench_header(const struct httpd_exchange *handle, const char *name)
{
    struct bench *bench = bench_handle(handle)->bench;
    if (strcmp(name, "Content-Type") == 0)
        return bench->content_type;
    return strcmp(name, "User-Agent") == 0 ? "bench/1" : NULL;
}

static void bench_reply(struct httpd_exchange *handle, int status, const char *content_type,
                        struct span bytes, const struct http_header *headers, size_t header_count)
{
    struct bench *bench = bench_handle(handle)->bench;
    (void)content_type, (void)headers, (void)header_count;
    bench->status = status;
    json_decref(bench->answer);
    bench->answer = jx_parse(bytes, LIMIT_JSON_DOCUMENT, "answer", NULL);
}

static void bench_stream_begin(struct httpd_exchange *handle, int status, const char *content_type,
                               void (*on_close)(void *context), void *context)
{
    struct bench_handle *own = bench_handle(handle);
    (void)content_type;
    own->bench->status = status;
    own->stream = &own->bench->streams[own->bench->stream_count++];
    *own->stream = (struct bench_stream){ .open = true, .on_close = on_close, .context = context };
}

static void bench_stream_write(struct httpd_exchange *handle, struct span bytes)
{
    struct bench_stream *stream = bench_handle(handle)->stream;
    stream->text = mem_resize(stream->text, stream->length + bytes.length + 1, 1);
    memcpy(stream->text + stream->length, bytes.data, bytes.length);
    stream->length += bytes.length;
    stream->text[stream->length] = '\0';
}

static size_t bench_stream_queued(const struct httpd_exchange *handle)
{
    (void)handle;
    return 0;
}

static void bench_stream_end(struct httpd_exchange *handle)
{
    bench_handle(handle)->stream->open = false;
}

static void bench_abort(struct httpd_exchange *handle)
{
    struct bench_handle *own = bench_handle(handle);
    if (own->stream)
        own->stream->open = false, own->stream->cut = true;
    else
        own->bench->status = -1;
}

static const struct exchange_port bench_exchange_port = {
    bench_query,        bench_header,        bench_reply,      bench_stream_begin,
    bench_stream_write, bench_stream_queued, bench_stream_end, bench_abort,
};

/* --- the pod port --- */

static void bench_start_pod(void *context, const json_t *pod)
{
    struct bench *bench = context;
    bench->started[bench->started_count++] = mem_strdup(jx_string(pod, "metadata", "uid", NULL));
}

static void bench_stop_pod(void *context, const char *uid, int64_t grace_ms)
{
    struct bench *bench = context;
    bench->stopped[bench->stopped_count++] = mem_strdup(uid);
    bench->grace_ms = grace_ms;
}

static void bench_forget_pod(void *context, const char *uid)
{
    (void)context, (void)uid;
}

static const struct pod_port bench_pod_port = { bench_start_pod, bench_stop_pod, bench_forget_pod };

/* --- what tests call --- */

static inline struct bench *bench_new(size_t watch_window)
{
    struct bench *bench = mem_zero(1, sizeof(*bench));
    bench->now_ms = 1000000;
    bench->clock = (struct clock){ bench_clock, bench_clock, &bench->now_ms };
    timers_init(&bench->timers, &bench->clock);
    cluster_init(&bench->cluster, &(struct cluster_options){ .timers = &bench->timers,
                                                             .seed = 1,
                                                             .watch_window = watch_window,
                                                             .pods = &bench_pod_port,
                                                             .pods_context = bench });
    front_init(&bench->front, &(struct front_options){ .cluster = &bench->cluster });
    return bench;
}

static inline void bench_free(struct bench *bench)
{
    front_release(&bench->front);
    cluster_release(&bench->cluster);
    timers_release(&bench->timers);
    json_decref(bench->answer);
    for (size_t i = 0; i < bench->stream_count; i++)
        free(bench->streams[i].text);
    for (size_t i = 0; i < bench->started_count; i++)
        free(bench->started[i]);
    for (size_t i = 0; i < bench->stopped_count; i++)
        free(bench->stopped[i]);
    arena_release(&bench->arena);
    free(bench);
}

/* Runs what is due now, and what that makes due. */
static inline void bench_settle(struct bench *bench)
{
    for (int i = 0; i < 100 && timers_run(&bench->timers) == 0; i++)
        ;
}

static inline void bench_advance(struct bench *bench, int64_t ms)
{
    int64_t end_ms = bench->now_ms + ms, next_ms;
    bench_settle(bench);
    while ((next_ms = timers_run(&bench->timers)) >= 0 && bench->now_ms + next_ms <= end_ms) {
        bench->now_ms += next_ms ? next_ms : 1;
        bench_settle(bench);
    }
    bench->now_ms = end_ms;
    bench_settle(bench);
}

/* `target`: path and query; `body`: JSON with ' for ", or NULL. PATCH is a merge patch. Returns the
 * status; -1: the connection was cut; 0: no answer. */
static inline int bench_ask(struct bench *bench, const char *method, const char *target,
                            const char *body)
{
    const char *question = strchr(target, '?');
    char *path = arena_strndup(&bench->arena, target,
                               question ? (size_t)(question - target) : strlen(target));
    char *json = arena_strdup(&bench->arena, body ? body : "");
    struct bench_handle *handle = arena_zero(&bench->arena, 1, sizeof(*handle));
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    handle->bench = bench;
    bench->status = 0;
    bench->query = question ? arena_strdup(&bench->arena, question + 1) : NULL;
    if (!bench->content_type)
        bench->content_type = "application/merge-patch+json";
    front_handle(&bench->front, &(struct exchange){ .port = &bench_exchange_port,
                                                    .handle = (struct httpd_exchange *)handle,
                                                    .method = method,
                                                    .path = path,
                                                    .body = span_of(json) });
    bench_settle(bench);
    return bench->status;
}

/* Text at a path of names in the last answer; "" when there is none. */
#define BENCH_TEXT(bench, ...)                                                                     \
    (jx_string((bench)->answer, __VA_ARGS__, NULL) ? jx_string((bench)->answer, __VA_ARGS__, NULL) \
                                                   : "")

static inline void bench_report(struct bench *bench, size_t pod, const struct pod_report *report)
{
    kubelet_report(&bench->cluster.kubelet, bench->started[pod], report);
    bench_settle(bench);
}
