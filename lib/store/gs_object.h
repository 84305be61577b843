/* gs_object.h - pure: what Google Cloud Storage's JSON API says of objects, and its URLs.
 * https://cloud.google.com/storage/docs/json_api/v1/objects */
#pragma once

#include "base/mem.h"
#include "store/checksum.h"
#include "store/store.h"

/* The members of an object that we ask for. */
#define GS_OBJECT_FIELDS "name,size,generation,timeCreated,crc32c,contentEncoding,metadata"
/* Of each object of a page: an object's metadata may have 8 KiB, and a page has an end. */
#define GS_LISTED_FIELDS "name,size,generation,timeCreated"

/* Custom metadata by which a writer knows its own object again. */
#define GS_WRITER_KEY "churn-writer"

struct gs_object {
    const char *name; /* this and `writer` live in the arena */
    struct store_info info;
    char crc32c[CHECKSUM_TEXT];
    bool is_packed;     /* contentEncoding gzip: readers mean what is in it */
    const char *writer; /* of GS_WRITER_KEY; NULL: none */
};

/* An object resource. Sizes and generations are strings in it. RETRY, as for any answer that a
 * server of Google does not give. */
int gs_object_parse(struct span text, struct arena *arena, struct gs_object *ret_object,
                    struct err *err) __attribute__((warn_unused_result));

/* A page of a listing. Objects and prefixes with U+0000 in their names are left out: an error would
 * let one of them hide all others. */
struct gs_page {
    struct gs_object *objects;
    size_t object_count;
    const char **prefixes; /* with the '/' at their end */
    size_t prefix_count;
    const char *next; /* page token; NULL: the last page */
};
int gs_page_parse(struct span text, struct arena *arena, struct gs_page *ret_page, struct err *err)
    __attribute__((warn_unused_result));

/* "bytes=0-262143" of an upload that goes on: how many bytes are stored; without the header
 * (NULL): none. "bytes=0-0" is none as well: servers store 256 KiB at a time, and an emulator says
 * so of nothing. */
int gs_stored_parse(const char *range, uint64_t *ret_stored, struct err *err)
    __attribute__((warn_unused_result));

/* What $STORAGE_EMULATOR_HOST names, as Google's clients read it: a URL, or HOST:PORT by http.
 * Without '/' at its end; the caller frees. */
char *gs_endpoint_parse(const char *text, struct err *err) __attribute__((warn_unused_result));
