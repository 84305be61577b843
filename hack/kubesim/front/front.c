#include "kubesim/front/front.h"

#include <signal.h>
#include <string.h>

#include "base/num.h"
#include "kubesim/front/request.h"

void front_init(struct front *front, const struct front_options *options)
{
    *front = (struct front){ .options = *options };
    if (front->options.bookmark_interval_ms == 0)
        front->options.bookmark_interval_ms = 60000;
    faults_init(&front->faults);
}

static void delayed_free(struct delayed *delayed);

void front_release(struct front *front)
{
    while (front->delayed)
        delayed_free(front->delayed); /* never answered */
    watches_close(front, NULL, false);
    faults_clear(&front->faults);
    images_release(&front->images);
    for (size_t i = 0; i < front->statistics.count; i++)
        free(front->statistics.entries[i].value);
    index_release(&front->statistics);
    free(front->registry_credentials);
    *front = (struct front){ 0 };
}

/* --- answers --------------------------------------------------------------------------- */

const char *request_query(const struct request *request, const char *name)
{
    const char *value = exchange_query(&request->exchange, name);
    return value && *value ? value : NULL;
}

bool request_flag(const struct request *request, const char *name)
{
    const char *value = request_query(request, name);
    return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

bool request_wants_table(const struct request *request)
{
    const char *accept = exchange_header(&request->exchange, "Accept");
    return accept && strstr(accept, "as=Table") && strstr(accept, "v=v1;");
}

void request_reply_text(const struct request *request, int status, struct span json)
{
    const struct exchange *exchange = &request->exchange;
    exchange->port->reply(exchange->handle, status, "application/json", json, NULL, 0);
}

void request_reply(const struct request *request, int status, json_t *take_body)
{
    auto_json json_t *body = take_body;
    auto_free char *text = json_dumps(body, JSON_COMPACT);
    request_reply_text(request, status, span_of(text));
}

json_t *status_object(const struct err *err, const struct resource *resource, const char *name,
                      json_t *causes)
{
    json_t *details = json_object();
    if (name)
        json_object_set_new(details, "name", json_string(name));
    if (resource) {
        json_object_set_new(details, "group", json_string(resource->group));
        json_object_set_new(
            details, "kind",
            json_string(err->http_status == 422 ? resource->kind : resource->plural));
    }
    if (json_array_size(causes) > 0)
        json_object_set(details, "causes", causes);
    if (err->retry_after_ms)
        json_object_set_new(details, "retryAfterSeconds", json_integer(err->retry_after_ms / 1000));
    return json_pack("{ss ss s{} ss ss ss so si}", "kind", "Status", "apiVersion", "v1", "metadata",
                     "status", "Failure", "message", err->message, "reason", err->reason, "details",
                     details, "code", err->http_status);
}

void request_refuse(const struct request *request, const struct err *err,
                    const struct api_call *call)
{
    const struct exchange *exchange = &request->exchange;
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", err->retry_after_ms / 1000);
    const struct http_header headers[] = { { "Retry-After", seconds } };
    const char *name = call && call->invalid ? call->invalid : request->name;
    auto_json json_t *status =
        status_object(err, request->resource, name, call ? call->causes : NULL);
    auto_free char *text = json_dumps(status, JSON_COMPACT);
    exchange->port->reply(exchange->handle, err->http_status, "application/json", span_of(text),
                          headers, err->retry_after_ms ? 1 : 0);
}

static void refuse(const struct request *request, int code, const char *reason, const char *message)
{
    struct err err = { 0 };
    api_refuse(&err, code, reason, "%s", message);
    request_refuse(request, &err, NULL);
}

/* --- routing ----------------------------------------------------------------------------- */

static const char *segment(struct request *request, const char **path)
{
    while (**path == '/')
        ++*path;
    size_t length = strcspn(*path, "/");
    if (length == 0)
        return NULL;
    const char *text = arena_strndup(&request->arena, *path, length);
    *path += length;
    return text;
}

/* Behind /api/v1 or /apis/GROUP/VERSION. */
static bool route(struct request *request, const char *group, const char *version, const char *path)
{
    const struct resources *resources = &request->front->options.cluster->resources;
    const char *first = segment(request, &path);
    const char *second = segment(request, &path), *third = segment(request, &path);
    if (!first)
        return false;
    bool in_namespace = strcmp(first, "namespaces") == 0 && third && strcmp(third, "status") &&
                        strcmp(third, "finalize");
    if (in_namespace) {
        request->namespace = second;
        request->resource = resource_find(resources, group, version, third);
        request->name = segment(request, &path);
        request->subresource = segment(request, &path);
        return request->resource && request->resource->namespaced;
    }
    request->resource = resource_find(resources, group, version, first);
    request->name = second;
    request->subresource = third;
    return request->resource && (!request->resource->namespaced || !request->name);
}

static bool find_route(struct request *request, const char *path)
{
    const char *first = segment(request, &path);
    if (first && strcmp(first, "api") == 0) {
        const char *version = segment(request, &path);
        return version && route(request, "", version, path);
    }
    const char *group = segment(request, &path), *version = segment(request, &path);
    return first && strcmp(first, "apis") == 0 && group && version &&
           route(request, group, version, path);
}

static const char *verb_of(const struct request *request)
{
    static const char *const verbs[][2] = {
        { "POST", "create" }, { "PUT", "update" }, { "PATCH", "patch" }, { "DELETE", "delete" }
    };
    const char *method = request->exchange.method;
    if (strcmp(method, "GET") == 0)
        return request_flag(request, "watch") ? "watch" : request->name ? "get" : "list";
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(method, verbs[i][0]) == 0)
            return verbs[i][1];
    return "";
}

const char *request_user_agent(const struct request *request)
{
    const char *agent = exchange_header(&request->exchange, "User-Agent");
    return agent && *agent ? agent : "-";
}

/* "client/1.2 (linux/amd64) ..." counts as "client/1.2". */
static void count(struct request *request)
{
    const char *agent = request_user_agent(request);
    auto_free char *key = mem_format(
        "%s %s%s%s %.*s", request->verb, request->resource->plural, request->subresource ? "/" : "",
        request->subresource ? request->subresource : "", (int)strcspn(agent, " "), agent);
    uint64_t *counter = index_get(&request->front->statistics, key);
    if (!counter) {
        counter = mem_zero(1, sizeof(*counter));
        index_put(&request->front->statistics, key, counter);
    }
    ++*counter;
}

/* Takes "/SECRET" off the path; false when it is not there. */
static bool take_secret(struct request *request)
{
    const char *path = request->exchange.path, *secret = request->front->options.secret;
    size_t length = secret ? strlen(secret) : 0;
    if (!secret)
        return true;
    if (*path != '/' || strncmp(path + 1, secret, length) != 0 || path[1 + length] != '/')
        return false;
    request->exchange.path = path + 1 + length;
    return true;
}

static void dispatch(struct request *request)
{
    const char *sub = request->subresource;
    if (sub && strcmp(sub, "log") == 0 && request->resource->role == ROLE_POD)
        handle_log(request);
    else if (sub && (strcmp(sub, "status") != 0 || !request->resource->has_status))
        refuse(request, 404, "NotFound", "the server could not find the requested resource");
    else if (strcmp(request->verb, "watch") == 0)
        handle_watch(request);
    else if (strcmp(request->verb, "list") == 0)
        handle_list(request);
    else
        handle_object(request);
}

/* --- faults --------------------------------------------------------------------------------- */

struct delayed {
    struct request request;
    void (*handle)(struct request *request);
    struct timer timer;
    struct delayed *next, **place;
};

static void delayed_unlink(struct delayed *delayed)
{
    *delayed->place = delayed->next;
    if (delayed->next)
        delayed->next->place = delayed->place;
}

static void delayed_free(struct delayed *delayed)
{
    timer_stop(delayed->request.front->options.cluster->timers, &delayed->timer);
    delayed_unlink(delayed);
    arena_release(&delayed->request.arena);
    free(delayed);
}

static void run_delayed(void *context)
{
    struct delayed *delayed = context;
    delayed->handle(&delayed->request);
    delayed_free(delayed);
}

void request_later(struct request *request, int64_t delay_ms,
                   void (*handle)(struct request *request))
{
    struct front *front = request->front;
    struct delayed *delayed = mem_zero(1, sizeof(*delayed));
    delayed->request = *request;
    delayed->request.fault = NULL;
    delayed->handle = handle;
    request->arena = (struct arena){ 0 }; /* moved */
    delayed->timer = (struct timer){ .fire = run_delayed, .context = delayed };
    delayed->next = front->delayed;
    delayed->place = &front->delayed;
    if (delayed->next)
        delayed->next->place = &delayed->next;
    front->delayed = delayed;
    timer_set(front->options.cluster->timers, &delayed->timer, delay_ms);
}

const char *status_reason(int code)
{
    static const struct {
        int64_t code;
        const char *reason;
    } reasons[] = { { 400, "BadRequest" },         { 401, "Unauthorized" },
                    { 403, "Forbidden" },          { 404, "NotFound" },
                    { 409, "Conflict" },           { 410, "Expired" },
                    { 429, "TooManyRequests" },    { 500, "InternalError" },
                    { 503, "ServiceUnavailable" }, { 504, "Timeout" } };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return "Unknown";
}

/* True when the fault was the answer. */
static bool misbehave(struct request *request)
{
    const struct fault *fault = request->fault;
    const struct exchange *exchange = &request->exchange;
    struct err err = { 0 };
    switch (fault->action) {
    case FAULT_STATUS:
        api_refuse(&err, (int)fault->code, status_reason((int)fault->code),
                   "kubesim was asked to fail: %s", status_reason((int)fault->code));
        err.retry_after_ms = (unsigned)fault->retry_after_seconds * 1000;
        request_refuse(request, &err, NULL);
        return true;
    case FAULT_DROP:
        exchange->port->abort(exchange->handle);
        return true;
    case FAULT_STALL:
        return true; /* the client gives up first */
    case FAULT_KILL:
        kill((pid_t)fault->pid, SIGKILL);
        return false;
    case FAULT_SLOW:
        request_later(request, fault->delay_ms, dispatch);
        return true;
    default:
        return false;
    }
}

static void handle_resource(struct request *request)
{
    if (!find_route(request, request->exchange.path)) {
        refuse(request, 404, "NotFound", "the server could not find the requested resource");
        return;
    }
    request->verb = verb_of(request);
    if (!*request->verb) {
        refuse(request, 405, "MethodNotAllowed",
               "the server does not allow this method on the requested resource");
        return;
    }
    count(request);
    request->fault = faults_take(&request->front->faults, request->verb, request->resource->plural,
                                 request_user_agent(request));
    if (!request->fault || !misbehave(request))
        dispatch(request);
}

static void handle(struct request *request)
{
    if (strncmp(request->exchange.path, "/v2/", 4) == 0) {
        handle_registry(request);
        return;
    }
    if (!take_secret(request)) {
        refuse(request, 404, "NotFound", "the server could not find the requested resource");
        return;
    }
    const char *path = request->exchange.path;
    if (strncmp(path, "/kubesim/", 9) == 0)
        handle_admin(request, path + 9);
    else if (!handle_discovery(request, path))
        handle_resource(request);
}

void front_handle(struct front *front, const struct exchange *exchange)
{
    struct request request = { .front = front, .exchange = *exchange };
    handle(&request);
    arena_release(&request.arena);
}
