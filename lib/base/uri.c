#include "base/uri.h"

#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"

#define QUOTED_MAXIMUM 128 /* how much of an offending text a message shows */

static int bad_uri(const char *text, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "URI \"%.*s\" %s", QUOTED_MAXIMUM, text, why);
}

/* Splits "scheme://rest". */
static bool split_scheme(const char *text, struct span *ret_scheme, struct span *ret_rest)
{
    const char *separator = strstr(text, "://");

    if (!separator)
        return false;
    *ret_scheme = (struct span){ text, (size_t)(separator - text) };
    *ret_rest = span_of(separator + 3);
    return true;
}

static bool scheme_is_accepted(struct span scheme, const char *const *schemes)
{
    for (; *schemes; schemes++) {
        if (span_equals(scheme, *schemes))
            return true;
    }
    return false;
}

static int refuse_scheme(const char *text, const char *const *schemes, struct err *err)
{
    auto_buf struct buf accepted = { 0 };

    buf_init(&accepted, 128);
    for (size_t i = 0; schemes[i]; i++)
        buf_format(&accepted, "%s%s://", i > 0 ? " or " : "", schemes[i]);
    return err_set(err, ERR_INVALID, "URI \"%.*s\" must begin with %s", QUOTED_MAXIMUM, text,
                   buf_text(&accepted));
}

/* What both kinds of stores accept in a bucket's name. */
static bool is_bucket(struct span name)
{
    if (name.length < 3 || name.length > 222)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool inner = i > 0 && i < name.length - 1;

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (inner && (c == '-' || c == '.' || c == '_'))))
            return false;
    }
    return true;
}

/* `path` without its leading '/'. The last segment is empty for a folder. */
static const char *problem_of_path(struct span path)
{
    size_t start = 0;

    if (utf8_valid_prefix(path.data, path.length) != path.length)
        return "is not UTF-8";
    for (size_t i = 0; i <= path.length; i++) {
        if (i < path.length && path.data[i] != '/') {
            if ((unsigned char)path.data[i] < 0x20 || path.data[i] == 0x7F)
                return "contains a control character";
            continue;
        }
        struct span segment = { path.data + start, i - start };

        if (segment.length == 0 && i < path.length)
            return "contains an empty path segment (\"//\")";
        if (span_equals(segment, ".") || span_equals(segment, ".."))
            return "contains \".\" or \"..\" as a path segment";
        start = i + 1;
    }
    return NULL;
}

int uri_parse(const char *text, const char *const *schemes, struct uri *ret_uri, struct err *err)
{
    struct uri uri = { 0 };
    struct span rest;

    if (strlen(text) > LIMIT_URI)
        return err_set(err, ERR_TOO_BIG, "a URI is longer than %d bytes", LIMIT_URI);
    if (!split_scheme(text, &uri.scheme, &rest) || !scheme_is_accepted(uri.scheme, schemes))
        return refuse_scheme(text, schemes, err);
    const char *slash = memchr(rest.data, '/', rest.length);
    bool is_file = span_equals(uri.scheme, "file");

    uri.authority = (struct span){ rest.data, slash ? (size_t)(slash - rest.data) : rest.length };
    if (is_file && (uri.authority.length > 0 || !slash))
        return bad_uri(
            text, "must have three slashes and an absolute path, like file:///data/x.csv", err);
    if (!is_file && !is_bucket(uri.authority))
        return bad_uri(text, "must name a bucket after the scheme", err);
    if (!slash)
        return bad_uri(text, "must have a path after the bucket", err);
    struct span path = span_of(slash + 1);
    const char *problem = problem_of_path(path);

    if (problem)
        return bad_uri(text, problem, err);
    uri.path = is_file ? span_of(slash) : path;
    uri.is_folder = text[strlen(text) - 1] == '/';
    *ret_uri = uri;
    return 0;
}

bool uri_is_folder(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && text[length - 1] == '/';
}

void uri_encode(struct buf *out, struct span text, bool keep_slash)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';

        if (unreserved || (keep_slash && c == '/'))
            buf_char(out, c);
        else
            buf_format(out, "%%%02X", (unsigned char)c);
    }
}

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    character = (char)(character | 0x20);
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

bool uri_form_decode(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        if (c == '%') {
            int high = text.length - i > 2 ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;

            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        buf_char(out, c);
    }
    return true;
}

/* --- URLs ----------------------------------------------------------------- */

static bool is_host_character(char c, bool bracketed)
{
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    return alphanumeric || c == '.' || (bracketed ? c == ':' : c == '-' || c == '_');
}

static bool split_port(struct span authority, struct span *ret_host, struct span *ret_port)
{
    const char *data = authority.data, *end = data + authority.length, *host_end;
    bool bracketed = authority.length > 0 && data[0] == '[';

    if (bracketed) {
        host_end = memchr(data, ']', authority.length);
        if (!host_end)
            return false;
        *ret_host = (struct span){ data + 1, (size_t)(host_end - data) - 1 };
        host_end++;
    } else {
        host_end = memchr(data, ':', authority.length);
        host_end = host_end ? host_end : end;
        *ret_host = (struct span){ data, (size_t)(host_end - data) };
    }
    if (host_end < end && *host_end != ':')
        return false;
    *ret_port = host_end < end ? (struct span){ host_end + 1, (size_t)(end - host_end) - 1 }
                               : (struct span){ NULL, 0 };
    for (size_t i = 0; i < ret_host->length; i++) {
        if (!is_host_character(ret_host->data[i], bracketed))
            return false;
    }
    return ret_host->length > 0 && (host_end == end || ret_port->length > 0);
}

static bool is_url_path(struct span path)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.data[i];

        if (c <= 0x20 || c >= 0x7F || c == '#')
            return false;
    }
    return path.length == 0 || path.data[0] == '/';
}

/* The text is not quoted: a URL may carry a password or a signature. */
int url_parse(const char *text, struct url *ret_url, struct err *err)
{
    struct span scheme, rest, port;
    struct url url = { 0 };
    int64_t number = 0;

    if (strlen(text) > LIMIT_URL)
        return err_set(err, ERR_TOO_BIG, "a URL is longer than %zu bytes", LIMIT_URL);
    if (!split_scheme(text, &scheme, &rest) ||
        (!span_equals(scheme, "http") && !span_equals(scheme, "https")))
        return err_set(err, ERR_INVALID, "a URL must begin with http:// or https://");
    size_t authority_length = strcspn(rest.data, "/?#");
    struct span authority = { rest.data, authority_length };

    if (memchr(authority.data, '@', authority.length))
        return err_set(err, ERR_INVALID, "a URL must not contain user information");
    if (!split_port(authority, &url.host, &port))
        return err_set(err, ERR_INVALID,
                       "a URL must have a host and may have a port: "
                       "https://host:443/path");
    if (port.length > 0 && num_int64(port, 1, 65535, &number, err))
        return err_wrap(err, "port of a URL");
    url.https = span_equals(scheme, "https");
    url.port = (unsigned)number;
    url.path = (struct span){ rest.data + authority_length, rest.length - authority_length };
    if (!is_url_path(url.path))
        return err_set(err, ERR_INVALID,
                       "a URL's path must begin with '/' and hold no blanks, "
                       "control characters or fragment");
    *ret_url = url;
    return 0;
}
