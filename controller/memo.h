/* memo.h - what the shell remembers about one model or batch between rounds.
 *
 * Nothing here may be needed after a restart: it is all seen again, asked again
 * or waited for again. Memos are found by the uid of their object. */
#pragma once

#include "answers.h"
#include "facts.h"
#include "objects.h"

/* A write of ours to a Job or batch that the cache has to show before the owner is
 * reconciled again. */
struct expectation {
    struct expectation *next;
    enum object_kind kind;
    char *name;
    char *resource_version; /* NULL: the one with this uid is gone */
    char *uid;
};

struct memo {
    const char *uid; /* first: the tree compares it; owned */
    enum object_kind kind;
    char *key;
    int64_t generation, seen_ms; /* steady clock: when this generation was first seen */
    char *resource_version;      /* of our last write to its status; NULL: none  */
    struct expectation *expected;
    int64_t asked;                /* see struct model_view                        */
    struct job_refusal *refusals; /* of this generation; texts owned            */
    size_t refusal_count;
    struct fact_user facts;  /* the shared facts it asked for                     */
    struct answers *answers; /* to its own questions; NULL: it has none           */
};

struct memos {
    void *tree;
    size_t count;
};

void memos_release(struct memos *memos);

struct memo *memo_find(const struct memos *memos, const char *uid); /* NULL: none */
/* Makes one when there is none. */
struct memo *memo_of(struct memos *memos, enum object_kind kind, const struct cache_entry *entry);
void memo_forget(struct memos *memos, const char *uid); /* none: no effect */

/* When this process first saw this generation. With another one, refusals are forgotten. */
int64_t memo_see(struct memo *memo, int64_t generation, int64_t now_ms);

/* What was written: the cache must be at least as new. */
void memo_wrote_status(struct memo *memo, const char *resource_version);
/* resource_version NULL: the child of this uid was deleted on the spot. */
void memo_wrote_child(struct memo *memo, enum object_kind kind, const char *name, const char *uid,
                      const char *resource_version);

/* Whether the caches show everything that was written; what they show is dropped. */
bool memo_is_caught_up(struct memo *memo, const struct objects *objects);

/* The Job or batch of this name was refused, or is there now. Of too many the oldest refusal is
 * forgotten. */
void memo_set_refusal(struct memo *memo, const char *job, const char *message, int64_t now_ms,
                      int64_t generation);
void memo_clear_refusal(struct memo *memo, const char *job);
