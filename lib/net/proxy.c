#include "net/proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"
#include "base/uri.h"

static bool is_set(const char *text)
{
    return text && *text;
}

struct variables {
    const char *(*get)(void *context, const char *name);
    void *context;
};

static const char *either(const struct variables *variables, const char *name, const char *other)
{
    const char *value = variables->get(variables->context, name);

    return is_set(value) ? value : variables->get(variables->context, other);
}

struct proxy_environment proxy_environment_read(const char *(*get)(void *context, const char *name),
                                                void *context)
{
    const struct variables variables = { get, context };

    return (struct proxy_environment){
        .http_proxy = either(&variables, "HTTP_PROXY", "http_proxy"),
        .https_proxy = either(&variables, "HTTPS_PROXY", "https_proxy"),
        .no_proxy = either(&variables, "NO_PROXY", "no_proxy"),
    };
}

/* An address as bytes: 4 of IPv4, 16 of IPv6; 0: it is none. */
static size_t parse_address(struct span text, unsigned char ret_bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    if (text.length >= sizeof(copy))
        return 0;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (inet_pton(AF_INET, copy, ret_bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, ret_bytes) == 1 ? 16 : 0;
}

static bool have_same_bits(const unsigned char *left, const unsigned char *right, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(left, right, whole) == 0 &&
           (rest == 0 || ((left[whole] ^ right[whole]) >> (8 - rest)) == 0);
}

/* "10.0.0.0/8" */
static bool is_in_range(struct span host, struct span range, const char *slash)
{
    unsigned char address[16], base[16];
    struct span bits_text = { slash + 1, (size_t)(range.data + range.length - slash) - 1 };
    size_t size = parse_address(host, address);
    int64_t bits;

    return size > 0 &&
           parse_address((struct span){ range.data, (size_t)(slash - range.data) }, base) == size &&
           num_int64(bits_text, 0, (int64_t)(8 * size), &bits, NULL) == 0 &&
           have_same_bits(address, base, (unsigned)bits);
}

static bool equals(struct span left, struct span right)
{
    return left.length == right.length && strncasecmp(left.data, right.data, left.length) == 0;
}

/* The name itself, or one below it. */
static bool is_name_below(struct span host, struct span name)
{
    if (name.length > 0 && *name.data == '.')
        name = (struct span){ name.data + 1, name.length - 1 };
    if (name.length == 0 || host.length < name.length)
        return false;
    struct span end = { host.data + host.length - name.length, name.length };
    return equals(end, name) && (host.length == name.length || end.data[-1] == '.');
}

/* Takes ":port" off an entry; false when it is another port than that of the URL. */
static bool has_port(struct span *entry, unsigned port)
{
    const char *open = memchr(entry->data, '[', entry->length);
    const char *shut = memchr(entry->data, ']', entry->length);
    const char *from = shut ? shut : entry->data;
    const char *colon = memchr(from, ':', (size_t)(entry->data + entry->length - from));
    const char *last = memrchr(from, ':', (size_t)(entry->data + entry->length - from));
    int64_t wanted;

    if (colon && colon == last) { /* more than one: an address of IPv6 */
        struct span digits = { colon + 1, (size_t)(entry->data + entry->length - colon) - 1 };

        if (num_int64(digits, 1, 65535, &wanted, NULL) < 0 || wanted != port)
            return false;
        entry->length = (size_t)(colon - entry->data);
    }
    if (open && shut)
        *entry = (struct span){ open + 1, (size_t)(shut - open) - 1 };
    return true;
}

static bool is_excepted(struct span entry, struct span host, unsigned port)
{
    unsigned char address[16], wanted[16];
    const char *slash = memchr(entry.data, '/', entry.length);

    if (entry.length == 1 && *entry.data == '*')
        return true;
    if (slash)
        return is_in_range(host, entry, slash);
    if (!has_port(&entry, port))
        return false;
    size_t size = parse_address(host, address);
    if (size > 0)
        return parse_address(entry, wanted) == size && memcmp(address, wanted, size) == 0;
    return is_name_below(host, entry);
}

bool proxy_is_loopback(struct span host)
{
    unsigned char address[16];
    static const unsigned char one[16] = { [15] = 1 };
    size_t size = parse_address(host, address);

    return equals(host, span_of("localhost")) || (size == 4 && address[0] == 127) ||
           (size == 16 && memcmp(address, one, sizeof(one)) == 0);
}

const char *proxy_for(const struct proxy_environment *environment, const char *url_text)
{
    const char *at = environment->no_proxy ? environment->no_proxy : "";
    struct url url;
    const char *proxy;

    if (url_parse(url_text, &url, NULL) < 0)
        return NULL;
    proxy = url.https ? environment->https_proxy : environment->http_proxy;
    unsigned port = url.port ? url.port : url.https ? 443 : 80;
    if (!is_set(proxy) || proxy_is_loopback(url.host))
        return NULL;
    while (*at) {
        size_t length = strcspn(at, ",");
        struct span entry = span_trim((struct span){ at, length });

        if (entry.length > 0 && is_excepted(entry, url.host, port))
            return NULL;
        at += length + (at[length] == ',');
    }
    return proxy;
}

int proxy_check(const char *proxy, struct err *err)
{
    static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
    const char *rest = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(proxy, schemes[i], strlen(schemes[i])) == 0)
            rest = proxy + strlen(schemes[i]);
    if (!rest)
        return err_set(err, ERR_INVALID, "a proxy must be a URL of http, https, socks5 or socks5h");
    size_t length = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', length);
    const char *host = at ? at + 1 : rest;
    if (host == rest + length || rest[strcspn(rest, " \t\r\n")])
        return err_set(err, ERR_INVALID, "a proxy must have a host: http://HOST:PORT");
    return 0;
}
