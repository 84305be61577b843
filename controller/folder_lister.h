/* folder_lister.h - lists folders, and looks at files, in a thread of its own.
 *
 * A volume that hangs (NFS) stops the thread that touches it, and so does a bucket that does not
 * answer, if not for long. So the loop hands folders over and takes answers back, and only
 * listings wait. Buckets are opened by the process's own cloud identity. */
#pragma once

#include "base/err.h"
#include "net/transport.h"

#include "inbox_files.h"

struct folder_lister;

/* One listing; made by the lister, read by the loop. */
struct folder_answer {
    void *context;    /* as in folder_lister_ask() */
    char *newest_uri; /* NULL: no data file, or failed */
    char *generation;
    int64_t bytes;
    struct inbox_files inbox; /* of folder_lister_ask_inbox() */
    struct err failure;       /* kind NONE: it was listed */
};

/* `transport` is woken when an answer is there. NULL: the thread cannot be started. */
struct folder_lister *folder_lister_new(struct transport *transport, struct err *err)
    __attribute__((warn_unused_result));
/* Answers that were not taken are dropped. Does not wait for a listing that hangs. */
void folder_lister_free(struct folder_lister *lister); /* NULL: no effect */

/* A folder's URI ends in '/'; of any other the file itself is the answer, if there is one. */
void folder_lister_ask(struct folder_lister *lister, const char *uri, void *context);

/* The question is copied. */
void folder_lister_ask_inbox(struct folder_lister *lister, const char *folder_uri,
                             const struct inbox_question *question, void *context);

/* The oldest answer, which the caller releases; false: none is there. */
bool folder_lister_take(struct folder_lister *lister, struct folder_answer *ret_answer);
void folder_answer_release(struct folder_answer *answer);
