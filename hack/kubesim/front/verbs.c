/* verbs.c - get, create, update, patch, delete. */
#include <string.h>

#include "base/limits.h"
#include "kubesim/front/request.h"
#include "kubesim/front/table.h"

static struct api_call call_of(const struct request *request)
{
    const char *validation = request_query(request, "fieldValidation");
    return (struct api_call){ .cluster = request->front->options.cluster,
                              .resource = request->resource,
                              .namespace = request->namespace,
                              .name = request->name,
                              .status = request->subresource != NULL,
                              .strict = validation && strcmp(validation, "Strict") == 0 };
}

static void reply_table(const struct request *request, int code, const struct snapshot *snapshot)
{
    auto_json json_t *objects = json_pack("[O]", snapshot->json);
    json_t *table = table_make(request->resource, objects,
                               cluster_now_ms(request->front->options.cluster), true);
    json_object_set_new(table, "metadata",
                        json_pack("{ss}", "resourceVersion",
                                  jx_string(snapshot->json, "metadata", "resourceVersion", NULL)));
    request_reply(request, code, table);
}

static void reply_object(const struct request *request, int code, struct snapshot *snapshot)
{
    auto_free char *own = NULL;
    if (request_wants_table(request))
        reply_table(request, code, snapshot);
    else
        request_reply_text(request, code, api_text(request->resource, snapshot, &own));
}

static json_t *body_of(const struct request *request, struct err *err)
{
    const char *type = exchange_header(&request->exchange, "Content-Type");
    json_t *body = NULL;
    if (type && strstr(type, "protobuf"))
        api_refuse(err, 415, "UnsupportedMediaType",
                   "kubesim reads JSON only: kubectl create ... --dry-run=client -o yaml | kubectl "
                   "apply -f -");
    else if (!(body =
                   jx_parse(request->exchange.body, LIMIT_HTTP_REQUEST_BODY, "request body", err)))
        api_refuse(err, 400, "BadRequest", "%s", err->message);
    return body;
}

enum patch_type { PATCH_MERGE, PATCH_STRATEGIC };

static int patch_type(const struct request *request, enum patch_type *ret_type, struct err *err)
{
    const char *type = exchange_header(&request->exchange, "Content-Type");
    *ret_type = PATCH_MERGE;
    if (type && strncmp(type, "application/merge-patch+json", 28) == 0)
        return 0;
    *ret_type = PATCH_STRATEGIC;
    if (type && strncmp(type, "application/strategic-merge-patch+json", 38) == 0)
        return 0;
    return api_refuse(err, 415, "UnsupportedMediaType",
                      "the body of the request was in an unknown format - accepted media types "
                      "include: application/merge-patch+json, "
                      "application/strategic-merge-patch+json");
}

static int write_object(struct request *request, struct api_call *call,
                        struct snapshot **ret_snapshot, struct err *err)
{
    enum patch_type type = PATCH_MERGE;
    bool patch = strcmp(request->verb, "patch") == 0;
    if (patch && patch_type(request, &type, err) != 0)
        return -1;
    auto_json json_t *body = body_of(request, err);
    if (!body)
        return -1;
    if (patch)
        return api_patch(call, body, type == PATCH_STRATEGIC, ret_snapshot, err);
    return strcmp(request->verb, "create") == 0 ? api_create(call, body, ret_snapshot, err)
                                                : api_update(call, body, ret_snapshot, err);
}

static void answer_write(struct request *request)
{
    struct api_call call = call_of(request);
    auto_snapshot struct snapshot *snapshot = NULL;
    struct err err = { 0 };
    int result = strcmp(request->verb, "get") == 0 ? api_get(&call, &snapshot, &err)
                                                   : write_object(request, &call, &snapshot, &err);
    if (result == 0)
        reply_object(request, strcmp(request->verb, "create") == 0 ? 201 : 200, snapshot);
    else
        request_refuse(request, &err, &call);
    api_call_release(&call);
}

/* From the body (DeleteOptions) or the query; texts are borrowed from `body`. */
static int delete_options(const struct request *request, json_t **ret_body,
                          struct delete_options *ret_options, struct err *err)
{
    json_t *body = NULL;
    if (request->exchange.body.length > 0 && !(body = body_of(request, err)))
        return -1;
    const char *propagation = jx_string(body, "propagationPolicy", NULL);
    const char *grace = request_query(request, "gracePeriodSeconds");
    *ret_options = (struct delete_options){
        .uid = jx_string(body, "preconditions", "uid", NULL),
        .resource_version = jx_string(body, "preconditions", "resourceVersion", NULL),
        .propagation = propagation ? propagation : request_query(request, "propagationPolicy"),
        .grace_seconds = jx_int(body, "gracePeriodSeconds", grace && !strcmp(grace, "0") ? 0 : -1),
    };
    if (!ret_options->propagation && jx_bool(body, "orphanDependents", false))
        ret_options->propagation = "Orphan";
    *ret_body = body;
    return 0;
}

static json_t *deleted_status(const struct request *request, const char *uid)
{
    return json_pack("{ss ss s{} ss s{ss ss ss ss}}", "kind", "Status", "apiVersion", "v1",
                     "metadata", "status", "Success", "details", "name", request->name, "group",
                     request->resource->group, "kind", request->resource->plural, "uid", uid);
}

static void answer_delete(struct request *request)
{
    struct api_call call = call_of(request);
    struct delete_options options;
    auto_snapshot struct snapshot *left = NULL, *before = NULL;
    auto_json json_t *body = NULL;
    struct err err = { 0 };
    if (delete_options(request, &body, &options, &err) != 0 || api_get(&call, &before, &err) != 0 ||
        api_delete(&call, &options, &left, &err) != 0)
        request_refuse(request, &err, &call);
    else if (left)
        reply_object(request, 200, left);
    else
        request_reply(request, 200,
                      deleted_status(request, jx_string(before->json, "metadata", "uid", NULL)));
    api_call_release(&call);
}

void handle_object(struct request *request)
{
    struct err err = { 0 };
    bool needs_namespace = request->resource->namespaced && !request->namespace;
    if (needs_namespace || (!request->name && strcmp(request->verb, "create") != 0)) {
        api_refuse(&err, 405, "MethodNotAllowed",
                   "the server does not allow this method on the requested resource");
        request_refuse(request, &err, NULL);
    } else if (request_query(request, "dryRun")) {
        api_refuse(&err, 400, "BadRequest", "kubesim has no dry run");
        request_refuse(request, &err, NULL);
    } else if (strcmp(request->verb, "delete") == 0) {
        answer_delete(request);
    } else {
        answer_write(request);
    }
}
