/* objects.h - what the cluster holds of ours: models, batches and their Jobs.
 *
 * Three informers keep projections (project.h) in caches. A change wakes every
 * key that may decide differently because of it: the object itself, the owner of
 * a Job, the unfinished batches of a model or of one whose Job changed, the batches that
 * waited for an output. Keys are "namespace/name". */
#pragma once

#include "kube/informer.h"

#include "batch_index.h"
#include "view.h"

enum object_kind { OBJECT_MODEL, OBJECT_BATCH, OBJECT_JOB, OBJECT_KINDS };

extern const struct kube_resource object_resources[OBJECT_KINDS];

#define OBJECT_KEY (2 * 254) /* "namespace/name" and NUL */

struct objects_handler {
    /* A model or a batch has to be looked at. */
    void (*wake)(void *context, enum object_kind kind, const char *key);
    /* A model or a batch is gone for good. */
    void (*gone)(void *context, enum object_kind kind, const char *key, const char *uid);
    /* A list or watch failed, or an object cannot be used. */
    void (*failed)(void *context, enum object_kind kind, const struct err *failure);
};

struct objects_options {
    struct kube_client *client;
    const char *namespace; /* NULL: all */
    struct objects_handler handler;
    void *context;
    uint64_t seed;
    bool watch_list; /* as in kube/informer.h */
};

struct objects;

/* Options are copied, the texts in them borrowed. */
struct objects *objects_new(const struct objects_options *options)
    __attribute__((warn_unused_result));
void objects_free(struct objects *objects); /* NULL: no effect */

void objects_start(struct objects *objects);
/* Every cache has been complete: decisions may be taken. */
bool objects_are_synced(const struct objects *objects);

const struct cache *objects_cache(const struct objects *objects, enum object_kind kind);
void objects_health(const struct objects *objects, enum object_kind kind,
                    struct informer_health *ret_health);

/* Wakes every model and batch. */
void objects_wake_all(const struct objects *objects);

/* NULL when it is not there. */
const struct cache_entry *objects_find(const struct objects *objects, enum object_kind kind,
                                       const char *key);
/* A Job as reconcilers see it; lives in the arena. */
void objects_job(const struct cache_entry *entry, struct arena *arena, struct job_view *ret_job);
/* The projection of a model or a batch; lives in the arena. When what came is no JSON, which is
 * seen only here: who it is, with a status that cannot be decoded, so that nothing is decided. */
const json_t *objects_decode(const struct objects *objects, const struct cache_entry *entry,
                             enum object_kind kind, struct arena *arena);

/* Whether the batch of this entry is over, for the spec that it has now. */
bool objects_batch_is_finished(const struct cache_entry *entry);

/* The other unfinished batches with the same output as this one, in the arena. */
void objects_rivals(const struct objects *objects, const struct cache_entry *batch,
                    struct arena *arena, const struct output_rival **ret_rivals, size_t *ret_count);

/* The versions of a model that batches which run were started with (or `wanted`: that the specs
 * of unfinished batches name), each once, in the arena. */
struct strings objects_versions(const struct objects *objects, const struct cache_entry *model,
                                bool wanted, struct arena *arena);

/* The batches that a model owns, and those of others that have the name of one that is `pending`
 * (status.inbox.pending, may be NULL). In the arena, texts borrowed. */
void objects_inbox_batches(const struct objects *objects, const struct cache_entry *model,
                           const json_t *pending, struct arena *arena,
                           const struct inbox_batch **ret_batches, size_t *ret_count);

/* "namespace/name" */
void object_key(const struct cache_entry *entry, char ret_key[OBJECT_KEY]);
