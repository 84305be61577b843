/* part.h - what one shard leaves for Compose, in the folder of the parts.
 *
 *   part-00003-5eb63bbb.csv          scored rows, without header
 *   part-00003-5eb63bbb.rejects.csv  bad rows, without header; only if there are any
 *   part-00003-5eb63bbb.ids          16 bytes a row: struct id_key as in memory
 *   part-00003.json                  the document: names and hashes of the others
 *
 * The document is written last and only if there is none, so that a part is there
 * or not. The others have a random number in their names: two pods of one index
 * never write to the same object, and whoever is second finds the document and
 * throws its own away. */
#pragma once

#include "base/fields.h"
#include "contract/result.h"
#include "scorer/ids.h"
#include "scorer/tally.h"
#include "store/store.h"

#define PART_VERSION 1

struct part_object {
    const char *name; /* in the folder of the parts */
    int64_t bytes;
    const char *sha256;
};

struct part_fault {
    int64_t line;
    const char *column, *why;
};

struct part {
    int64_t version;
    int64_t index;              /* of the shard                                      */
    const char *model;          /* version that scored                               */
    struct input_result *input; /* bytes and sha256 only from the last shard         */
    const char *header;         /* of the output, with its newline                   */
    struct part_object *output, *rejects, *ids; /* rejects, ids: may be NULL           */
    struct part_fault *first_fault;             /* when there are rejects              */
    /* a struct tally */
    int64_t scored, rejected, unseen, above_threshold, sum;
    struct doubles bins;  /* TALLY_BINS + 1 counts, those at the end that are 0 left out */
    struct doubles drift; /* bin_total counts */
};

extern const struct fields part_fields;

/* "<folder>part-00003.json". In the arena. */
const char *part_uri(const char *folder, int64_t index, struct arena *arena);

/* The URI of one of a part's objects. In the arena. */
const char *part_object_uri(const char *folder, const struct part_object *object,
                            struct arena *arena);

/* Reads and checks a document: counts that are whole numbers and add up, names
 * without folders. ERR_NOT_FOUND when there is none; DataInvalid when it is no
 * part of that index. */
int part_read(struct store *store, const char *uri, int64_t index, struct arena *arena,
              struct part *ret_part, struct err *err) __attribute__((warn_unused_result));
/* The same from its text; `uri` is for messages. */
int part_parse(struct span text, const char *uri, int64_t index, struct arena *arena,
               struct part *ret_part, struct err *err) __attribute__((warn_unused_result));

/* The document's text; the caller frees. */
char *part_text(const struct part *part) __attribute__((returns_nonnull));

/* The counts of a part from a tally, and back: added to it. Borrows nothing from the
 * tally. part_add() fails with DataInvalid when the part was counted with other
 * bins. */
void part_count(struct part *part, const struct tally *tally, struct arena *arena);
int part_add(const struct part *part, struct tally *tally, struct err *err)
    __attribute__((warn_unused_result));
