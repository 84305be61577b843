/* gs_writer.h - what the two halves of writing to gs:// share: uploads and composing. */
#pragma once

#include "store/gs_parts.h"

/* An object that is to become a part of another one. */
struct gs_piece {
    char *name;
    char generation[STORE_GENERATION];
    uint32_t crc32c;
    uint64_t bytes;
    bool is_ours; /* made for this only, and removed in the end */
};

struct gs_writer {
    struct store_writer base;
    struct gs_store *store;
    char *uri;
    const char *name; /* in `uri` */
    char *condition;  /* "&ifGenerationMatch=0", or "" */
    enum store_condition kind;
    char id[33];       /* under GS_WRITER_KEY of what we make */
    struct buf buffer; /* appended, and not yet stored by the server */
    uint32_t crc32c;   /* of all that was appended since the begin, or the last piece */
    uint64_t bytes;
    /* A resumable upload. */
    char *session; /* URL; NULL: not begun */
    uint64_t stored;
    /* Composing. */
    bool composes;
    struct gs_piece *pieces;
    size_t piece_count;
};

/* Puts the buffer as an object of this name, in one request. */
int gs_upload(struct gs_writer *self, const char *name, const char *condition,
              struct gs_object *ret_object, struct arena *arena, struct err *err)
    __attribute__((warn_unused_result));

/* What a 412 of the final name means: *ret_object is ours, of an attempt whose answer was lost;
 * else EXISTS or CONFLICT. */
int gs_meet_refusal(struct gs_writer *self, unsigned attempts, struct arena *arena,
                    struct gs_object *ret_object, struct err *err)
    __attribute__((warn_unused_result));

/* Compares what the server has with what it should; removes it and fails when they differ. */
int gs_verify(struct gs_writer *self, const char *name, const struct gs_object *object,
              uint32_t crc32c, uint64_t bytes, struct err *err) __attribute__((warn_unused_result));

/* "text/csv" for "a.csv". */
const char *gs_content_type(const char *name) __attribute__((returns_nonnull));

/* --- gs_compose.c ------------------------------------------------------------------- */

/* The buffer becomes a piece. */
int gs_flush_piece(struct gs_writer *self, struct err *err) __attribute__((warn_unused_result));

int gs_append_object(struct store_writer *writer, const char *uri, const char *generation,
                     struct err *err) __attribute__((warn_unused_result));

/* Makes the object of its pieces. */
int gs_compose(struct gs_writer *self, struct arena *arena, struct gs_object *ret_object,
               struct err *err) __attribute__((warn_unused_result));

/* Removes the pieces that are ours, as far as that works, and forgets all. */
void gs_drop_pieces(struct gs_writer *self);
