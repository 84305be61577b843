#include "kube/list.h"

#include "base/limits.h"
#include "kube/list_cutter.h"

/* Reading one page of 500 large objects over a slow link takes longer than an ordinary
 * request may; silence does not. */
enum { LIST_TIMEOUT_MS = 300000, LIST_IDLE_MS = 30000 };

struct list_call {
    struct list_cutter cutter;
    struct kube_list_handler handler;
    void *context;
};

static int on_item(void *context, struct span item, struct err *err)
{
    struct list_call *list = context;

    return list->handler.on_item(list->context, item, err);
}

static int on_data(void *context, struct span piece, struct err *err)
{
    struct list_call *list = context;

    return list_cutter_push(&list->cutter, piece, err);
}

static void on_done(void *context, const struct err *failure)
{
    struct list_call *list = context;
    struct kube_list_page page = { 0 };
    struct err incomplete = { 0 };

    if (!failure && list_cutter_finish(&list->cutter, &page.resource_version, &page.continue_token,
                                       &incomplete) < 0)
        failure = &incomplete;
    list->handler.on_done(list->context, failure ? NULL : &page, failure);
}

static void release(void *context)
{
    struct list_call *list = context;

    list_cutter_release(&list->cutter);
    free(list);
}

static void list_path(struct buf *path, const struct kube_resource *resource,
                      const struct kube_list_options *options)
{
    char limit[16];

    snprintf(limit, sizeof(limit), "%u", options->limit);
    kube_path(path, resource, options->namespace, NULL, NULL);
    kube_path_query(path, "labelSelector", options->label_selector);
    kube_path_query(path, "fieldSelector", options->field_selector);
    kube_path_query(path, "limit", options->limit > 0 ? limit : NULL);
    kube_path_query(path, "continue", options->continue_token);
    kube_path_query(path, "resourceVersion", options->resource_version);
}

struct kube_call *kube_list_items(struct kube_client *client, const struct kube_resource *resource,
                                  const struct kube_list_options *options,
                                  const struct kube_list_handler *handler, void *context)
{
    const struct kube_stream_handler receiver = { on_data, on_done, release };
    auto_buf struct buf path = { 0 };
    struct list_call *list = mem_zero(1, sizeof(*list));

    list->handler = *handler;
    list->context = context;
    list_cutter_init(&list->cutter, on_item, list);
    buf_init(&path, LIMIT_KUBE_PATH);
    list_path(&path, resource, options);

    const struct kube_stream stream = { .path = &path,
                                        .verb = "list",
                                        .resource = resource,
                                        .timeout_ms = LIST_TIMEOUT_MS,
                                        .idle_ms = LIST_IDLE_MS };
    return kube_stream(client, &stream, &receiver, list);
}
