/* s3_address.h - pure: which URL a bucket's object has
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html). */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

struct s3_address {
    const char *endpoint_url; /* NULL: AWS's own of the region; else a URL without '/' at its end */
    const char *region;
    bool virtual_hosts; /* at an endpoint_url: the bucket stands in the host's name */
    bool path_style;    /* at AWS: it does not; nor does it where no certificate could name it */
};

/* Appends the URL. `key` "" is the bucket itself; `query` of sigv4_query(), may be empty. */
void s3_address_url(const struct s3_address *address, const char *bucket, const char *key,
                    struct span query, struct buf *out);

/* The parts of such a URL as they are signed; ret_path and ret_query as sent. */
void s3_address_split(const char *url, struct span *ret_host, struct span *ret_path,
                      struct span *ret_query);
