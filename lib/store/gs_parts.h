/* gs_parts.h - what the parts of the gs:// driver share. */
#pragma once

#include "store/gs_object.h"
#include "store/remote.h"
#include "store/store_driver.h"

struct gs_store {
    struct store base;
    struct remote *remote;
    const struct remote_signer *signer; /* NULL: anonymous */
    const struct tls_options *tls;
    const char *endpoint; /* "https://storage.googleapis.com" */
    char *bucket;
};

/* The name of the object (or of the folder, with its '/') that a URI of this bucket means; it is
 * the end of `uri`. NULL: it is none. */
const char *gs_name(const struct gs_store *self, const char *uri, bool folder, struct err *err)
    __attribute__((warn_unused_result));

/* "<endpoint>/storage/v1/b/<bucket>/o/<name><query>"; the caller frees. */
char *gs_object_url(const struct gs_store *self, const char *name, const char *query)
    __attribute__((returns_nonnull, warn_unused_result));

/* A question without headers and body. */
struct remote_question gs_question(const struct gs_store *self, const char *what, const char *right,
                                   const char *method, const char *url);

/* What there is under a name; `what` for messages. NOT_FOUND. */
int gs_look(struct gs_store *self, const char *what, const char *name, struct arena *arena,
            struct gs_object *ret_object, struct err *err) __attribute__((warn_unused_result));

/* Pages of names that begin with `prefix`: with `delimited` up to the next '/' only. */
typedef int (*gs_visit_page)(void *context, const struct gs_page *page, struct err *err);
int gs_list(struct gs_store *self, const char *what, const char *prefix, bool delimited,
            gs_visit_page visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* NOT_FOUND when there is none; of this generation, or any (NULL). */
int gs_remove(struct gs_store *self, const char *what, const char *name, const char *generation,
              struct err *err) __attribute__((warn_unused_result));

/* Is the last segment of this name that of an unfinished object? */
#define GS_PART_PREFIX ".churn-part."
bool gs_is_part(const char *name);

struct store_writer *gs_put(struct store *store, const char *uri, enum store_condition condition,
                            const char *generation, struct err *err)
    __attribute__((warn_unused_result));
