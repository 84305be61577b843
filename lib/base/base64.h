/* base64.h - base64 with the standard alphabet and padding (RFC 4648, section 4), and the URL-safe
 * one of tokens (section 5). */
#pragma once

#include "base/buf.h"
#include "base/span.h"

/* Appends the encoded bytes, on one line. */
void base64_encode(struct buf *out, struct span bytes);

/* Appends the decoded bytes. Line breaks and blanks in the text are skipped, as people fold
 * long values; padding must be right. ERR_INVALID otherwise, never quoting the text. */
int base64_decode(struct buf *out, struct span text, struct err *err)
    __attribute__((warn_unused_result));

/* The same for the alphabet of URLs without padding, as tokens have it (RFC 7515, section 2):
 * nothing is skipped, and of all texts that could mean some bytes only one is accepted. */
int base64url_decode(struct buf *out, struct span text, struct err *err)
    __attribute__((warn_unused_result));
