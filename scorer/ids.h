/* ids.h - does an id occur twice? For files of any length in flat memory.
 *
 * Ids are taken as 96-bit hashes with their line. IDS_IN_MEMORY of them are
 * sorted in memory; every full batch becomes a sorted run in an unlinked file in
 * $TMPDIR (16 bytes a row), and the runs are merged at the end. That two
 * different ids of ten million have one hash is as likely as 1 : 10^15. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define IDS_IN_MEMORY ((size_t)1 << 17) /* 2 MiB */

struct id_key {
    uint64_t hash;
    uint32_t more_hash;
    uint32_t line; /* UINT32_MAX: a line behind that */
};

struct id_key id_key_of(struct span id, uint64_t line);

/* `folder`: where the scratch file goes, made when it is needed; borrowed. */
struct ids *ids_new(const char *folder) __attribute__((returns_nonnull));
void ids_free(struct ids *ids);
void ids_cleanup(struct ids **ids);
#define auto_ids __attribute__((cleanup(ids_cleanup)))

/* ERR_IO when the scratch file cannot be written. */
int ids_add(struct ids *ids, const struct id_key *keys, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Once, at the end: *ret_found and, of all ids that occur twice, the two lines of
 * the one whose second line comes first. */
int ids_find_duplicate(struct ids *ids, bool *ret_found, uint32_t *ret_first_line,
                       uint32_t *ret_second_line, struct err *err)
    __attribute__((warn_unused_result));
