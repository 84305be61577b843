/* s3_client.h - asking S3 and servers like it: addresses, signatures, what they answer.
 *
 * A client has the settings and keys that all S3 stores of a process share; a bucket is what one
 * store asks. Both may be shared by threads.
 *
 * Errors say what was asked for, the server's own code and message, and for 403 which right is
 * missing. At AWS a bucket's region is learnt when it is another one than was said. */
#pragma once

#include "store/aws_credentials.h"
#include "store/s3_answers.h"

struct s3_client;

/* Reads settings, asks nothing. The remote is borrowed. */
struct s3_client *s3_client_new(struct remote *remote, struct err *err)
    __attribute__((warn_unused_result));
void s3_client_free(struct s3_client *client); /* NULL: no effect */

/* `name` is copied, the client borrowed. */
struct s3_bucket *s3_bucket_new(struct s3_client *client, struct span name)
    __attribute__((returns_nonnull, warn_unused_result));
void s3_bucket_free(struct s3_bucket *bucket); /* NULL: no effect */
const char *s3_bucket_name(const struct s3_bucket *bucket) __attribute__((returns_nonnull));
struct remote *s3_bucket_remote(const struct s3_bucket *bucket) __attribute__((returns_nonnull));

/* All borrowed until the answer is there. */
struct s3_question {
    const char *what;         /* begins messages: "s3://bank/weekly/w7.csv" */
    const char *right;        /* "s3:GetObject" */
    const char *method, *key; /* key "": the bucket itself */
    const struct http_header *parameters, *headers;
    size_t parameter_count, header_count;
    struct span body;
    int64_t timeout_ms, patience_ms; /* as remote.h has them */
    bool farewell;                   /* the same */
};

/* Asks until there is an answer that asking again would not change (remote.h), also where S3 says
 * so with another status or in the body of a 200: then the answer has the status that it should
 * have had. */
int s3_ask(struct s3_bucket *bucket, const struct s3_question *question,
           struct remote_answer *ret_answer, struct err *err) __attribute__((warn_unused_result));

/* Says that the answer is a failure, as remote_fail() does, with NOT_FOUND for 404. Returns -1. */
int s3_fail(const struct s3_question *question, const struct remote_answer *answer,
            struct err *err);

/* The question as remote.h asks it, for download.h; its texts live in the arena, its signer and
 * trust in the bucket. TOO_BIG: what the server itself gave (a page's token, an upload's id) makes
 * a URL longer than LIMIT_URL. */
int s3_remote_question(struct s3_bucket *bucket, const struct s3_question *question,
                       struct arena *arena, struct remote_question *ret_question, struct err *err)
    __attribute__((warn_unused_result));
