#include "kube/client.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/prune.h"
#include "base/uri.h"

struct kube_client {
    struct kube_client_options options;
    struct kube_call *calls; /* all that run */
    struct kube_requests requests;
    int64_t skew_ms;
};

struct kube_call {
    struct kube_client *client;
    struct kube_call *next, *previous;
    struct http_call *http; /* NULL before the exchange begins and after it ended */
    bool renewed;           /* tried again with new credentials */
    unsigned credential;    /* the generation that was sent */

    const char *method, *verb, *content_type;
    const struct kube_resource *resource;
    char *url, *body;
    char *what;              /* begins error messages: "get jobs bank/week-07-s1" */
    const char *const *read; /* members of the answer that are parsed; NULL: all */
    int64_t timeout_ms, idle_ms;

    kube_callback callback;            /* NULL for a stream */
    struct kube_stream_handler stream; /* zeroed for all others */
    void *context;

    struct timer deliver; /* of a failure before the exchange began */
    struct err failure;
};

struct kube_client *kube_client_new(const struct kube_client_options *options)
{
    struct kube_client *client = mem_zero(1, sizeof(*client));

    client->options = *options;
    return client;
}

void kube_client_free(struct kube_client *client)
{
    if (!client)
        return;
    while (client->calls)
        kube_cancel(client->calls);
    free(client);
}

struct timers *kube_client_timers(const struct kube_client *client)
{
    return client->options.timers;
}

const struct kube_requests *kube_client_requests(const struct kube_client *client)
{
    return &client->requests;
}

int64_t kube_client_skew_ms(const struct kube_client *client)
{
    return client->skew_ms;
}

/* --- life of a call -------------------------------------------------------- */

static void call_link(struct kube_call *call)
{
    call->next = call->client->calls;
    if (call->next)
        call->next->previous = call;
    call->client->calls = call;
}

static void call_unlink(struct kube_call *call)
{
    if (call->next)
        call->next->previous = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        call->client->calls = call->next;
}

static void call_free(struct kube_call *call)
{
    timer_stop(call->client->options.timers, &call->deliver);
    if (call->stream.release)
        call->stream.release(call->context);
    free(call->url);
    free(call->body);
    free(call->what);
    free(call);
}

static void count_request(const struct kube_call *call, int status)
{
    struct kube_requests *requests = &call->client->requests;
    struct kube_request_count found = { call->verb, call->resource->plural, status, 0 };
    size_t i = 0;

    while (i < requests->count && (strcmp(requests->items[i].verb, found.verb) != 0 ||
                                   requests->items[i].status != status ||
                                   strcmp(requests->items[i].resource, found.resource) != 0))
        i++;
    if (i == KUBE_REQUESTS)
        i = KUBE_REQUESTS - 1;
    else if (i == requests->count)
        requests->items[requests->count++] =
            i < KUBE_REQUESTS - 1 ? found : (struct kube_request_count){ "other", "other", 0, 0 };
    requests->items[i].count++;
}

void kube_cancel(struct kube_call *call)
{
    if (!call)
        return;
    if (call->http)
        count_request(call, 0);
    transport_cancel(call->client->options.transport, call->http);
    call_unlink(call);
    call_free(call);
}

/* The last thing that happens to a call. It is unlinked first, because the callback may start
 * others. */
static void call_finish(struct kube_call *call, json_t *object, const struct err *failure)
{
    call_unlink(call);
    if (call->callback)
        call->callback(call->context, object, failure);
    else
        call->stream.on_done(call->context, failure);
    call_free(call);
}

static void deliver_failure(void *context)
{
    struct kube_call *call = context;

    call_finish(call, NULL, &call->failure);
}

/* A call never fails on the spot: its failure is told by the loop. */
static void fail_later(struct kube_call *call)
{
    err_wrap(&call->failure, "%s", call->what);
    call->deliver = (struct timer){ .fire = deliver_failure, .context = call };
    timer_set(call->client->options.timers, &call->deliver, 0);
}

/* --- the answer ------------------------------------------------------------ */

/* Takes the backslashes out of a quoted string. */
static void unquote(char *text)
{
    char *end = text;

    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *end++ = *text;
    }
    *end = '\0';
}

/* Each Warning header: 299 - "text" (RFC 7234, section 5.5). */
static void tell_warnings(const struct kube_client *client, const struct http_reply *reply)
{
    if (!client->options.on_warning)
        return;
    for (size_t i = 0; i < reply->header_count; i++) {
        const char *value = reply->headers[i].value;
        const char *first = strchr(value, '"'), *last = strrchr(value, '"');

        if (strcasecmp(reply->headers[i].name, "Warning") != 0 || strncmp(value, "299 ", 4) != 0 ||
            first == last)
            continue;
        auto_free char *text = mem_strndup(first + 1, (size_t)(last - first - 1));
        unquote(text);
        client->options.on_warning(client->options.context, text);
    }
}

/* Answers that came in a moment only: that of a watch is as old as the watch. */
static void note_date(const struct kube_call *call, const struct http_reply *reply)
{
    struct kube_client *client = call->client;
    const char *date = call->callback ? http_reply_header(reply, "Date") : NULL;
    int64_t server_ms;

    if (date && http_date(date, &server_ms, NULL) == 0)
        client->skew_ms = clock_wall_ms(client->options.timers->clock) - server_ms;
}

static int check_reply(const struct kube_call *call, const struct http_reply *reply,
                       struct err *err)
{
    if (http_reply_check(reply, call->what, err) == 0)
        return 0;
    if (err->http_status == 409 && strcmp(err->reason, "AlreadyExists") == 0)
        err->kind = ERR_EXISTS;
    const char *flow = http_reply_header(reply, "X-Kubernetes-PF-FlowSchema-UID");
    if (err->http_status == 429 && flow)
        err_append(err, "of FlowSchema %s", flow);
    return -1;
}

static void call_send(struct kube_call *call);

static void on_reply(struct kube_call *call, const struct http_reply *reply)
{
    struct kube_client *client = call->client;
    auto_buf struct buf storage = { .maximum = LIMIT_HTTP_BODY };
    auto_json json_t *object = NULL;
    struct err failure = { 0 };

    if (reply->status == 401 && !call->renewed &&
        kube_credentials_reject(client->options.config->credentials, call->credential)) {
        call->renewed = true;
        call_send(call);
        return;
    }
    tell_warnings(client, reply);
    note_date(call, reply);
    if (check_reply(call, reply, &failure) < 0) {
        call_finish(call, NULL, &failure);
        return;
    }
    if (call->callback) {
        object = jx_parse(pick(reply->body, call->read, &storage), LIMIT_HTTP_BODY, call->what,
                          &failure);
        if (!object) {
            call_finish(call, NULL, &failure);
            return;
        }
    }
    call_finish(call, object, NULL);
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct kube_call *call = context;

    call->http = NULL;
    count_request(call, failure ? 0 : reply->status);
    if (failure) {
        call->failure = *failure;
        err_wrap(&call->failure, "%s", call->what);
        call_finish(call, NULL, &call->failure);
        return;
    }
    on_reply(call, reply);
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct kube_call *call = context;

    return call->stream.on_data(call->context, piece, err);
}

/* --- the request ------------------------------------------------------------ */

static void add_header(struct http_header *headers, size_t *count, const char *name,
                       const char *value)
{
    if (value)
        headers[(*count)++] = (struct http_header){ name, value };
}

static void call_send(struct kube_call *call)
{
    const struct kube_client_options *options = &call->client->options;
    struct tls_options tls = options->config->tls;
    struct http_header headers[4];
    struct kube_authorization authorization;
    size_t header_count = 0;

    if (kube_credentials_get(options->config->credentials, options->timers->clock, &authorization,
                             &call->failure) < 0) {
        fail_later(call);
        return;
    }
    call->credential = authorization.generation;
    if (authorization.certificate_pem) {
        tls.certificate_pem = authorization.certificate_pem;
        tls.key_pem = authorization.key_pem;
    }
    add_header(headers, &header_count, "Accept", "application/json");
    add_header(headers, &header_count, "Authorization", authorization.header);
    add_header(headers, &header_count, "Content-Type", call->content_type);
    add_header(headers, &header_count, "User-Agent", options->config->user_agent);

    const struct http_request request = {
        .method = call->method,
        .url = call->url,
        .hide_path = true,
        .headers = headers,
        .header_count = header_count,
        .body = { call->body, call->body ? strlen(call->body) : 0 },
        .tls = &tls,
        .proxy = options->config->proxy,
        .timeout_ms = call->timeout_ms,
        .idle_ms = call->idle_ms,
        .guard = HOST_PRIVATE,
    };
    const struct http_handler handler = { .on_data = call->stream.on_data ? on_data : NULL,
                                          .on_done = on_done };

    call->http = transport_start(options->transport, &request, &handler, call);
}

/* A call without a receiver yet; nothing is sent. */
static struct kube_call *call_new(struct kube_client *client, const char *verb,
                                  const struct kube_resource *resource, const struct buf *path,
                                  char *take_what)
{
    struct kube_call *call = mem_zero(1, sizeof(*call));

    call->client = client;
    call->method = "GET";
    call->verb = verb;
    call->resource = resource;
    call->url = mem_format("%s%s", client->options.config->server, buf_text(path));
    call->what = take_what;
    call->timeout_ms = KUBE_REQUEST_TIMEOUT_MS;
    call_link(call);
    return call;
}

static struct kube_call *call_begin(struct kube_call *call, const struct buf *path)
{
    if (buf_check(path, "the path of the request", &call->failure) < 0)
        fail_later(call);
    else
        call_send(call);
    return call;
}

void kube_path(struct buf *out, const struct kube_resource *resource, const char *namespace,
               const char *name, const char *subresource)
{
    const char *const segments[] = { *resource->group ? "apis" : "api",
                                     *resource->group ? resource->group : NULL,
                                     resource->version,
                                     namespace ? "namespaces" : NULL,
                                     namespace,
                                     resource->plural,
                                     name,
                                     subresource };

    for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
        if (!segments[i])
            continue;
        buf_char(out, '/');
        uri_encode(out, span_of(segments[i]), false);
    }
}

void kube_path_query(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_char(path, strchr(buf_text(path), '?') ? '&' : '?');
    buf_string(path, name);
    buf_char(path, '=');
    uri_encode(path, span_of(value), false);
}

/* --- the verbs ---------------------------------------------------------------- */

const char *const kube_identity[] = { "kind", "metadata.name", "metadata.uid",
                                      "metadata.resourceVersion", NULL };

/* What the public functions differ in; NULL and false leave a part out. */
struct operation {
    const char *method, *verb;
    const struct kube_resource *resource;
    const char *namespace, *name, *subresource;
    const char *described; /* the name in messages when the path has none */
    const char *label_selector;
    const char *content_type;
    const json_t *body;
    const char *const *read;
    bool strict, managed; /* fieldValidation=Strict; fieldManager=<ours> */
};

static char *describe(const struct operation *operation)
{
    const char *namespace = operation->namespace;
    const char *name = operation->name ? operation->name : operation->described;

    return mem_format("%s %s%s%s%s%s", operation->verb, operation->resource->plural,
                      namespace || name ? " " : "", namespace ? namespace : "",
                      namespace && name ? "/" : "", name ? name : "");
}

static struct kube_call *perform(struct kube_client *client, const struct operation *operation,
                                 kube_callback callback, void *context)
{
    auto_buf struct buf path = { 0 };
    struct kube_call *call;

    buf_init(&path, LIMIT_KUBE_PATH);
    kube_path(&path, operation->resource, operation->namespace, operation->name,
              operation->subresource);
    kube_path_query(&path, "labelSelector", operation->label_selector);
    if (operation->strict)
        kube_path_query(&path, "fieldValidation", "Strict");
    if (operation->managed)
        kube_path_query(&path, "fieldManager", client->options.field_manager);

    call = call_new(client, operation->verb, operation->resource, &path, describe(operation));
    call->method = operation->method;
    if (operation->body) {
        call->content_type = operation->content_type;
        call->body = jx_canonical(operation->body);
    }
    call->read = operation->read;
    call->callback = callback;
    call->context = context;
    return call_begin(call, &path);
}

struct kube_call *kube_get(struct kube_client *client, const struct kube_resource *resource,
                           const char *namespace, const char *name, kube_callback callback,
                           void *context)
{
    const struct operation operation = {
        .method = "GET", .verb = "get", .resource = resource, .namespace = namespace, .name = name
    };

    return perform(client, &operation, callback, context);
}

struct kube_call *kube_create(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const json_t *object, const char *const *read,
                              kube_callback callback, void *context)
{
    const struct operation operation = { .method = "POST",
                                         .verb = "create",
                                         .resource = resource,
                                         .namespace = namespace,
                                         .described = jx_string(object, "metadata", "name", NULL),
                                         .content_type = "application/json",
                                         .body = object,
                                         .read = read,
                                         .strict = true,
                                         .managed = true };

    return perform(client, &operation, callback, context);
}

struct kube_call *kube_patch(struct kube_client *client, const struct kube_resource *resource,
                             const char *namespace, const char *name, const char *subresource,
                             const json_t *patch, kube_callback callback, void *context)
{
    const struct operation operation = { .method = "PATCH",
                                         .verb = "patch",
                                         .resource = resource,
                                         .namespace = namespace,
                                         .name = name,
                                         .subresource = subresource,
                                         .content_type = "application/merge-patch+json",
                                         .body = patch,
                                         .read = kube_identity,
                                         .managed = true };

    return perform(client, &operation, callback, context);
}

struct kube_call *kube_update(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const char *name, const json_t *object,
                              kube_callback callback, void *context)
{
    const struct operation operation = { .method = "PUT",
                                         .verb = "update",
                                         .resource = resource,
                                         .namespace = namespace,
                                         .name = name,
                                         .content_type = "application/json",
                                         .body = object,
                                         .managed = true };

    return perform(client, &operation, callback, context);
}

static json_t *delete_body(const struct kube_delete_options *options)
{
    json_t *body = json_pack("{s:s, s:s, s:s*}", "apiVersion", "v1", "kind", "DeleteOptions",
                             "propagationPolicy", options->propagation);

    if (options->uid || options->resource_version)
        json_object_set_new(body, "preconditions",
                            json_pack("{s:s*, s:s*}", "uid", options->uid, "resourceVersion",
                                      options->resource_version));
    return body;
}

struct kube_call *kube_delete(struct kube_client *client, const struct kube_resource *resource,
                              const char *namespace, const char *name,
                              const struct kube_delete_options *options, kube_callback callback,
                              void *context)
{
    auto_json json_t *body = delete_body(options);
    const struct operation operation = { .method = "DELETE",
                                         .verb = "delete",
                                         .resource = resource,
                                         .namespace = namespace,
                                         .name = name,
                                         .content_type = "application/json",
                                         .body = body };

    return perform(client, &operation, callback, context);
}

struct kube_call *kube_list(struct kube_client *client, const struct kube_resource *resource,
                            const char *namespace, const char *label_selector,
                            const char *const *read, kube_callback callback, void *context)
{
    const struct operation operation = { .method = "GET",
                                         .verb = "list",
                                         .resource = resource,
                                         .namespace = namespace,
                                         .label_selector = label_selector,
                                         .read = read };

    return perform(client, &operation, callback, context);
}

struct kube_call *kube_stream(struct kube_client *client, const struct kube_stream *stream,
                              const struct kube_stream_handler *handler, void *context)
{
    char *what = mem_format("%s %s", stream->verb, stream->resource->plural);
    struct kube_call *call = call_new(client, stream->verb, stream->resource, stream->path, what);

    call->timeout_ms = stream->timeout_ms;
    call->idle_ms = stream->idle_ms;
    call->stream = *handler;
    call->context = context;
    return call_begin(call, stream->path);
}
