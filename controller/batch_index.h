/* batch_index.h - the unfinished batches that share something: a model, a version of it, an output.
 *
 * Sets of members by key. It answers who has to be woken when a model changes or
 * an output becomes free, without looking at every batch. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct batch_index {
    void *sets; /* tsearch(3) tree */
};

void batch_index_release(struct batch_index *index); /* safe on a zeroed struct */

/* Adding a member that is there, or removing one that is not, has no effect. */
void batch_index_add(struct batch_index *index, const char *key, const char *member);
void batch_index_remove(struct batch_index *index, const char *key, const char *member);

/* Whether the key has a member. */
bool batch_index_has(const struct batch_index *index, const char *key);

/* Calls visit for every member, ordered by name; the index must not change meanwhile. */
void batch_index_each(const struct batch_index *index, const char *key,
                      void (*visit)(void *context, const char *member), void *context);
