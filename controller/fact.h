/* fact.h - the inside of facts, shared by facts.c (looking up) and fact_views.c (showing). */
#pragma once

#include "bucket_secret.h"
#include "facts.h"
#include "inbox_files.h"

struct fact {
    const char *id; /* first: the tree compares it; owned */
    struct fact_store *store;
    enum fact_kind kind;
    char *argument;
    struct strings pull_secrets;     /* IMAGE: what opens the registry; owned */
    char *service_account;           /* IMAGE: the same */
    struct image_source *image;      /* IMAGE */
    struct inbox_question *question; /* INBOX: the latest */
    struct bucket_secret *secret;    /* FOLDER, INBOX: what opens the bucket; NULL: none is named */
    struct fact_use *users;

    /* the answer, in the words of struct image_fact and struct folder_fact */
    char *value; /* digest, or URI of the newest file */
    char *generation, *message;
    int64_t bytes;
    struct inbox_files inbox;
    enum image_error error;
    int64_t checked_ms, took_ms, pending_ms, failing_since_ms;
    int64_t pushed_ms; /* what began before is out of date; 0: no push came */

    /* the look-up */
    int64_t waiting_ms; /* since then in the line for a free place; 0: not in it */
    bool has_place;     /* IMAGE: is one of those that ask registries */
    struct fact *line_next;
    unsigned failures;
    struct timer retry;
};

/* When the look-up began that the answer is of. Of a folder that could not be listed, and is not
 * asked for a while because of that: now, because nothing newer is to be had. */
int64_t fact_checked_ms(const struct fact *fact);

struct fact_use {
    struct fact *fact;
    struct fact_user *user;
    struct fact_use *next_of_fact, *next_of_user;
    struct fact_use **place; /* what points to it among the fact's: thousands may use one */
    int64_t wanted_ms;       /* waits for a look-up that began then or later; 0: does not wait */
};
