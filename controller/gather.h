/* gather.h - everything that a reconcile may know, put together from caches and
 * memos: the shell's half of view.h. */
#pragma once

#include "memo.h"
#include "view.h"
#include "zones.h"

/* A model as it was decoded for a batch: the next batch is often one of the same model. */
struct recent_model {
    const char *uid, *resource_version;
    const json_t *object; /* NULL: none yet */
    struct arena arena;   /* owns all of it */
};

struct gatherer {
    const struct objects *objects;
    const struct settings *settings;
    struct zones *zones;
    const struct clock *clock;
    struct recent_model recent;
};

void gatherer_release(struct gatherer *gatherer);

/* The view of an entry of the cache. What is decoded lives in the arena (the model of a batch:
 * until the next view of a batch), the rest is borrowed from entry and memo. */
void gather_model(const struct gatherer *gatherer, const struct cache_entry *entry,
                  struct memo *memo, struct arena *arena, struct model_view *ret_view);
void gather_batch(struct gatherer *gatherer, const struct cache_entry *entry, struct memo *memo,
                  struct arena *arena, struct batch_view *ret_view);
