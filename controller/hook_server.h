/* hook_server.h - the listener of pushes, on a thread of its own.
 *
 * The thread speaks HTTP and nothing else: each request goes to the loop, which asks hooks.h, and
 * the answer comes back. Plain HTTP: the certificate that Google's and Amazon's services
 * want to see is that of the Ingress or load balancer before it, which also renews it. Limits
 * are those of limits.h for pushes. */
#pragma once

#include "hooks.h"

struct hook_server;

/* Listens at "HOST:PORT" (telemetry.h). `transport` is woken when a request is there; `hooks`
 * answers it. NULL: ERR_INVALID for another address, else why
 * listening failed. */
struct hook_server *hook_server_new(const char *address, struct transport *transport,
                                    struct hooks *hooks, struct err *err)
    __attribute__((warn_unused_result));
/* To be called after hooks_free(), which answers what waits. NULL: no effect. */
void hook_server_free(struct hook_server *server);
unsigned hook_server_port(const struct hook_server *server);

/* Hands over what has come: call after every transport_run(). */
void hook_server_poll(struct hook_server *server);
