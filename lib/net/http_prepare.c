#include "net/http_prepare.h"

#include <openssl/ssl.h>
#include <strings.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/uri.h"
#include "net/guard.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    KEEPALIVE_IDLE_S = 30, /* a silent dead peer is noticed within about two minutes */
    KEEPALIVE_INTERVAL_S = 10,
    BULK_OUT_BYTES = 512 * 1024,
    BULK_IN_BYTES = 64 * 1024, /* libcurl reads up to a hundred of them before it asks us */
};

/* Sets an option and keeps the first failure in `code`. */
#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, option, value))

static int check(CURLcode code, struct err *err)
{
    if (code == CURLE_OK)
        return 0;
    return err_set(err, ERR_INTERNAL, "libcurl refuses an option: %s", curl_easy_strerror(code));
}

char *http_describe(const struct http_request *request)
{
    struct url url;
    struct err ignored;

    if (url_parse(request->url, &url, &ignored) < 0)
        return mem_strdup(request->method);
    size_t length =
        request->hide_path ? strlen(request->url) - url.path.length : strcspn(request->url, "?");
    return mem_format("%s %.*s", request->method, (int)length, request->url);
}

void http_lists_release(struct http_lists *lists)
{
    curl_slist_free_all(lists->headers);
    curl_slist_free_all(lists->connect_to);
    free(lists->added_ca_file);
    *lists = (struct http_lists){ 0 };
}

static void append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (!longer)
        mem_exhausted();
    *list = longer;
}

static bool has_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

static int add_header(const char *name, const char *value, struct http_lists *lists,
                      struct err *err)
{
    if (!*name || name[strcspn(name, "\r\n: ")] || value[strcspn(value, "\r\n")])
        return err_set(err, ERR_INVALID, "header %s must be one line", name);
    /* libcurl sends "Name;" as a header without a value */
    auto_free char *line = mem_format(*value ? "%s: %s" : "%s;", name, value);
    append(&lists->headers, line);
    return 0;
}

static int set_headers(CURL *easy, const struct http_request *request, struct http_lists *lists,
                       struct err *err)
{
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < request->header_count; i++)
        if (add_header(request->headers[i].name, request->headers[i].value, lists, err) < 0)
            return -1;
    append(&lists->headers, "Expect:"); /* a body is sent at once: no round trip for 100 */
    if (!has_header(request, "Content-Type"))
        append(&lists->headers, "Content-Type:");
    SET(CURLOPT_HTTPHEADER, lists->headers);
    return check(code, err);
}

static int set_method(CURL *easy, const struct http_request *request, struct err *err)
{
    const char *method = request->method;
    bool sends_body = request->body.length > 0 || strcmp(method, "POST") == 0 ||
                      strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    CURLcode code = CURLE_OK;

    if (!*method || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        return err_set(err, ERR_INVALID, "the method must be upper-case letters");
    if (sends_body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        SET(request->bulk ? CURLOPT_POSTFIELDS : CURLOPT_COPYPOSTFIELDS,
            request->body.length > 0 ? request->body.data : "");
        SET(CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return check(code, err);
}

static struct curl_blob blob_of(const char *text)
{
    return (struct curl_blob){ .data = (void *)(uintptr_t)text,
                               .len = strlen(text),
                               .flags = CURL_BLOB_COPY };
}

/* libcurl trusts either its own list or another one; OpenSSL adds to what is there. */
static CURLcode add_authorities(CURL *easy, void *context, void *file)
{
    (void)easy;
    return SSL_CTX_load_verify_file(context, file) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static int set_tls(CURL *easy, const struct tls_options *tls, struct http_lists *lists,
                   struct err *err)
{
    static const struct tls_options nothing;
    CURLcode code = CURLE_OK;

    tls = tls ? tls : &nothing;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
    if (tls->ca_pem || tls->ca_file)
        SET(CURLOPT_CAPATH, NULL);     /* else the system's authorities are trusted too */
    SET(CURLOPT_CA_CACHE_TIMEOUT, 0L); /* else a rotated ca_file is not seen for a day */
    if (tls->ca_pem) {
        struct curl_blob blob = blob_of(tls->ca_pem);
        SET(CURLOPT_CAINFO_BLOB, &blob);
    } else if (tls->ca_file) {
        SET(CURLOPT_CAINFO, tls->ca_file);
    } else if (tls->added_ca_file) {
        lists->added_ca_file = mem_strdup(tls->added_ca_file);
        SET(CURLOPT_SSL_CTX_FUNCTION, add_authorities);
        SET(CURLOPT_SSL_CTX_DATA, lists->added_ca_file);
    }
    if (tls->certificate_pem) {
        struct curl_blob blob = blob_of(tls->certificate_pem);
        SET(CURLOPT_SSLCERT_BLOB, &blob);
    } else if (tls->certificate_file) {
        SET(CURLOPT_SSLCERT, tls->certificate_file);
    }
    if (tls->key_pem) {
        struct curl_blob blob = blob_of(tls->key_pem);
        SET(CURLOPT_SSLKEY_BLOB, &blob);
    } else if (tls->key_file) {
        SET(CURLOPT_SSLKEY, tls->key_file);
    }
    return check(code, err);
}

static const char *bracket(struct span host, const char *mark)
{
    return memchr(host.data, ':', host.length) ? mark : "";
}

/* Sends and verifies another name than the URL's host, as a kubeconfig's
 * tls-server-name asks for: libcurl takes the name from the URL, so the URL gets
 * that name, CONNECT_TO the real host, and the Host header the real one too. */
static int set_server_name(CURL *easy, const struct url *url, const char *name,
                           const struct http_request *request, struct http_lists *lists,
                           struct err *err)
{
    unsigned port = url->port ? url->port : url->https ? 443 : 80;
    const char *open = bracket(url->host, "["), *shut = bracket(url->host, "]");
    int length = (int)url->host.length;
    auto_free char *host = mem_format("%s%.*s%s", open, length, url->host.data, shut);
    auto_free char *target = mem_format("::%s:%u", host, port);
    auto_free char *renamed =
        mem_format("https://%s:%u%.*s", name, port, (int)url->path.length, url->path.data);
    auto_free char *authority = url->port ? mem_format("%s:%u", host, port) : mem_strdup(host);
    CURLcode code = CURLE_OK;

    if (name[strcspn(name, "/:@?# \t\r\n")])
        return err_set(err, ERR_INVALID, "the TLS server name must be a host name");
    append(&lists->connect_to, target);
    SET(CURLOPT_URL, renamed);
    SET(CURLOPT_CONNECT_TO, lists->connect_to);
    if (!has_header(request, "Host") && add_header("Host", authority, lists, err) < 0)
        return -1;
    return check(code, err);
}

static int set_url(CURL *easy, const struct http_request *request, struct http_lists *lists,
                   struct err *err)
{
    bool may_redirect = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    const char *server_name = request->tls ? request->tls->server_name : NULL;
    CURLcode code = CURLE_OK;
    struct url url;

    if (url_parse(request->url, &url, err) < 0)
        return -1;
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PATH_AS_IS, 1L);
    if (may_redirect && request->maximum_redirects > 0) {
        /* libcurl keeps Authorization and Cookie to the first host, scheme and port */
        SET(CURLOPT_FOLLOWLOCATION, 1L);
        SET(CURLOPT_MAXREDIRS, (long)request->maximum_redirects);
        SET(CURLOPT_REDIR_PROTOCOLS_STR, url.https ? "https" : "http,https");
    }
    SET(CURLOPT_URL, request->url);
    if (check(code, err) < 0)
        return -1;
    if (url.https && server_name && *server_name)
        return set_server_name(easy, &url, server_name, request, lists, err);
    return 0;
}

/* What a user names may not be this machine, its link or the cluster's API, whoever connects to it.
 * A private host is remembered by its name too: behind a proxy its address is not seen. */
static int check_host(const struct http_request *request, const struct http_options *options,
                      bool proxied, struct err *err)
{
    struct url url;
    int port;

    if (request->guard == HOST_ANY || url_parse(request->url, &url, NULL) < 0)
        return 0; /* set_url() says what is wrong with it */
    auto_free char *host = mem_strndup(url.host.data, url.host.length);
    port = (int)(url.port ? url.port : url.https ? 443 : 80);
    if (request->guard == HOST_PRIVATE)
        guard_remember(options->private_peers, host, port);
    else if (proxied &&
             (guard_is_local_host(host) || guard_remembers(options->private_peers, host, port)))
        return err_set(err, ERR_DENIED,
                       "the host is %s, of this machine, link or cluster's API, which is not "
                       "allowed",
                       host);
    return 0;
}

static int set_proxy(CURL *easy, const struct http_request *request,
                     const struct http_options *options, struct http_lists *lists, struct err *err)
{
    const char *proxy = request->proxy;
    CURLcode code = CURLE_OK;

    if (!proxy && request->guard != HOST_ANY)
        proxy = proxy_for(&options->proxies, request->url);
    lists->proxied = proxy && *proxy;
    SET(CURLOPT_PROXY, lists->proxied ? proxy : "");
    SET(CURLOPT_NOPROXY, ""); /* that of the environment has been asked */
    if (check(code, err) < 0 || (lists->proxied && proxy_check(proxy, err) < 0))
        return -1;
    return check_host(request, options, lists->proxied, err);
}

static int set_connection(CURL *easy, const struct http_request *request,
                          const struct http_options *options, struct err *err)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, options->connect_timeout_ms > 0
                                       ? (long)options->connect_timeout_ms
                                       : (long)CONNECT_TIMEOUT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (request->bulk) {
        SET(CURLOPT_BUFFERSIZE, (long)BULK_IN_BYTES);
        SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)BULK_OUT_BYTES);
    }
    if (options->user_agent)
        SET(CURLOPT_USERAGENT, options->user_agent);
    if (options->accept_compressed)
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    return check(code, err);
}

int http_prepare(CURL *easy, const struct http_request *request, const struct http_options *options,
                 struct http_lists *lists, struct err *err)
{
    if (set_connection(easy, request, options, err) < 0 ||
        set_proxy(easy, request, options, lists, err) < 0 ||
        set_url(easy, request, lists, err) < 0 || set_method(easy, request, err) < 0 ||
        set_tls(easy, request->tls, lists, err) < 0)
        return -1;
    return set_headers(easy, request, lists, err);
}
