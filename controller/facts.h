/* facts.h - slow look-ups that several objects share: which digest an image tag
 * points to, which data file in a folder is the newest; and which files are new in
 * an inbox, for one object alone.
 *
 * A fact is known by what it is about (and, for an image, by namespace and what
 * opens its registry). Whoever asks for one sees it in its views from then on,
 * with its age, until it lets go, or asks for the same image with other pull secrets
 * (the same folder with another question): then only for that. One look-up at a time per fact
 * answers all who asked before it began; those who want a newer one get another afterwards. A
 * changed answer wakes everyone who uses the fact, an unchanged one those who
 * wait for it. After a failure the next look-up of the same fact waits, longer
 * and longer.
 *
 * Belongs to the thread of its client; folders are listed by a thread of their
 * own, because a hanging volume must not stop the rest. */
#pragma once

#include "kube/client.h"

#include "bucket_access.h"
#include "image_resolver.h"
#include "plan.h"
#include "view.h"

struct facts_options {
    struct kube_client *client;  /* reads pull secrets and the accounts that have them */
    struct transport *transport; /* to registries */
    struct timers *timers;
    struct registry_settings registries;
    struct strings file_roots;    /* folders may be listed below these only */
    struct bucket_access buckets; /* how they are reached, and opened for the controller itself */
    uint64_t seed;
    /* Whether something may be made in the cluster: this process decides. NULL: always. */
    bool (*may_write)(void *context);
    /* Somebody has to look at what changed. */
    void (*wake)(void *context, unsigned kind, const char *key);
    /* A look-up ended, for metrics and the log; failure NULL: fine. */
    void (*ended)(void *context, enum fact_kind fact, const char *argument,
                  const struct err *failure);
    void *context;
};

struct fact_store;

/* Options are copied, the texts in them borrowed. NULL: no thread could be started. */
struct fact_store *fact_store_new(const struct facts_options *options, struct err *err)
    __attribute__((warn_unused_result));
/* Every user must have been released. NULL: no effect. */
void fact_store_free(struct fact_store *store);

/* Takes over what the folder thread has found: call after every transport_run(). */
void fact_store_poll(struct fact_store *store);

/* Somebody says that an object of this URI has come: folders and files that it concerns
 * (push.h) are to be looked at again, and who uses those facts is woken. Returns how many. */
size_t fact_store_push(struct fact_store *store, const char *object_uri);

/* One object's part in facts. Zeroed: uses none. */
struct fact_user {
    unsigned kind; /* of the key to wake */
    const char *key;
    struct fact_use *uses;
};
void fact_user_release(struct fact_user *user); /* lets go of everything */

/* Asks for a fact (FACT_IMAGE, FACT_FOLDER, FACT_INBOX). True when an answer that is new enough is
 * there already: the caller makes a new view. Otherwise the key is woken when
 * there is. `key` ("namespace/name") is borrowed for the life of the user. */
bool fact_need(struct fact_store *store, struct fact_user *user, unsigned kind, const char *key,
               const struct fact_request *request) __attribute__((warn_unused_result));

/* The facts in use, for a view; arrays in the arena, texts borrowed. */
void fact_user_view(const struct fact_user *user, struct arena *arena, struct facts *facts);
