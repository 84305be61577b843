/* proxy.h - pure: through which proxy a URL is reached, as curl, Go and most others read it from
 * the environment.
 *
 * NO_PROXY is a list with ',' between: "*", a host name or ".domain" (both mean the name and all
 * below it), an address, a range of addresses ("10.0.0.0/8", "fd00::/8"); each but a range may end
 * in
 * ":port". Loopback is always reached directly. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

/* Texts of the environment; NULL or "": not set. */
struct proxy_environment {
    const char *http_proxy, *https_proxy; /* URLs, by the scheme of what is asked for */
    const char *no_proxy;
};

/* $HTTP_PROXY, $HTTPS_PROXY and $NO_PROXY, or the same in small letters; `get` answers as getenv()
 * does, and its texts are borrowed. */
struct proxy_environment proxy_environment_read(const char *(*get)(void *context, const char *name),
                                                void *context);

/* The proxy for a URL, borrowed; NULL: none. What is no URL of ours has none. */
const char *proxy_for(const struct proxy_environment *environment, const char *url);

/* localhost, 127.0.0.0/8 or ::1, as uri.h gives the host of a URL. */
bool proxy_is_loopback(struct span host);

/* http://, https://, socks5:// or socks5h://, then HOST[:PORT], user and password before it if need
 * be. The message does not quote the password. */
int proxy_check(const char *proxy, struct err *err) __attribute__((warn_unused_result));
