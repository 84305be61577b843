/* store_s3.h - s3:// URIs as a store: Amazon S3 and servers that speak its protocol.
 *
 * A generation is "<entity tag>-<second of the last change>": what is uploaded again is another
 * object even with the same bytes. Reads demand the tag (If-Match), so that a download never mixes
 * two objects. Conditional puts demand it of the server (If-None-Match, If-Match), which must
 * honour them: S3, MinIO, Ceph and SeaweedFS do.
 *
 * Small objects are put at once, larger ones in parts of S3_PART_BYTES, which nobody sees before
 * they are completed, and of which some are sent at a time (senders.h); a writer that is freed
 * before aborts them. Those of a process that was killed stay until a lifecycle rule of the bucket
 * removes them (AbortIncompleteMultipartUpload). Each part is checked by the server: CRC-32C, whose
 * header is signed, and over plain HTTP also SHA-256 in the signature (over TLS it would say
 * nothing more: UNSIGNED-PAYLOAD). A write carries a mark of its own as metadata, by which it
 * recognises itself when the answer to it was lost. */
#pragma once

#include "base/uri.h"
#include "store/s3_client.h"
#include "store/store.h"

/* How large a part is at least but for the last: S3 takes 5 MiB to 5 GiB and 10,000 of them. A
 * writer holds one in memory, and those that are sent. */
#define S3_PART_BYTES ((size_t)6 * 1024 * 1024)

/* The store of the URI's bucket. Settings are read when the first one is opened. */
struct store *store_s3_open(struct stores *stores, const struct uri *uri, struct err *err)
    __attribute__((warn_unused_result));
