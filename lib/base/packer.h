/* packer.h - texts that are kept in memory and seldom read, as a third of their bytes or less.
 *
 * By zstd at its fastest ordinary level: JSON of 5 kB takes about 15 us to pack and 6 us to
 * unpack, a tenth of what parsing it costs. What was packed is for the same process only.
 * A packer holds 240 KiB to work with. Not thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/span.h"

struct packer;

struct packer *packer_new(void) __attribute__((returns_nonnull, warn_unused_result));
void packer_free(struct packer *packer); /* NULL: no effect */

/* Appends `text`, packed. */
void packer_pack(struct packer *packer, struct span text, struct buf *packed);

/* Appends the text that packer_pack() made `packed` of. */
void packer_unpack(struct packer *packer, struct span packed, struct buf *text);
