/* logs.c - pod logs: what is there, whole or the last lines. */
#include "base/limits.h"
#include "base/num.h"
#include "kubesim/front/request.h"

#define LIMIT_LOG_ANSWER (64 * MIB)

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
    exchange->port->reply(exchange->handle, 200, "text/plain", shown, NULL, 0);
}
