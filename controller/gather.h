/* gather.h - everything that a reconcile may know, put together from caches and
 * memos: the shell's half of view.h. */
#pragma once

#include "memo.h"
#include "view.h"
#include "zones.h"

struct gatherer {
    const struct objects *objects;
    const struct settings *settings;
    struct zones *zones;
    const struct clock *clock;
};

/* The view of an entry of the cache. What is decoded lives in the arena, the
 * rest is borrowed from entry and memo. */
void gather_model(const struct gatherer *gatherer, const struct cache_entry *entry,
                  struct memo *memo, struct arena *arena, struct model_view *ret_view);
void gather_batch(const struct gatherer *gatherer, const struct cache_entry *entry,
                  struct memo *memo, struct arena *arena, struct batch_view *ret_view);
