#include "net/guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/span.h"

struct prefix {
    unsigned char bytes[16];
    unsigned bits;
};

static const struct prefix local_ipv4[] = {
    { { 0 }, 8 },                   /* this host, RFC 1122; Linux connects it to loopback */
    { { 127 }, 8 },                 /* loopback */
    { { 169, 254 }, 16 },           /* link-local: metadata servers */
    { { 100, 100, 100, 200 }, 32 }, /* metadata server of Alibaba Cloud */
};

static const struct prefix local_ipv6[] = {
    { { 0 }, 128 },                                                /* unspecified */
    { { [15] = 1 }, 128 },                                         /* loopback */
    { { 0xfe, 0x80 }, 10 },                                        /* link-local */
    { { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, 128 }, /* metadata server of AWS */
    { { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 }, 128 }, /* and of Google Cloud */
};

/* IPv6 prefixes whose last four bytes are an IPv4 address. */
static const struct prefix embedding[] = {
    { { [10] = 0xff, [11] = 0xff }, 96 }, /* IPv4-mapped */
    { { 0 }, 96 },                        /* IPv4-compatible, deprecated */
    { { 0x00, 0x64, 0xff, 0x9b }, 96 },   /* NAT64 */
};

static bool matches(const unsigned char *bytes, const struct prefix *prefix)
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    unsigned mask = rest ? 0xffu << (8 - rest) & 0xffu : 0;

    return memcmp(bytes, prefix->bytes, whole) == 0 &&
           (rest == 0 || ((bytes[whole] ^ prefix->bytes[whole]) & mask) == 0);
}

static bool matches_any(const unsigned char *bytes, const struct prefix *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (matches(bytes, &prefixes[i]))
            return true;
    return false;
}

static bool is_local_ipv4(const unsigned char *bytes)
{
    return matches_any(bytes, local_ipv4, ARRAY_SIZE(local_ipv4));
}

static bool is_local_ipv6(const unsigned char *bytes)
{
    if (matches_any(bytes, local_ipv6, ARRAY_SIZE(local_ipv6)))
        return true;
    return matches_any(bytes, embedding, ARRAY_SIZE(embedding)) && is_local_ipv4(bytes + 12);
}

bool guard_is_local(const struct sockaddr *address)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&ipv4, address, sizeof(ipv4));
        return is_local_ipv4((const unsigned char *)&ipv4.sin_addr);
    case AF_INET6:
        memcpy(&ipv6, address, sizeof(ipv6));
        return is_local_ipv6(ipv6.sin6_addr.s6_addr);
    default:
        return true;
    }
}

bool guard_is_local_text(const char *address)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, address, bytes) == 1)
        return is_local_ipv4(bytes);
    return inet_pton(AF_INET6, address, bytes) != 1 || is_local_ipv6(bytes);
}

/* --- names ------------------------------------------------------------------------ */

/* What a name is, or what begins it. "instance-data" is the metadata server of AWS. */
static const char *const local_names[] = { "localhost", "metadata", "metadata.google.internal",
                                           "instance-data", "instance-data.ec2.internal" };
static const char *const api_names[] = { "kubernetes", "kubernetes.default",
                                         "kubernetes.default.svc" };

static bool is_one_of(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.length == strlen(names[i]) && strncasecmp(name.data, names[i], name.length) == 0)
            return true;
    return false;
}

static bool ends_in(struct span name, const char *end)
{
    size_t length = strlen(end);

    return name.length >= length && strncasecmp(name.data + name.length - length, end, length) == 0;
}

static bool begins_with(struct span name, const char *begin)
{
    return name.length >= strlen(begin) && strncasecmp(name.data, begin, strlen(begin)) == 0;
}

bool guard_is_local_host(const char *host)
{
    struct span name = span_of(host);
    unsigned char bytes[16];
    struct in_addr address;

    if (inet_pton(AF_INET6, host, bytes) == 1)
        return is_local_ipv6(bytes);
    if (inet_aton(host, &address) != 0)
        return is_local_ipv4((const unsigned char *)&address);
    if (name.length > 0 && name.data[name.length - 1] == '.')
        name.length--;
    return is_one_of(name, local_names, ARRAY_SIZE(local_names)) || ends_in(name, ".localhost") ||
           is_one_of(name, api_names, ARRAY_SIZE(api_names)) ||
           begins_with(name, "kubernetes.default.svc.");
}

/* --- peers ------------------------------------------------------------------------ */

static bool has(const struct guard_peers *peers, const char *host, int port)
{
    for (size_t i = 0; i < GUARD_PEERS; i++)
        if (peers->items[i].port == port && strcasecmp(peers->items[i].host, host) == 0)
            return true;
    return false;
}

bool guard_remembers(struct guard_peers *peers, const char *host, int port)
{
    pthread_mutex_lock(&peers->mutex);
    bool found = has(peers, host, port);
    pthread_mutex_unlock(&peers->mutex);
    return found;
}

void guard_remember(struct guard_peers *peers, const char *host, int port)
{
    pthread_mutex_lock(&peers->mutex);
    if (!has(peers, host, port)) {
        struct guard_peer *peer = &peers->items[peers->next];

        snprintf(peer->host, sizeof(peer->host), "%s", host);
        peer->port = port;
        peers->next = (peers->next + 1) % GUARD_PEERS;
    }
    pthread_mutex_unlock(&peers->mutex);
}
