/* http_prepare.h - private to http.c: a request as options of a curl handle. */
#pragma once

#include <curl/curl.h>

#include "net/http.h"

/* For messages: without the query, which may hold a secret, and without a URL that is refused,
 * which may hold a password. The caller frees. */
char *http_describe(const struct http_request *request) __attribute__((returns_nonnull));

/* What a handle borrows while it is used. */
struct http_lists {
    struct curl_slist *headers, *connect_to;
    char *added_ca_file;
    bool proxied; /* the peer is a proxy */
};
void http_lists_release(struct http_lists *lists); /* safe on a zeroed struct */

/* Sets everything but callbacks; the request is not needed afterwards. On
 * failure (INVALID: URL, header, TLS options) *lists may hold something too. */
int http_prepare(CURL *easy, const struct http_request *request, const struct http_options *options,
                 struct http_lists *lists, struct err *err) __attribute__((warn_unused_result));
