/* programs.h - trainer and scorer as the controller sees them, on a volume in memory.
 *
 * They are idempotent as the real ones are (run records, manifests, versions named by
 * their content, conditional puts), and compute nothing. The volume checks that a version and an
 * output are written once. A file's content says what it is good for: one that begins with "bad"
 * cannot be read, what is learnt from "poor" is worse than what was there before, and "drifted"
 * weekly files are unlike what the model was trained with. */
#pragma once

#include <stdint.h>

#include "base/json.h"

struct volume {
    json_t *files; /* URI -> {"content", "generation", "change"}; data files in folders too */
    json_t *times; /* generation -> steady ms of its making, also of those that are gone */
    const int64_t *now_ms;
    int64_t changes; /* the generation of a file is the number of the change that made it */
    /* Since the volume was made: */
    unsigned versions_written, outputs_written;
    char *offence; /* what was done that may not be done; NULL: nothing */
    /* A training is about to delete an old version of the model "namespace/name". */
    void (*on_delete)(void *context, const char *model, const char *version);
    void *context;
};

void volume_init(struct volume *volume, const int64_t *now_ms);
void volume_release(struct volume *volume);

/* Users write and remove files. */
void volume_write(struct volume *volume, const char *uri, const char *content);
void volume_remove(struct volume *volume, const char *uri);
/* NULL: not there. Borrowed until the next change. */
const char *volume_read(const struct volume *volume, const char *uri);
const char *volume_generation(const struct volume *volume, const char *uri);
/* The newest data file in a folder ("file:///x/"), or the file itself; NULL: none. Borrowed. */
const char *volume_newest(const struct volume *volume, const char *uri);

/* Runs the program that the image holds on a job document, to its end; `index`: of the shard.
 * Returns its exit code and what it reports; the caller frees it. */
int program_run(struct volume *volume, const char *image, const json_t *document, int64_t index,
                char **ret_result) __attribute__((warn_unused_result));
