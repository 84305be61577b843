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

struct answers;

/* Starts a look-up of `request` (FACT_JOB or FACT_PODS); when the same is under
 * way already there is no effect. *answers is NULL before the first question and whenever nothing
 * is asked. `key` is borrowed for the life of the answers.
 * `job_uid`: pods of another Job of this name do not count; NULL: all do. */
void answers_ask(struct answers **answers, const struct asker *asker, unsigned kind,
                 const char *key, const struct fact_request *request, const char *job_uid);
void answers_free(struct answers *answers); /* cancels; NULL: no effect */

/* What is known goes into a view, where it stays valid until the pass ends; answers NULL: nothing
 * is. */
void answers_view(const struct answers *answers, struct facts *facts);
/* What was answered is forgotten, unless the pass asks on. */
void answers_end_pass(struct answers **answers, bool asks_on);
