/* history.h - the history file: where it is, and its bytes from the start.
 *
 * A training reads the file once, or twice where it is compared with another model
 * (contest.h); the second time must meet the same generation. Stages that run one by
 * one read the copy that the first of them made. */
#pragma once

#include <stdatomic.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "base/decompress.h"
#include "store/read_ahead.h"
#include "store/store.h"

struct history {
    const char *uri;                   /* what was meant: never a folder */
    const char *copy_uri;              /* the copy that an earlier stage made, or NULL */
    const char *name;                  /* last segment of the URI, for messages */
    char sha256[SHA256_HEX];           /* of the bytes as stored, compressed or not */
    char generation[STORE_GENERATION]; /* of what was read; "" before */
};

/* Finds out uri and name: `data_uri`, or the newest file of that folder. Strings live
 * in the arena. */
int history_locate(struct history *history, struct stores *stores, const char *data_uri,
                   struct arena *arena, struct err *err) __attribute__((warn_unused_result));

/* Reads the file, hashing it on its way to the decompressor. */
struct history_reader {
    struct store *store;
    struct store_reader *stored;
    struct sha256 hash;
    uint64_t size;         /* bytes as stored: in all, ... */
    _Atomic uint64_t read; /* ... and of them so far       */
    struct byte_source hashing;
    struct decompressor *decompressor;
    struct read_ahead *ahead;
};

/* Opens the file. `generation`: what it must be (ERR_GONE, InputChanged), or NULL. The struct must
 * stay where it is. */
int history_reader_init(struct history_reader *reader, struct history *history,
                        struct stores *stores, const char *generation, struct err *err)
    __attribute__((warn_unused_result));
void history_reader_release(struct history_reader *reader); /* safe on a zeroed struct */
#define auto_history_reader __attribute__((cleanup(history_reader_release)))

/* The unpacked bytes. */
const struct byte_source *history_reader_source(struct history_reader *reader)
    __attribute__((returns_nonnull));

/* Reads what is left, so that the hash covers all bytes, and gives the hash. The source is no more.
 */
int history_reader_finish(struct history_reader *reader, char ret_sha256[SHA256_HEX],
                          struct err *err) __attribute__((warn_unused_result));
