/* checked.h - reading objects whose length and sha256 are known, and writing
 * objects whose length and sha256 will be. */
#pragma once

#include <stdbool.h>

#include "base/sha256.h"
#include "store/store.h"

/* --- reading ------------------------------------------------------------ */

struct checked {
    struct store_reader *reader;
    struct sha256 hash;
    int64_t bytes;
    struct store_info info;
};

int checked_open(struct store *store, const char *uri, struct checked *ret_checked, struct err *err)
    __attribute__((warn_unused_result));
void checked_release(struct checked *checked); /* safe on a zeroed struct */
#define auto_checked __attribute__((cleanup(checked_release)))

/* Fills the buffer; *ret_length is less than `capacity` only at the end. */
int checked_read(struct checked *checked, void *buffer, size_t capacity, size_t *ret_length,
                 struct err *err) __attribute__((warn_unused_result));

/* Once, at the end: was it so many bytes with that hash? */
bool checked_matches(struct checked *checked, int64_t bytes, const char *sha256);

/* Reads a whole object only to know that. ERR_NOT_FOUND when there is none. */
int checked_verify(struct store *store, const char *uri, int64_t bytes, const char *sha256,
                   bool *ret_matches, struct err *err) __attribute__((warn_unused_result));

/* --- writing ------------------------------------------------------------ */

struct sink {
    struct store_writer *writer; /* NULL while nothing was begun */
    struct sha256 hash;
    uint64_t bytes;
};

/* Takes the writer, which may be NULL (then the error is already set: -1). */
int sink_begin(struct sink *sink, struct store_writer *take_writer)
    __attribute__((warn_unused_result));
void sink_release(struct sink *sink); /* safe on a zeroed struct */

/* Errors have the reason words of outputs (places.h). */
int sink_append(struct sink *sink, const void *bytes, size_t length, struct err *err)
    __attribute__((warn_unused_result));
/* Appends a whole object of the same store. DataInvalid when it is not so many
 * bytes with that hash. */
int sink_append_object(struct sink *sink, struct store *store, const char *uri, int64_t bytes,
                       const char *sha256, struct err *err) __attribute__((warn_unused_result));
int sink_commit(struct sink *sink, struct err *err) __attribute__((warn_unused_result));
/* Once: ends the hash. */
void sink_hash(struct sink *sink, char ret_sha256[SHA256_HEX]);
