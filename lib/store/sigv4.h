/* sigv4.h - pure: AWS Signature Version 4 in a request's header
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 *
 * Path and query are signed as they are sent, encoded once, which is S3's way of signing. libcurl
 * can sign too, but does so wrongly for keys with characters like '+' and '='. */
#pragma once

#include "base/buf.h"
#include "net/transport.h" /* struct http_header */

struct sigv4_signer {
    const char *access_key_id, *secret_access_key;
    const char *region, *service;
};

struct sigv4_request {
    const char *method;
    struct span path;  /* begins with '/', percent-encoded */
    struct span query; /* of sigv4_query(); may be empty */
    /* All that are to be signed, in any order: Host, X-Amz-Date ("20150830T123600Z") and, when
     * there is one, X-Amz-Security-Token must be among them. */
    const struct http_header *headers;
    size_t header_count;
    const char *payload; /* SHA-256 of the body in hex, or "UNSIGNED-PAYLOAD" */
};

/* How many headers a request may have that is signed. */
#define SIGV4_HEADERS_MAXIMUM 32

/* Appends decoded parameters as a query, encoded and sorted, for URL and signature alike. At most
 * SIGV4_HEADERS_MAXIMUM. */
void sigv4_query(const struct http_header *parameters, size_t count, struct buf *out);

/* Appends the value of the header Authorization. */
void sigv4_authorization(const struct sigv4_signer *signer, const struct sigv4_request *request,
                         struct buf *out);

/* A wall time as X-Amz-Date. */
#define SIGV4_TIME_TEXT 17
void sigv4_time(int64_t unix_ms, char ret_text[SIGV4_TIME_TEXT]);
