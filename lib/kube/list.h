/* list.h - one page of a list, handed over item by item.
 *
 * However long the list, memory holds one item at a time: the answer is cut
 * as it streams in (list_cutter.h). */
#pragma once

#include "kube/client.h"

struct kube_list_options {
    const char *namespace;        /* NULL: all */
    const char *label_selector;   /* NULL: everything */
    const char *field_selector;   /* NULL: everything */
    unsigned limit;               /* items in this page; 0: all there are */
    const char *continue_token;   /* of the page before; NULL: the first page */
    const char *resource_version; /* NULL: the newest state (quorum read) */
};

struct kube_list_page {
    const char *resource_version; /* of the whole list, the same for all pages */
    const char *continue_token;   /* "" after the last page */
};

struct kube_list_handler {
    /* The text of one object, valid during the call. -1 ends the list with that err. */
    int (*on_item)(void *context, struct span item, struct err *err);
    /* Once, at the end; `page` is NULL on failure. GONE: the continue token is too old. */
    void (*on_done)(void *context, const struct kube_list_page *page, const struct err *failure);
};

struct kube_call *kube_list_items(struct kube_client *client, const struct kube_resource *resource,
                                  const struct kube_list_options *options,
                                  const struct kube_list_handler *handler, void *context);
