/* http.h - the real transport: HTTP/1.1 over one curl_multi.
 *
 * Connections are kept and reused, by requests with equal TLS options only (added_ca_file
 * apart).
 * Proxies are those of the options, and a request may have one of its own; none is
 * used for HOST_ANY. What a proxy leads to is guarded by the host that the URL names, its addresses
 * are the proxy's matter: it stands where its owner put it. Transparent
 * decompression is off unless asked for. SIGPIPE must be ignored by the program.
 *
 * A certificate that cannot be verified is ERR_RETRY like any failure of the
 * network: it may be that an authority is being rotated. A client certificate or
 * authority that cannot be read is ERR_INVALID. Messages begin with
 * "<METHOD> <URL without query>: ". */
#pragma once

#include "net/proxy.h"
#include "net/transport.h"

/* Reasons of ERR_RETRY that tell somebody what to change: the peer's certificate is of an authority
 * that is not trusted, or for another host; the peer does not speak TLS. */
#define HTTP_UNTRUSTED "CertificateUntrusted"
#define HTTP_NO_TLS    "NoTLS"

struct guard_peers;

struct http_options {
    const char *user_agent;           /* "churn-operator/0.1 (linux/amd64)" */
    int64_t connect_timeout_ms;       /* 0: 10 s */
    long maximum_connections;         /* kept open when idle; 0: 16 */
    bool accept_compressed;           /* ask for gzip and unpack it */
    struct proxy_environment proxies; /* texts borrowed */
    /* Where PRIVATE exchanges led; borrowed, shared with other transports. NULL: its own. */
    struct guard_peers *private_peers;
};

/* NULL on failure (libcurl without a threaded resolver or TLS is refused). */
struct transport *http_transport_new(const struct http_options *options, struct err *err)
    __attribute__((warn_unused_result));
/* Cancels everything that runs; NULL has no effect. */
void http_transport_free(struct transport *transport);
