/* download.h - an object's bytes over HTTP as a stream that survives cuts.
 *
 * The driver has looked at the object first: its size, its generation, its checksum. A
 * download asks for that generation only, from a place on; when the connection is cut or
 * stalls, it asks for the rest. Memory is what one turn of the transport brings (some
 * hundred KiB as a rule, up to 7 MiB from a server on the same machine): while nobody
 * reads, the connection is held back. The checksum is compared
 * at the end of a whole object; a reader has then had all its bytes, and must not believe
 * them before read() has said that they end (RETRY when they do not agree). */
#pragma once

#include "store/checksum.h"
#include "store/remote.h"

/* Copied, but for tls and signer of the question, which the store keeps. */
struct download {
    /* A GET without Range. 404, 412 and 416 mean that the object is of another generation. */
    struct remote_question question;
    uint64_t begin, end; /* of the object, in bytes; end may be UINT64_MAX: as the server ends */
    bool whole;          /* that is all of it */
    enum checksum_kind checksum_kind; /* of all of it */
    char checksum[CHECKSUM_TEXT];
    /* A header that only this generation's answers have with this value, where they have it. */
    struct http_header generation;
    /* Whole objects: it is kept as gzip, and its readers mean what is packed (Content-Encoding).
     * Sizes and checksum are those of the packed bytes, if the answer says that it has them;
     * else the server has unpacked them, which leaves nothing to compare. */
    bool packed;
};

/* Asks nothing before the first read. */
struct store_reader *download_new(struct remote *remote, const struct download *download)
    __attribute__((returns_nonnull, warn_unused_result));

/* The first byte that "bytes 4-7/16" speaks of. Pure; INVALID for any other text. */
int download_parse_content_range(const char *text, uint64_t *ret_first, struct err *err)
    __attribute__((warn_unused_result));
