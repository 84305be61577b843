/* ledger.h - what the invariants remember, and how they read the cluster. */
#pragma once

#include "sim/play.h"

#define TAGS_MAXIMUM (2 * MOVES_MAXIMUM)

struct ledger {
    struct play *play;
    struct watcher watcher;
    json_t *late_jobs; /* names of Jobs whose POST came late: the next look deletes them */
    json_t *born;      /* uid -> steady ms of creation */
    json_t *trained;   /* digests of images that m was trained with */
    json_t *writes;    /* key -> array of steady ms, the last WRITES_MAXIMUM */
    json_t *uses;      /* model -> {version -> steady ms since when it is in use} */
    json_t *ticks;     /* uid of a model -> the last tick that has an outcome */
    json_t *inboxes;   /* uid of a model -> {"spec", "ignored", "taken"}, see model_invariants.c */
    int64_t lease_ms;  /* when the Lease last changed */
    char *holder;
    struct {
        int64_t since_ms;
        char digest[IMAGE_DIGEST];
    } tags[TAGS_MAXIMUM]; /* what trainer:stable named, oldest first */
    size_t tag_count;
    const char *checking; /* name of the invariant */
};

/* Says what is wrong, and ends the run. `change`: NULL when it is about the whole. */
void report(const struct ledger *ledger, const struct change *change, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const struct resource *resource_named(const struct ledger *ledger, const char *plural);
bool is_unfinished(const json_t *object); /* a Job, or a batch */
bool is_ours(const struct change *change);
const char *text_of(const char *text); /* "" for NULL */
bool same(const char *left, const char *right);
int64_t generation_of(const json_t *object);
int64_t observed_by(const json_t *object);

/* --- model_invariants.c --- */
void remember_of_models(struct ledger *ledger, const struct change *change);
void versions_are_there(struct ledger *ledger, const struct change *change);
void promotions_are_deserved(struct ledger *ledger, const struct change *change);
void ticks_are_trained_once(struct ledger *ledger, const struct change *change);
void files_become_one_batch(struct ledger *ledger, const struct change *change);
void inboxes_are_bounded(struct ledger *ledger, const struct change *change);
/* volume.on_delete */
void version_is_deleted(void *ledger, const char *model, const char *version);
/* Whether a file of an inbox became a batch, or was to be passed over. */
bool inbox_is_done_with(const struct ledger *ledger, const char *uid, const char *uri,
                        const char *generation);
