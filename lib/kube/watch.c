#include "kube/watch.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/lines.h"
#include "base/prune.h"

/* How much longer than asked for a watch may last before it counts as dead. */
enum { WATCH_GRACE_MS = 30000 };

/* {"type":"MODIFIED","object":...} around an object. */
#define LIMIT_WATCH_LINE (LIMIT_KUBE_OBJECT + KIB)

struct watch_call {
    struct lines lines;
    struct kube_watch_handler handler;
    void *context;
    char *what;
};

/* --- decoding --------------------------------------------------------------- */

/* An ERROR event carries the Status that an answer would have had as its body. */
static int fail_as_status(struct span status, struct err *err)
{
    auto_json json_t *parsed = jx_parse(status, LIMIT_WATCH_LINE, "watch event", NULL);
    int64_t code = jx_int(parsed, "code", 500);
    struct http_reply reply = { .status = code >= 400 && code < 600 ? (int)code : 500,
                                .body = status };

    return http_reply_check(&reply, "the watch", err);
}

static int event_type(const char *name, enum watch_event *ret_event, struct err *err)
{
    static const char *const names[] = { [WATCH_ADDED] = "ADDED",
                                         [WATCH_MODIFIED] = "MODIFIED",
                                         [WATCH_DELETED] = "DELETED",
                                         [WATCH_BOOKMARK] = "BOOKMARK" };

    for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_event = (enum watch_event)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "watch event of unknown type \"%s\"", name ? name : "");
}

int watch_decode(struct span line, enum watch_event *ret_event, struct span *ret_object,
                 struct err *err)
{
    static const char *const type_alone[] = { "type", NULL };
    auto_buf struct buf storage = { .maximum = LIMIT_WATCH_LINE };
    auto_json json_t *event =
        jx_parse(pick(line, type_alone, &storage), LIMIT_WATCH_LINE, "watch event", err);
    const char *type = jx_string(event, "type", NULL);
    struct span object = member_text(line, "object");

    if (!event)
        return -1;
    if (type && strcmp(type, "ERROR") == 0)
        return fail_as_status(object, err);
    if (object.length == 0 || *object.data != '{')
        return err_set(err, ERR_INVALID, "watch event without an object");
    if (event_type(type, ret_event, err) < 0)
        return -1;
    *ret_object = object;
    return 0;
}

/* --- the stream --------------------------------------------------------------- */

static int on_line(void *context, struct span line, struct err *err)
{
    struct watch_call *watch = context;
    struct span object;
    enum watch_event event;

    if (span_trim(line).length == 0)
        return 0;
    if (watch_decode(line, &event, &object, err) < 0)
        return -1;
    return watch->handler.on_event(watch->context, event, object, err);
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct watch_call *watch = context;

    return lines_push(&watch->lines, piece, err);
}

static void on_done(void *context, const struct err *failure)
{
    struct watch_call *watch = context;
    struct err cut;

    if (!failure && watch->lines.pending.length > 0) {
        err_set(&cut, ERR_RETRY, "%s: the stream ends inside an event", watch->what);
        failure = &cut;
    }
    watch->handler.on_done(watch->context, failure);
}

static void release(void *context)
{
    struct watch_call *watch = context;

    lines_release(&watch->lines);
    free(watch->what);
    free(watch);
}

static void watch_path(struct buf *path, const struct kube_resource *resource,
                       const struct kube_watch_options *options)
{
    char timeout[16];

    snprintf(timeout, sizeof(timeout), "%u", options->timeout_s);
    kube_path(path, resource, options->namespace, NULL, NULL);
    kube_path_query(path, "watch", "true");
    kube_path_query(path, "allowWatchBookmarks", "true");
    kube_path_query(path, "timeoutSeconds", timeout);
    kube_path_query(path, "labelSelector", options->label_selector);
    kube_path_query(path, "resourceVersion", options->resource_version);
    if (options->initial_events) {
        kube_path_query(path, "sendInitialEvents", "true");
        kube_path_query(path, "resourceVersionMatch", "NotOlderThan");
    }
}

struct kube_call *kube_watch(struct kube_client *client, const struct kube_resource *resource,
                             const struct kube_watch_options *options,
                             const struct kube_watch_handler *handler, void *context)
{
    const struct kube_stream_handler receiver = { on_data, on_done, release };
    auto_buf struct buf path = { 0 };
    struct watch_call *watch = mem_zero(1, sizeof(*watch));

    watch->handler = *handler;
    watch->context = context;
    watch->what = mem_format("watch %s", resource->plural);
    lines_init(&watch->lines, LIMIT_WATCH_LINE, on_line, watch);
    buf_init(&path, LIMIT_KUBE_PATH);
    watch_path(&path, resource, options);

    const struct kube_stream stream = { .path = &path,
                                        .verb = "watch",
                                        .resource = resource,
                                        .timeout_ms =
                                            (int64_t)options->timeout_s * 1000 + WATCH_GRACE_MS };
    return kube_stream(client, &stream, &receiver, watch);
}
