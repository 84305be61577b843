/* folder_lister.h - lists folders, and looks at files, in threads of its own.
 *
 * A volume that hangs (NFS) stops the thread that touches it, and a bucket may be slow. So the
 * loop hands folders over and takes answers back, and only listings wait: one thread for file://,
 * some for buckets that the environment opens, and some for those that a Secret opens, so that none
 * waits for the others. The last have servers that users name, which may be as slow as they like: a
 * walk has a deadline, and one namespace has at most FOLDER_LISTER_SHARE of the threads. A bucket
 * is asked once; whoever wants an answer asks again. */
#pragma once

#include "base/err.h"
#include "net/transport.h"

#include "bucket_access.h"
#include "bucket_secret.h"
#include "inbox_files.h"

#define FOLDER_LISTER_SHARE 2

struct folder_lister;

/* One listing; made by the lister, read by the loop. */
struct folder_answer {
    void *context;    /* as in folder_lister_ask() */
    char *newest_uri; /* NULL: no data file, or failed */
    char *generation;
    int64_t bytes;
    struct inbox_files inbox; /* of a question */
    struct err failure;       /* kind NONE: it was listed */
};

/* `transport` is woken when an answer is there. NULL: no thread can be started. */
struct folder_lister *folder_lister_new(struct transport *transport,
                                        const struct bucket_access *access, struct err *err)
    __attribute__((warn_unused_result));
/* Answers that were not taken are dropped. Threads that do nothing are waited for; one that lists,
 * and may hang, is not. */
void folder_lister_free(struct folder_lister *lister); /* NULL: no effect */

/* A folder's URI ends in '/': its newest file, or what an inbox asked (copied; NULL: nothing); of
 * any other URI the file itself is the answer, if there is one. `take_keys` open the bucket; NULL:
 * the environment does. */
void folder_lister_ask(struct folder_lister *lister, const char *uri,
                       const struct inbox_question *question, struct bucket_keys *take_keys,
                       void *context);

/* The oldest answer, which the caller releases; false: none is there. */
bool folder_lister_take(struct folder_lister *lister, struct folder_answer *ret_answer);
void folder_answer_release(struct folder_answer *answer);
