/* input.h - the weekly file as records: store, hash, unpacking, reading ahead, CSV.
 *
 * A shard gets the records that begin in its range of the file's bytes. Whether a
 * byte is inside a quoted field depends on every quote before it, so a shard
 * reads the file from its start and cuts it into records without taking them
 * apart, which is many times cheaper than scoring them: right for every file, and
 * line numbers are those of the whole file. (The other way, to score for both
 * cases and let Compose choose, costs more where it helps.) Only the last shard,
 * which reads everything, hashes the input. */
#pragma once

#include <signal.h>
#include <stdatomic.h>

#include "base/sha256.h"
#include "ml/csv.h"
#include "base/decompress.h"
#include "store/read_ahead.h"
#include "store/store.h"

struct input {
    struct store_reader *object;
    struct store_info info;
    struct byte_source source; /* the object's bytes, counted and hashed */
    _Atomic uint64_t bytes;    /* read so far                            */
    bool is_hashed;
    struct sha256 hash;
    struct decompressor *unpacked;
    struct read_ahead *ahead;
    struct csv_reader *reader;
};

/* Bytes of the unpacked file. */
struct input_range {
    uint64_t begin, end; /* end UINT64_MAX: to the end of the file */
};

/* Opens the file and reads its header. `generation` may be NULL. The struct must
 * stay where it is. */
int input_open(struct store *store, const char *uri, const char *generation, bool is_hashed,
               struct input *ret_input, struct err *err) __attribute__((warn_unused_result));
void input_release(struct input *input); /* safe on a zeroed struct */

/* What the shard `index` of `count` has to score. A packed file (.gz, .zst) cannot
 * be cut: all of it is the last shard's. */
struct input_range input_range(const struct input *input, const char *uri, int64_t index,
                               int64_t count);

/* Reads over the records before the range. ERR_CANCELED when *stop is set. */
int input_seek(struct input *input, struct input_range range, const volatile sig_atomic_t *stop,
               struct err *err) __attribute__((warn_unused_result));

/* For who has not read to the end, where the store would have said it: ERR_GONE
 * (InputChanged) when the file is not the one that was opened. */
int input_check_unchanged(struct store *store, const char *uri, const struct input *input,
                          struct err *err) __attribute__((warn_unused_result));
