/* request.h - one request inside of the front; not for users of front.h. */
#pragma once

#include "base/buf.h"
#include "kubesim/core/api.h"
#include "kubesim/core/selector.h"
#include "kubesim/front/front.h"

/* A list of everything there is: bounded by memory only, because it is our own objects. */
#define ANSWER_MAXIMUM ((size_t)1 << 32)

struct request {
    struct front *front;
    struct exchange exchange;
    struct arena arena;
    const char *verb; /* "list", "watch", ... */
    struct resource *resource;
    const char *namespace, *name, *subresource; /* NULL where the path has none */
    const struct fault *fault;                  /* what goes wrong with it; NULL */
};

const char *request_query(const struct request *request, const char *name);
bool request_flag(const struct request *request, const char *name); /* "true" or "1" */
bool request_wants_table(const struct request *request);
const char *request_user_agent(const struct request *request); /* "-" when there is none */

/* Answers. JSON trees are taken. */
void request_reply(const struct request *request, int status, json_t *take_body);
void request_reply_text(const struct request *request, int status, struct span json);
/* A Kubernetes Status; `call` (or NULL) has the causes. */
void request_refuse(const struct request *request, const struct err *err,
                    const struct api_call *call);
/* The same as a tree; name and causes may be NULL. New. */
json_t *status_object(const struct err *err, const struct resource *resource, const char *name,
                      json_t *causes);
const char *status_reason(int code); /* "Expired" for 410 */

/* Handles the request after a while, as if it came then. */
void request_later(struct request *request, int64_t delay_ms,
                   void (*handle)(struct request *request));

/* The handlers, one file each. */
void handle_object(struct request *request);                      /* verbs.c */
void handle_list(struct request *request);                        /* list.c */
void handle_watch(struct request *request);                       /* watch.c */
void handle_log(struct request *request);                         /* logs.c */
bool handle_discovery(struct request *request, const char *path); /* discovery.c; false: not its */
void handle_registry(struct request *request);                    /* registry.c */
void handle_admin(struct request *request, const char *path);     /* admin.c */

/* watch.c */
void watches_close(struct front *front, const char *resource, bool cut); /* NULL: all */
/* list.c */
/* resourceVersion of the query, 0 without one; a revision that is still to come is refused. */
int request_revision(const struct request *request, uint64_t *ret_revision, struct err *err)
    __attribute__((warn_unused_result));
/* labelSelector and fieldSelector of the query. */
int request_selector(const struct request *request, struct selector *ret_selector, struct err *err)
    __attribute__((warn_unused_result));
