/* guard.h - which addresses a user-named host may not resolve to. No I/O. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* This machine, this link, or a cloud's metadata server, by IPv4 or IPv6 (also
 * IPv4 inside IPv6, RFC 4291 2.5.5 and RFC 6052). Other families count as local. */
bool guard_is_local(const struct sockaddr *address);

/* The same for the text of an address ("127.0.0.1", "::1"); what is no address
 * counts as local. */
bool guard_is_local_text(const char *address);

/* Whether the host of a URL says so by itself, before anybody resolves it: such an address in any
 * way that resolvers read ("127.1"), or a name that means this machine, a metadata server or the
 * cluster's API everywhere ("localhost", "kubernetes.default.svc"). For hosts that a proxy
 * resolves.
 */
bool guard_is_local_host(const char *host);

/* Peers that were reached on trust, the newest of them: an address or a host name, and a port.
 * Transports of several threads may share them. */
#define GUARD_PEERS 16
struct guard_peers {
    pthread_mutex_t mutex;
    struct guard_peer {
        char host[254];
        int port;
    } items[GUARD_PEERS];
    size_t next; /* place of the next one, round and round */
};
#define GUARD_PEERS_INIT                                                                           \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }
void guard_remember(struct guard_peers *peers, const char *host, int port);
bool guard_remembers(struct guard_peers *peers, const char *host, int port);
