/* world.h - an API server, a registry and programs, as small as tests of pure
 * reconcilers need them.
 *
 * Objects are JSON; plans are applied to them as the shell would. Look-ups are
 * answered at once, Jobs end when the test says so. Time moves only when the
 * test moves it. */
#pragma once

#include "unit.h"

#include "base/json.h"
#include "project.h"
#include "reconcile.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DIGEST_S "sha256:5555555555555555555555555555555555555555555555555555555555555555"
#define TRAINER  "registry.test/trainer:stable"
#define SCORER   "registry.test/scorer:stable"

#define WORLD_FILES 160

struct world {
    struct arena arena; /* texts of facts and answers */
    json_t *objects;    /* "ChurnModel/name", "ChurnBatch/name", "Job/name" to object */
    json_t *pods;       /* Job name to pod list items */
    json_t *seen;       /* uid to when its generation was first seen */
    int64_t now_ms, version, sequence;
    /* the registry and a folder */
    const char *trainer_digest, *other_digest; /* other: of any further reference */
    enum image_error registry;
    int64_t look_up_ms; /* an answer is of a look-up that began so long ago */
    const char *newest, *generation;
    const char *missing; /* no file whose URI begins so is there; every other is */
    int64_t bytes;       /* of every file */
    bool listing_fails;
    struct inbox_file inbox[WORLD_FILES]; /* an inbox's folder, in the order of keys */
    size_t inbox_count;
    /* what a trainer measures; champion_auc NULL: it makes no comparison */
    const char *auc, *champion_auc;
    const char *folder_uri; /* where it puts versions */
    /* what the shell keeps in memory */
    struct image_fact images[4];
    size_t image_count;
    struct folder_fact folders[8];
    size_t folder_count;
    struct inbox_fact inbox_facts[2]; /* not newest, newest */
    const char *secret;               /* that was named last for a look-up */
    struct job_fact job_fact;
    struct pods_fact pods_fact;
    struct job_refusal refusals[8];
    size_t refusal_count;
    int64_t asked;
    bool refuses_jobs, refuses_batches, slow_deletion;
    /* counts since world_init() */
    int created, deleted, expired, status_writes, events, warnings;
    int batches_created, batches_deleted;
    const char *last_event;
    int64_t requeue_after_ms; /* of the last plan */
    int budget;               /* API writes until the controller is killed; -1: never */
    bool killed, acted;
};

void world_init(struct world *world);
/* The same with a trained model at rest, and counts of 0. */
void world_init_trained(struct world *world);
void world_release(struct world *world);

/* Adds an object from the text of its spec; the name "m" of a model and the
 * image TRAINER are what other helpers expect. */
void world_add(struct world *world, const char *kind, const char *name, const char *spec);
/* A model and a batch with ordinary specs. */
void world_add_model(struct world *world);
void world_add_batch(struct world *world, const char *name);
/* Applies a merge patch of the spec as a user does: a new generation. */
void world_edit(struct world *world, const char *kind, const char *name, const char *patch);
json_t *world_get(const struct world *world, const char *kind, const char *name);
void world_remove(struct world *world, const char *kind, const char *name);

/* A file comes into an inbox's folder: changed last at this second of 2026, "00" to "59". */
void world_drop_file(struct world *world, const char *second, const char *name);

/* What the parts of world need of each other. */
extern const struct settings world_settings;
void world_view_inbox(struct world *world, const json_t *model, struct arena *arena,
                      struct model_view *view);
void world_answer(struct world *world, const struct fact_request *need);
void world_answer_inbox(struct world *world, const struct fact_request *need);
/* A refusal stays until one of this name is made. */
void world_forget_refusal(struct world *world, const char *name);
void world_refuse(struct world *world, const json_t *owner, const char *name, const char *message);
void world_create_batch(struct world *world, const struct action *action);
void world_delete_batch(struct world *world, const struct action *action);

/* One reconcile of one object; its plan is applied. False: the plan was empty. */
bool world_step(struct world *world, const char *kind, const char *name);
/* Steps all objects until no plan has an action. Fails after too many rounds. */
void world_settle(struct world *world);
/* Loses everything that a process has in memory. */
void world_restart(struct world *world);

/* The Job that was created last, or NULL. */
const char *world_last_job(const struct world *world);
/* The one unfinished Job, or NULL. */
const char *world_running(const struct world *world);
int world_jobs(const struct world *world);
/* Ends the unfinished Job as its program would when all is well. */
void world_succeed(struct world *world);
/* Ends it well, with this result. */
void world_report(struct world *world, const char *result);
/* Ends it with an exit code and a termination message (NULL: none). */
void world_fail(struct world *world, int exit_code, const char *message);
/* Ends it with a condition, and with no pod that could be asked. */
void world_end(struct world *world, const char *type, const char *reason, const char *message);

/* A member of status as text ("" when missing): world_status(w, "ChurnModel",
 * "m", "lastTraining", "outcome", NULL). */
const char *world_status(const struct world *world, const char *kind, const char *name, ...)
    __attribute__((sentinel));
/* "True Training: Job m-t..." of one condition: status and reason only. */
const char *world_condition(struct world *world, const char *kind, const char *name,
                            const char *type);
const char *world_message(const struct world *world, const char *kind, const char *name,
                          const char *type);
