/* inbox_files.h - what an inbox asks a folder, and what the folder answers.
 *
 * A folder may hold any number of files; an answer holds at most INBOX_FILES, so that
 * neither memory nor status grow with it. Files are known by a key, "<time> <name>",
 * with the time of their last change to the nanosecond: keys sort as the files came,
 * and a file that is uploaded again has another key.
 *
 * Only data files count (store.h) that are not outputs of ours: an output has a
 * manifest beside it, which is published before it; rejects end in ".rejects.csv". Names of
 * more than 255 bytes, which buckets allow, are passed over: status has no room for them.
 *
 * A bucket lists in the order of names, so a manifest comes soon after its output, and no
 * object costs a request of its own, however many there are. */
#pragma once

#include "base/err.h"
#include "store/store.h"

#include "plan.h"
#include "view.h"

/* Answers `question` about a folder: files not yet taken, oldest first, or the newest ones.
 * Blocks. *ret_files is owned by the caller. */
struct inbox_files {
    struct inbox_file *items; /* in the order of their keys; texts owned */
    size_t count;
};
int inbox_files_find(struct store *store, const char *folder_uri,
                     const struct inbox_question *question, struct inbox_files *ret_files,
                     struct err *err) __attribute__((warn_unused_result));
void inbox_files_release(struct inbox_files *files); /* safe on a zeroed struct */

/* The choice alone: whether a file with this key is among those to answer, as far as files were
 * put so far; and putting it there, which may cost another its place. */
bool inbox_files_want(const struct inbox_files *files, const struct inbox_question *question,
                      const char *key);
void inbox_files_put(struct inbox_files *files, const struct inbox_question *question,
                     const char *key, const char *name, const char *generation);

/* Sets since_ms of files that `before` had already to what it was there, of others to now_ms.
 * Returns whether the two differ. */
bool inbox_files_follow(struct inbox_files *files, const struct inbox_files *before,
                        int64_t now_ms);

struct inbox_question *inbox_question_copy(const struct inbox_question *question)
    __attribute__((warn_unused_result, returns_nonnull));
void inbox_question_free(struct inbox_question *question); /* NULL: no effect */
