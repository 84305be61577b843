/* guard.h - pure: which addresses a user-named host may not resolve to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* This machine, this link, or a cloud's metadata server, by IPv4 or IPv6 (also
 * IPv4 inside IPv6, RFC 4291 2.5.5 and RFC 6052). Other families count as local. */
bool guard_is_local(const struct sockaddr *address);

/* The same for the text of an address ("127.0.0.1", "::1"); what is no address
 * counts as local. */
bool guard_is_local_text(const char *address);

/* Peers that were reached on trust, the newest of them: an address and a port. */
#define GUARD_PEERS 16
struct guard_peers {
    struct guard_peer {
        char address[46]; /* INET6_ADDRSTRLEN */
        int port;
    } items[GUARD_PEERS];
    size_t next; /* place of the next one, round and round */
};
void guard_remember(struct guard_peers *peers, const char *address, int port);
bool guard_remembers(const struct guard_peers *peers, const char *address, int port);
