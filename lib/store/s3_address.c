#include "store/s3_address.h"

#include "base/uri.h"

/* "https://", host without a port that goes without saying, path. */
struct base {
    const char *scheme;
    struct span host;
    bool bracketed; /* an IPv6 address */
    unsigned port;  /* 0: the scheme's */
    struct span path;
};

static struct base split_endpoint(const char *endpoint_url)
{
    struct base base = { 0 };
    struct url url;
    struct err ignored;

    if (url_parse(endpoint_url, &url, &ignored) < 0) /* was checked when it was read */
        return base;
    base.scheme = url.https ? "https" : "http";
    base.host = url.host;
    base.bracketed = memchr(url.host.data, ':', url.host.length) != NULL;
    base.port = url.port == (url.https ? 443 : 80) ? 0 : url.port;
    base.path = url.path;
    return base;
}

static void append_span(struct buf *out, struct span text)
{
    buf_append(out, text.data, text.length);
}

/* Returns whether the bucket is in the host's name. */
static bool append_endpoint(const struct s3_address *address, const char *bucket, struct buf *out)
{
    struct base base = split_endpoint(address->endpoint_url);
    bool named = address->virtual_hosts && !base.bracketed;

    buf_format(out, "%s://%s%s%s", base.scheme, named ? bucket : "", named ? "." : "",
               base.bracketed ? "[" : "");
    append_span(out, base.host);
    buf_string(out, base.bracketed ? "]" : "");
    if (base.port)
        buf_format(out, ":%u", base.port);
    append_span(out, base.path);
    return named;
}

static bool append_aws(const struct s3_address *address, const char *bucket, struct buf *out)
{
    bool named = !address->path_style && !strpbrk(bucket, "._");

    buf_format(out, "https://%s%ss3.%s.amazonaws.com%s", named ? bucket : "", named ? "." : "",
               address->region, strncmp(address->region, "cn-", 3) == 0 ? ".cn" : "");
    return named;
}

void s3_address_url(const struct s3_address *address, const char *bucket, const char *key,
                    struct span query, struct buf *out)
{
    bool named = address->endpoint_url ? append_endpoint(address, bucket, out)
                                       : append_aws(address, bucket, out);

    if (!named)
        buf_format(out, "/%s", bucket);
    if (named || *key)
        buf_char(out, '/');
    uri_encode(out, span_of(key), true);
    if (query.length > 0)
        buf_char(out, '?');
    append_span(out, query);
}

void s3_address_split(const char *url, struct span *ret_host, struct span *ret_path,
                      struct span *ret_query)
{
    const char *host = strstr(url, "://") + 3, *path = host + strcspn(host, "/?");
    size_t length = strcspn(path, "?");

    *ret_host = (struct span){ host, (size_t)(path - host) };
    *ret_path = length > 0 ? (struct span){ path, length } : span_of("/");
    *ret_query = span_of(path[length] ? path + length + 1 : path + length);
}
