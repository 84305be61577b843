/* list_cutter.h - cuts the JSON text of a Kubernetes list into its items. Pure.
 *
 * A list is one object {"kind", "apiVersion", "metadata": {...}, "items": [...]}, its members
 * in any order. Feed every piece of the stream to list_cutter_push(); on_item is called with
 * the text of each element of "items" as soon as it is complete, and the tree of the list is
 * never built. Only as much of JSON is checked as cutting needs: brackets, strings and the
 * commas and colons of the outer levels. Items are checked by whoever parses them. */
#pragma once

#include "base/buf.h"
#include "base/span.h"

/* The item is borrowed: valid until the callback returns. */
typedef int (*list_item_callback)(void *context, struct span item, struct err *err);

struct list_cutter {
    list_item_callback on_item;
    void *context;
    /* private: see list_cutter.c */
    int place, member;
    bool inside, in_string, escaped; /* of the value at hand */
    size_t depth;                    /* brackets that are open in it */
    size_t offset;                   /* bytes before this piece, for messages */
    struct buf value;                /* what earlier pieces held of it */
    bool has_items;
    char *resource_version, *continue_token; /* from "metadata"; NULL before it was met */
};

void list_cutter_init(struct list_cutter *cutter, list_item_callback on_item, void *context);
void list_cutter_release(struct list_cutter *cutter); /* safe on a zeroed struct */

/* ERR_TOO_BIG: an item is larger than LIMIT_KUBE_OBJECT; ERR_INVALID: this is no JSON list;
 * or on_item's error. After a failure nothing more may be pushed. */
int list_cutter_push(struct list_cutter *cutter, struct span piece, struct err *err)
    __attribute__((warn_unused_result));

/* After the last piece: ERR_RETRY when the list is incomplete, ERR_INVALID when it has no
 * "items", which no list of Kubernetes lacks. Texts are "" where the list has none and live
 * as long as the cutter. */
int list_cutter_finish(struct list_cutter *cutter, const char **ret_resource_version,
                       const char **ret_continue_token, struct err *err)
    __attribute__((warn_unused_result));
