/* watch.h - one watch: a stream of changes from a resourceVersion on.
 *
 * It ends on its own: after the time that was asked for, when the server wants to, when
 * the connection breaks. informer.h resumes it. */
#pragma once

#include "kube/client.h"

enum watch_event { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK };

struct kube_watch_options {
    const char *namespace;        /* NULL: all */
    const char *label_selector;   /* NULL: everything */
    const char *resource_version; /* to begin after; NULL with initial_events: the newest */
    bool initial_events;          /* begin with the whole state as ADDED events (KEP-3157) */
    unsigned timeout_s;           /* the server ends the watch then */
};

struct kube_watch_handler {
    /* The text of the object, valid during the call; nobody has parsed it yet. -1 ends the watch
     * with that err. */
    int (*on_event)(void *context, enum watch_event event, struct span object, struct err *err);
    /* `failure` NULL: the server ended the stream. GONE: the position is too old (HTTP 410
     * or an ERROR event). */
    void (*on_done)(void *context, const struct err *failure);
};

/* Bookmarks are always asked for. The call ends on its own 30 s after timeout_s when the
 * server does not end it. */
struct kube_call *kube_watch(struct kube_client *client, const struct kube_resource *resource,
                             const struct kube_watch_options *options,
                             const struct kube_watch_handler *handler, void *context);

/* Decodes one line of a watch: {"type": ..., "object": ...}. An ERROR event fails with what
 * its Status says. *ret_object is the part of the line that is the object, not parsed. */
int watch_decode(struct span line, enum watch_event *ret_event, struct span *ret_object,
                 struct err *err) __attribute__((warn_unused_result));
