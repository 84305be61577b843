/* answers.h - questions that one object asks about its own Job: does it exist
 * (a GET past the cache), and how did its pods end.
 *
 * At most one of each kind is under way per object. An answer is in the view of
 * the pass that it wakes, and of later ones as long as each asks on. */
#pragma once

#include "kube/client.h"

#include "plan.h"
#include "view.h"

struct asker {
    struct kube_client *client;
    /* An answer arrived; kind and key are what answers_ask() was told. */
    void (*wake)(void *context, unsigned kind, const char *key);
    /* A look-up failed; the key should come again in a while, and then asks again. */
    void (*failed)(void *context, unsigned kind, const char *key, const struct err *failure);
    void *context;
};

struct question {
    struct answers *answers;
    struct kube_call *call; /* NULL: not under way */
    char *job, *uid;        /* the Job that is asked about; uid: whose pods count, or NULL */
    bool answered;
    struct arena arena; /* owns the answer */
};

struct answers {
    const struct asker *asker;
    unsigned kind;
    const char *key;
    struct question job, pods;
    struct job_fact job_fact;
    struct pods_fact pods_fact;
};

/* Starts a look-up of `request` (FACT_JOB or FACT_PODS); when the same is under
 * way already there is no effect. `key` is borrowed for the life of the answers.
 * `job_uid`: pods of another Job of this name do not count; NULL: all do. */
void answers_ask(struct answers *answers, const struct asker *asker, unsigned kind, const char *key,
                 const struct fact_request *request, const char *job_uid);
void answers_release(struct answers *answers); /* cancels; safe on a zeroed struct */

/* What is known goes into a view, where it stays valid until the pass ends. */
void answers_view(const struct answers *answers, struct facts *facts);
/* What was answered is forgotten, unless the pass asks on. */
void answers_end_pass(struct answers *answers, bool asks_on);
