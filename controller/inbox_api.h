/* inbox_api.h - spec.inbox and status.inbox of a ChurnModel as C structs with
 * field tables. */
#pragma once

#include "batch_template.h"

enum inbox_existing { EXISTING_IGNORE, EXISTING_LATEST, EXISTING_ALL };
extern const char *const inbox_existing_names[]; /* Ignore, Latest, All */

/* A folder of which every new file becomes a ChurnBatch. */
struct inbox_spec {
    const char *uri;
    int64_t poll_interval_ms;
    int existing;       /* enum inbox_existing: files that are there when the inbox begins */
    int64_t max_active; /* unfinished batches at a time                                    */
    int64_t keep;       /* finished batches                                                */
    struct batch_template *template;
};

#define INBOX_ACTIVE_MAXIMUM 64

/* A batch that is about to be made: written before, removed when it is there. */
struct inbox_pending {
    const char *name;
    const char *file; /* URI */
    const char *generation;
};

/* Files are known by keys, "<time> <name>" (inbox_files.h). */
struct inbox_status {
    const char *uri;             /* that the rest is about                                  */
    const char *high_water_mark; /* time of the newest file that was taken or passed over   */
    const char *last_file;       /* name of the one that was taken last                     */
    int64_t created, active;     /* batches                                                 */
    const char *floor;           /* key of a file: it and all before it are done with       */
    struct strings taken;        /* keys of later files that are done with, in their order  */
    struct list pending;         /* of struct inbox_pending                                 */
};

extern const struct fields inbox_spec_fields;
extern const struct fields inbox_status_fields;

/* The rules that the table cannot say. `path` is "spec.inbox". */
int inbox_spec_check(const struct inbox_spec *spec, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/* `template` as a ChurnBatch's spec for one file of one generation. New reference. */
json_t *inbox_batch_spec(const struct batch_template *template, const char *model,
                         const char *file_uri, const char *generation)
    __attribute__((warn_unused_result));
