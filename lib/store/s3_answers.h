/* s3_answers.h - pure: the XML that S3 answers with
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/). Texts live in the arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

/* An entity tag as S3 has them, without quotes: 32 hex digits, "-" and a count for objects of
 * parts; other servers have other short texts. */
#define S3_ETAG 72

struct s3_object {
    const char *key;
    char etag[S3_ETAG]; /* "": of a folder that a server keeps as an object */
    int64_t bytes;
    int64_t updated_ms; /* since 1970 */
};

/* One page of ListObjectsV2. */
struct s3_page {
    struct s3_object *objects;
    size_t object_count;
    const char **prefixes; /* of keys with a delimiter behind the prefix asked for */
    size_t prefix_count;
    const char *next; /* token of the next page; NULL: this is the last */
};

/* Keys are decoded when the answer says that they are encoded. ERR_INVALID for an answer without
 * what a page must have, and for more entries than a page can have. */
int s3_read_page(struct span body, const char *what, struct arena *arena, struct s3_page *ret_page,
                 struct err *err) __attribute__((warn_unused_result));

/* What an error's body says; NULL for what it does not. False when it is no such body. */
struct s3_problem {
    const char *code, *message, *region;
};
bool s3_read_problem(struct span body, struct arena *arena, struct s3_problem *ret_problem);

/* The text of the first element at `path` ("InitiateMultipartUploadResult/UploadId"), NULL: there
 * is none, or the body is no XML. */
const char *s3_read_text(struct span body, const char *path, struct arena *arena);

/* An entity tag from a header or element without its quotes, also those of a weak one. ERR_INVALID
 * when it is empty, longer than S3_ETAG or not printable. */
int s3_read_etag(struct span text, char ret_etag[S3_ETAG], struct err *err)
    __attribute__((warn_unused_result));
