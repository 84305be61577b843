/* watch.c - open watches: one line per change, bookmarks, WatchList (KEP-3157). */
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "kubesim/front/request.h"
#include "kubesim/front/table.h"

/* A peer that does not read is cut off, as a real server does. */
#define LIMIT_WATCH_QUEUE (64 * MIB)

struct watch {
    struct front *front;
    struct exchange exchange;
    const struct resource *resource;
    char *namespace; /* NULL: all */
    char *user_agent;
    struct selector selector;
    bool table, columns_sent, bookmarks, stalled;
    struct watcher watcher;
    struct timer bookmark_timer, end_timer;
    struct watch *next, **link;
};

static void watch_free(struct watch *watch)
{
    struct cluster *cluster = watch->front->options.cluster;
    store_unwatch(&cluster->store, &watch->watcher);
    timer_stop(cluster->timers, &watch->bookmark_timer);
    timer_stop(cluster->timers, &watch->end_timer);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    selector_release(&watch->selector);
    free(watch->namespace);
    free(watch->user_agent);
    free(watch);
}

static void on_close(void *context)
{
    watch_free(context);
}

static void end(struct watch *watch, bool cut)
{
    struct exchange exchange = watch->exchange;
    watch_free(watch);
    if (cut)
        exchange.port->abort(exchange.handle);
    else
        exchange.port->stream_end(exchange.handle);
}

static void end_on_time(void *context)
{
    end(context, false);
}

void watches_close(struct front *front, const char *resource, bool cut)
{
    struct watch *next;
    for (struct watch *watch = front->watches; watch; watch = next) {
        next = watch->next;
        if (!resource || strcmp(resource, watch->resource->plural) == 0)
            end(watch, cut);
    }
}

/* --- lines ------------------------------------------------------------------------------- */

static void send_line(struct watch *watch, const char *type, struct span object)
{
    auto_buf struct buf line;
    buf_init(&line, LIMIT_KUBE_OBJECT + 64);
    buf_format(&line, "{\"type\":\"%s\",\"object\":", type);
    buf_append(&line, object.data, object.length);
    buf_string(&line, "}\n");
    watch->exchange.port->stream_write(watch->exchange.handle,
                                       (struct span){ line.data, line.length });
}

static void send_tree(struct watch *watch, const char *type, json_t *take_object)
{
    auto_json json_t *object = take_object;
    auto_free char *text = json_dumps(object, JSON_COMPACT);
    send_line(watch, type, span_of(text));
}

static json_t *table_of(struct watch *watch, const struct snapshot *snapshot)
{
    auto_json json_t *objects = snapshot ? json_pack("[O]", snapshot->json) : json_array();
    json_t *table = table_make(watch->resource, objects,
                               cluster_now_ms(watch->front->options.cluster), !watch->columns_sent);
    watch->columns_sent = true;
    return table;
}

static void send_object(struct watch *watch, const char *type, struct snapshot *snapshot)
{
    auto_free char *own = NULL;
    if (watch->table)
        send_tree(watch, type, table_of(watch, snapshot));
    else
        send_line(watch, type, api_text(watch->resource, snapshot, &own));
}

static void send_bookmark(struct watch *watch, bool initial_end)
{
    uint64_t revision = watch->front->options.cluster->store.revision;
    auto_free char *api_version = resource_api_version(watch->resource);
    json_t *metadata = json_object();
    json_object_set_new(metadata, "resourceVersion", json_sprintf("%" PRIu64, revision));
    json_object_set_new(metadata, "creationTimestamp", json_null());
    if (initial_end)
        json_object_set_new(metadata, "annotations",
                            json_pack("{ss}", "k8s.io/initial-events-end", "true"));
    json_t *object = watch->table ? table_of(watch, NULL)
                                  : json_pack("{ss ss}", "kind", watch->resource->kind,
                                              "apiVersion", api_version);
    json_object_set_new(object, "metadata", metadata);
    if (!faults_take(&watch->front->faults, "bookmark", watch->resource->plural, watch->user_agent))
        send_tree(watch, "BOOKMARK", object);
    else
        json_decref(object);
}

static void bookmark_on_time(void *context)
{
    struct watch *watch = context;
    if (!watch->stalled)
        send_bookmark(watch, false);
    timer_set(watch->front->options.cluster->timers, &watch->bookmark_timer,
              watch->front->options.bookmark_interval_ms);
}

/* --- changes -------------------------------------------------------------------------------- */

static bool selects(const struct watch *watch, const struct snapshot *snapshot)
{
    if (!snapshot)
        return false;
    const char *namespace = jx_string(snapshot->json, "metadata", "namespace", NULL);
    return (!watch->namespace || (namespace && strcmp(namespace, watch->namespace) == 0)) &&
           selector_matches(&watch->selector, snapshot->json);
}

/* An object that begins or ceases to match appears or disappears for this watch. */
static void deliver(struct watch *watch, const struct change *change)
{
    bool before = selects(watch, change->before);
    bool after = change->type != CHANGE_DELETED && selects(watch, change->after);
    if (after)
        send_object(watch, before ? "MODIFIED" : "ADDED", change->after);
    else if (before)
        send_object(watch, "DELETED", change->after);
}

/* As a server does whose watch cache cannot go on: an ERROR line, then the end. */
static void end_with_error(struct watch *watch, const struct err *err)
{
    send_tree(watch, "ERROR", status_object(err, NULL, NULL, NULL));
    end(watch, false);
}

static void end_by_fault(struct watch *watch, int code)
{
    struct err err = { 0 };
    api_refuse(&err, code, status_reason(code), "kubesim was asked to fail: %s",
               status_reason(code));
    end_with_error(watch, &err);
}

static void on_change(void *context, const struct change *change)
{
    struct watch *watch = context;
    if (watch->stalled)
        return;
    const struct fault *fault =
        faults_take(&watch->front->faults, "event", watch->resource->plural, watch->user_agent);
    if (fault && fault->action == FAULT_STALL)
        watch->stalled = true;
    else if (fault && fault->action == FAULT_STATUS)
        end_by_fault(watch, (int)fault->code);
    else if ((fault && fault->action == FAULT_DROP) ||
             watch->exchange.port->stream_queued(watch->exchange.handle) > LIMIT_WATCH_QUEUE)
        end(watch, true);
    else
        deliver(watch, change);
}

/* --- beginning -------------------------------------------------------------------------------- */

static void send_initial(struct watch *watch)
{
    const struct index *objects = &watch->resource->storage->objects;
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *object = objects->entries[i].value;
        if (selects(watch, object->snapshot))
            send_object(watch, "ADDED", object->snapshot);
    }
}

static void send_since(struct watch *watch, uint64_t revision)
{
    const struct store *store = &watch->front->options.cluster->store;
    const struct change *change;
    for (size_t i = store_position(store, revision); (change = store_change(store, i)); i++)
        if (change->resource == watch->resource->storage)
            deliver(watch, change);
}

static struct watch *begin(struct request *request, const struct selector *selector)
{
    struct front *front = request->front;
    struct cluster *cluster = front->options.cluster;
    struct watch *watch = mem_zero(1, sizeof(*watch));
    const char *timeout = request_query(request, "timeoutSeconds");
    int64_t seconds = 0;
    struct err ignored;
    *watch = (struct watch){ .front = front,
                             .exchange = request->exchange,
                             .resource = request->resource,
                             .user_agent = mem_strdup(request_user_agent(request)),
                             .selector = *selector,
                             .table = request_wants_table(request),
                             .bookmarks = request_flag(request, "allowWatchBookmarks"),
                             .next = front->watches,
                             .link = &front->watches };
    watch->namespace = request->namespace ? mem_strdup(request->namespace) : NULL;
    if (watch->next)
        watch->next->link = &watch->next;
    front->watches = watch;
    watch->watcher = (struct watcher){ .resource = request->resource->storage,
                                       .on_change = on_change,
                                       .context = watch };
    store_watch(&cluster->store, &watch->watcher);
    watch->bookmark_timer = (struct timer){ .fire = bookmark_on_time, .context = watch };
    watch->end_timer = (struct timer){ .fire = end_on_time, .context = watch };
    if (watch->bookmarks)
        timer_set(cluster->timers, &watch->bookmark_timer, front->options.bookmark_interval_ms);
    if (timeout && num_int64(span_of(timeout), 1, 86400, &seconds, &ignored) == 0)
        timer_set(cluster->timers, &watch->end_timer, seconds * 1000);
    return watch;
}

static int check_initial(const struct request *request, bool initial, struct err *err)
{
    const char *match = request_query(request, "resourceVersionMatch");
    if (!initial || (match && strcmp(match, "NotOlderThan") == 0))
        return 0;
    return api_refuse(err, 422, "Invalid",
                      "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
                      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
}

void handle_watch(struct request *request)
{
    const struct exchange *exchange = &request->exchange;
    bool initial = request_flag(request, "sendInitialEvents");
    struct selector selector = { 0 };
    uint64_t revision, oldest = store_oldest(&request->front->options.cluster->store);
    struct err err = { 0 };
    if (check_initial(request, initial, &err) != 0 ||
        request_revision(request, &revision, &err) != 0 ||
        request_selector(request, &selector, &err) != 0) {
        request_refuse(request, &err, NULL);
        return;
    }
    /* The query ends with the stream's beginning: all of it is read before. */
    struct watch *watch = begin(request, &selector);
    exchange->port->stream_begin(exchange->handle, 200, "application/json", on_close, watch);
    if (initial || revision == 0) {
        send_initial(watch);
    } else if (revision < oldest) {
        api_refuse(&err, 410, "Expired", "too old resource version: %" PRIu64 " (%" PRIu64 ")",
                   revision, oldest);
        end_with_error(watch, &err);
        return;
    } else {
        send_since(watch, revision);
    }
    if (initial && watch->bookmarks)
        send_bookmark(watch, true);
}
