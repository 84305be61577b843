#include "net/transport.h"

#include <curl/curl.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/num.h"

struct http_call *transport_start(struct transport *transport, const struct http_request *request,
                                  const struct http_handler *handler, void *context)
{
    return transport->port->start(transport, request, handler, context);
}

void transport_cancel(struct transport *transport, struct http_call *call)
{
    if (call)
        transport->port->cancel(transport, call);
}

void transport_run(struct transport *transport, int64_t wait_ms)
{
    transport->port->run(transport, wait_ms);
}

void transport_wake(struct transport *transport)
{
    transport->port->wake(transport);
}

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 422, "Unprocessable Content" },
        { 425, "Too Early" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->header_count; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

int http_date(const char *text, int64_t *ret_unix_ms, struct err *err)
{
    time_t seconds = curl_getdate(text, NULL);

    if (seconds < 0)
        return err_set(err, ERR_INVALID, "\"%.64s\" is not a date", text);
    *ret_unix_ms = (int64_t)seconds * 1000;
    return 0;
}

static enum err_kind kind_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
    case 412:
        return ERR_CONFLICT;
    case 410:
        return ERR_GONE;
    case 413:
        return ERR_TOO_BIG;
    case 408:
    case 425:
    case 429:
        return ERR_RETRY;
    default:
        return status >= 500 ? ERR_RETRY : ERR_INVALID;
    }
}

/* Seconds, or a date (RFC 9110, 10.2.3), which is compared with the answer's own
 * Date, so that our clock does not matter. 0: none. At most an hour. */
static unsigned retry_after_ms(const struct http_reply *reply)
{
    const char *text = http_reply_header(reply, "Retry-After");
    const char *date = http_reply_header(reply, "Date");
    const int64_t maximum_s = 3600;
    int64_t seconds = 0;
    struct err ignored;

    if (!text)
        return 0;
    if (num_int64(span_of(text), 0, INT64_MAX, &seconds, &ignored) < 0 && date) {
        time_t until = curl_getdate(text, NULL), now = curl_getdate(date, NULL);

        seconds = until > now && now >= 0 ? until - now : 0;
    }
    return (unsigned)(seconds < maximum_s ? seconds : maximum_s) * 1000;
}

/* What the server says about the failure, in the shapes that Kubernetes
 * (Status), registries (errors[]), Google (error.message) and OAuth 2.0
 * (error_description) use; NULL when it says nothing in them. */
static char *explanation_in_json(const json_t *body)
{
    const json_t *first = json_array_get(jx_get(body, "errors", NULL), 0);
    const char *code = jx_string(first, "code", NULL);
    const char *texts[] = {
        jx_string(first, "message", NULL),         jx_string(body, "message", NULL),
        jx_string(body, "error", "message", NULL), jx_string(body, "error_description", NULL),
        jx_string(body, "details", NULL),          jx_string(body, "error", NULL),
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i] && *texts[i])
            return mem_format("%s%s%s", i == 0 && code ? code : "", i == 0 && code ? ": " : "",
                              texts[i]);
    return code ? mem_strdup(code) : NULL;
}

/* The text of the first element of that name, as it stands; empty when there is none. */
static struct span element_text(struct span body, const char *name)
{
    auto_free char *tag = mem_format("<%s>", name);
    const char *begin = memmem(body.data, body.length, tag, strlen(tag));
    const char *end = body.data + body.length, *stop;

    if (!begin)
        return (struct span){ 0 };
    begin += strlen(tag);
    stop = memchr(begin, '<', (size_t)(end - begin));
    return (struct span){ begin, stop ? (size_t)(stop - begin) : 0 };
}

/* Code and message of S3 and its kind, for a message: entities stay as they are. */
static char *explanation_in_xml(struct span body)
{
    struct span code = element_text(body, "Code"), text = element_text(body, "Message");
    const int longest = 256;

    if (code.length == 0 || code.length > 64)
        return NULL;
    return mem_format("%.*s%s%.*s", (int)code.length, code.data, text.length > 0 ? ": " : "",
                      text.length < (size_t)longest ? (int)text.length : longest,
                      text.length > 0 ? text.data : "");
}

/* The first line of a text that is no markup. */
static char *explanation_in_text(struct span body)
{
    const size_t longest = 256;
    size_t length = 0;

    body = span_trim(body);
    if (body.length > 0 && body.data[0] == '<')
        return explanation_in_xml(body);
    if (body.length == 0 || body.data[0] == '{')
        return NULL;
    while (length < body.length && length < longest && !strchr("\r\n", body.data[length]))
        length++;
    return length > 0 ? mem_strndup(body.data, length) : NULL;
}

int http_reply_check(const struct http_reply *reply, const char *what, struct err *err)
{
    if (reply->status >= 200 && reply->status < 300)
        return 0;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct err ignored;
    auto_json json_t *body = jx_parse(reply->body, LIMIT_HTTP_PROBLEM, "answer", &ignored);
    bool is_status = body && jx_string(body, "kind", NULL) &&
                     strcmp(jx_string(body, "kind", NULL), "Status") == 0;
    const char *reason = is_status ? jx_string(body, "reason", NULL) : NULL;
    bool is_word = reason && reason[strspn(reason, letters)] == '\0';
    auto_free char *text = body ? explanation_in_json(body) : explanation_in_text(reply->body);

    err_reason(err, kind_of_status(reply->status), is_word ? reason : "", "%s: %d %s%s%s", what,
               reply->status, http_status_text(reply->status), text ? ": " : "", text ? text : "");
    if (err) {
        err->http_status = reply->status;
        err->retry_after_ms = retry_after_ms(reply);
    }
    return -1;
}

/* --- transport_perform() --- */

struct performance {
    bool over, failed;
    int status;
    char *body;
    size_t length;
    struct err failure;
};

static void performed(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct performance *performance = context;

    performance->over = true;
    if (failure) {
        performance->failed = true;
        performance->failure = *failure;
        return;
    }
    performance->status = reply->status;
    performance->length = reply->body.length;
    performance->body = mem_zero(reply->body.length + 1, 1);
    if (reply->body.length > 0)
        memcpy(performance->body, reply->body.data, reply->body.length);
}

int transport_perform(struct transport *transport, const struct http_request *request,
                      int *ret_status, char **ret_body, size_t *ret_length, struct err *err)
{
    struct performance performance = { 0 };

    transport_start(transport, request, &(struct http_handler){ .on_done = performed },
                    &performance);
    while (!performance.over)
        transport_run(transport, -1);
    if (performance.failed) {
        if (err)
            *err = performance.failure;
        return -1;
    }
    *ret_status = performance.status;
    *ret_body = performance.body;
    *ret_length = performance.length;
    return 0;
}
