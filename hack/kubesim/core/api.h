/* api.h - the verbs of the API on one object: what may be written, and what the
 * server adds (uid, generation, deletionTimestamp, defaults).
 *
 * Failures are err with the HTTP status, the reason of a Kubernetes Status and
 * its message as people know it; causes of an Invalid object are left in the
 * call. https://kubernetes.io/docs/reference/using-api/api-concepts/ */
#pragma once

#include "kubesim/core/cluster.h"

struct api_call {
    struct cluster *cluster;
    struct resource *resource;
    const char *namespace, *name; /* NULL or "" where they do not apply */
    bool status;                  /* the /status subresource */
    bool strict;                  /* unknown fields are refused, not left out */
    json_t *causes;               /* out: array of {reason, message, field}, or NULL */
    char *invalid;                /* out: name of the object that the causes speak of, or NULL */
};
void api_call_release(struct api_call *call);

struct delete_options {
    const char *uid, *resource_version; /* preconditions, or NULL */
    const char *propagation;            /* NULL: Background, of Jobs Orphan as in batch/v1 */
    int64_t grace_seconds;              /* -1: the pod's own */
};

/* Snapshots handed out are new references. */
int api_get(struct api_call *call, struct snapshot **ret_snapshot, struct err *err)
    __attribute__((warn_unused_result));
int api_create(struct api_call *call, const json_t *body, struct snapshot **ret_snapshot,
               struct err *err) __attribute__((warn_unused_result));
int api_update(struct api_call *call, const json_t *body, struct snapshot **ret_snapshot,
               struct err *err) __attribute__((warn_unused_result));
/* RFC 7386. `strategic`: a strategic merge patch, taken as a merge patch whose lists replace and
 * whose directives ("$...") are left out; only for built-in kinds. */
int api_patch(struct api_call *call, const json_t *patch, bool strategic,
              struct snapshot **ret_snapshot, struct err *err) __attribute__((warn_unused_result));
/* *ret_snapshot: the object when something still holds it, NULL when it is gone. */
int api_delete(struct api_call *call, const struct delete_options *options,
               struct snapshot **ret_snapshot, struct err *err) __attribute__((warn_unused_result));

/* Fills err with code, reason and message, and returns -1. */
int api_refuse(struct err *err, int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What this resource's version shows of a stored object, as JSON text borrowed from the snapshot or
 * from *own, which the caller frees. */
struct span api_text(const struct resource *resource, struct snapshot *snapshot, char **own);

/* For controllers: makes `take_json` (an edited deep copy) the state of the object; removes it when
 * it is being deleted and nothing holds it any more. Nothing happens when nothing changed. */
void api_commit(struct cluster *cluster, struct object *object, json_t *take_json);
/* Deletes in the background, as a client without preconditions does. */
void api_discard(struct cluster *cluster, struct object *object, int64_t grace_seconds);

bool object_is_deleting(const json_t *object);
bool object_has_finalizer(const json_t *object, const char *finalizer);
/* In place; removing what is not there does nothing. */
void object_set_finalizer(json_t *object, const char *finalizer, bool present);
/* Sets or adds the condition; lastTransitionTime moves only with the status. */
void object_set_condition(const struct cluster *cluster, json_t *object, const char *type,
                          const char *status, const char *reason, const char *message);
const json_t *object_condition(const json_t *object, const char *type); /* borrowed or NULL */
bool object_condition_is(const json_t *object, const char *type, const char *status);
