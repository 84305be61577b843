/* uri.h - parsing and checking of URIs (RFC 3986 subset) and HTTP URLs. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* file:///path, gs://bucket/key, s3://bucket/key. All members are views of
 * the text that was parsed. Paths contain no "." or ".." segments, no empty
 * segments, no control characters, and are not percent-decoded: what is written
 * is the name. */
struct uri {
    struct span scheme;    /* "file", "gs", "s3" */
    struct span authority; /* bucket; empty for file */
    struct span path;      /* file: absolute path; else the key without leading '/' */
    bool is_folder;        /* ends in '/' */
};

/* `schemes`: NULL-terminated list of what is accepted. ERR_INVALID otherwise;
 * the message names the text and what was expected. */
int uri_parse(const char *text, const char *const *schemes, struct uri *ret_uri, struct err *err)
    __attribute__((warn_unused_result));

/* A URI that ends in '/', without looking at the rest. */
bool uri_is_folder(const char *text);

/* Appends `text` with all but unreserved characters percent-encoded; '/' is
 * kept when keep_slash. */
void uri_encode(struct buf *out, struct span text, bool keep_slash);

/* Appends `text` decoded as forms and queries write it: '+' is a blank. False: a '%' without two
 * digits, or a NUL. */
bool uri_form_decode(struct buf *out, struct span text) __attribute__((warn_unused_result));

/* http:// or https:// URL, split; port 0 when not written; host without the
 * brackets of an IPv6 address; path begins with '/' or is empty; user
 * information and fragments are refused. */
struct url {
    bool https;
    struct span host;
    unsigned port;
    struct span path; /* with query */
};
int url_parse(const char *text, struct url *ret_url, struct err *err)
    __attribute__((warn_unused_result));
