/* logs.c - pod logs, whole, the last lines, or followed until the pod ends. */
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "kubesim/front/request.h"

#define LIMIT_LOG_ANSWER   (64 * MIB)
#define FOLLOW_INTERVAL_MS 200

struct follow {
    struct front *front;
    struct exchange exchange;
    char *uid, *namespace, *name;
    uint64_t offset;
    struct timer timer;
    struct follow *next, **link;
};

static void follow_free(struct follow *follow)
{
    timer_stop(follow->front->options.cluster->timers, &follow->timer);
    *follow->link = follow->next;
    if (follow->next)
        follow->next->link = follow->link;
    free(follow->uid);
    free(follow->namespace);
    free(follow->name);
    free(follow);
}

static void on_close(void *context)
{
    follow_free(context);
}

static void end(struct follow *follow)
{
    struct exchange exchange = follow->exchange;
    follow_free(follow);
    exchange.port->stream_end(exchange.handle);
}

void follows_close(struct front *front)
{
    while (front->follows)
        end(front->follows);
}

static bool has_ended(const struct follow *follow)
{
    const struct resources *resources = &follow->front->options.cluster->resources;
    const struct object *pod =
        store_find(resource_find(resources, "", "v1", "pods"), follow->namespace, follow->name);
    const char *phase = pod ? jx_string(pod->snapshot->json, "status", "phase", NULL) : NULL;
    return !phase || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static void follow_on_time(void *context)
{
    struct follow *follow = context;
    const struct front_options *options = &follow->front->options;
    bool ended = has_ended(follow);
    auto_buf struct buf text;
    buf_init(&text, LIMIT_LOG_ANSWER);
    options->read_log(options->log_context, follow->uid, follow->offset, &text);
    follow->offset += text.length;
    if (text.length)
        follow->exchange.port->stream_write(follow->exchange.handle,
                                            (struct span){ text.data, text.length });
    if (ended)
        end(follow);
    else
        timer_set(options->cluster->timers, &follow->timer, FOLLOW_INTERVAL_MS);
}

/* Cuts the text to its last `count` lines. */
static struct span last_lines(struct span text, int64_t count)
{
    size_t begin = text.length;
    if (begin > 0 && text.data[begin - 1] == '\n')
        begin--;
    while (begin > 0 && (text.data[begin - 1] != '\n' || --count > 0))
        begin--;
    return (struct span){ text.data + begin, text.length - begin };
}

static void begin_follow(struct request *request, const char *uid, uint64_t offset)
{
    struct front *front = request->front;
    struct follow *follow = mem_zero(1, sizeof(*follow));
    *follow = (struct follow){ .front = front,
                               .exchange = request->exchange,
                               .uid = mem_strdup(uid),
                               .namespace = mem_strdup(request->namespace),
                               .name = mem_strdup(request->name),
                               .offset = offset,
                               .next = front->follows,
                               .link = &front->follows };
    if (follow->next)
        follow->next->link = &follow->next;
    front->follows = follow;
    follow->timer = (struct timer){ .fire = follow_on_time, .context = follow };
    follow->exchange.port->stream_begin(follow->exchange.handle, 200, "text/plain", on_close,
                                        follow);
    timer_set(front->options.cluster->timers, &follow->timer, 0);
}

void handle_log(struct request *request)
{
    const struct front_options *options = &request->front->options;
    const struct exchange *exchange = &request->exchange;
    const struct object *pod = store_find(request->resource, request->namespace, request->name);
    struct err err = { 0 }, ignored;
    int64_t lines;
    if (!pod || !options->read_log) {
        api_refuse(&err, 404, "NotFound", "pods \"%s\" not found", request->name);
        request_refuse(request, &err, NULL);
        return;
    }
    const char *uid = jx_string(pod->snapshot->json, "metadata", "uid", NULL);
    const char *tail = request_query(request, "tailLines");
    auto_buf struct buf text;
    buf_init(&text, LIMIT_LOG_ANSWER);
    options->read_log(options->log_context, uid, 0, &text);
    struct span shown = { buf_text(&text), text.length };
    if (tail && num_int64(span_of(tail), 0, INT32_MAX, &lines, &ignored) == 0)
        shown = lines ? last_lines(shown, lines) : (struct span){ shown.data, 0 };
    if (request_flag(request, "follow"))
        begin_follow(request, uid, text.length - shown.length);
    else
        exchange->port->reply(exchange->handle, 200, "text/plain", shown, NULL, 0);
}
