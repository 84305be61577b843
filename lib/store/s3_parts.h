/* s3_parts.h - what the halves of the s3:// driver share. */
#pragma once

#include "store/store_driver.h"
#include "store/store_s3.h"

/* The metadata that marks a write. */
#define S3_MARK_HEADER "x-amz-meta-churn-write"

struct s3_store {
    struct store base;
    struct s3_bucket *bucket;
};

/* What is known of an object. Texts live in the arena of whoever asked. */
struct s3_head {
    struct store_info info;
    char etag[S3_ETAG];
    const char *crc32c; /* of the whole object, base64; NULL: the server has none */
    const char *mark;   /* of the write that made it; NULL: none */
    bool etag_is_md5;
};

/* The key in a URI of this store. INVALID for one of another bucket, and when it is a folder and
 * should not be, or the other way round. Borrowed from the URI. */
int s3_key(const struct s3_store *store, const char *uri, bool folder, const char **ret_key,
           struct err *err) __attribute__((warn_unused_result));

/* Looks at an object. NOT_FOUND when there is none. */
int s3_look(struct s3_store *store, const char *uri, const char *key, struct arena *arena,
            struct s3_head *ret_head, struct err *err) __attribute__((warn_unused_result));

/* Generations and tags. The second gives "" for a text that is no generation of ours. */
void s3_generation(const char *etag, int64_t updated_ms, char ret_generation[STORE_GENERATION]);
void s3_etag_of(const char *generation, char ret_etag[S3_ETAG]);

/* In quotes, as headers have it. */
const char *s3_quoted(const char *etag, struct arena *arena);

struct store_writer *s3_put(struct store *store, const char *uri, enum store_condition condition,
                            const char *generation, struct err *err)
    __attribute__((warn_unused_result));
