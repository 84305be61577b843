#include "net/request.h"

#include <strings.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/uri.h"

void request_init(struct request *request, size_t maximum_body)
{
    *request = (struct request){ .state = REQUEST_HEAD };
    buf_init(&request->head, LIMIT_HTTP_HEADERS);
    buf_init(&request->body, maximum_body);
}

void request_release(struct request *request)
{
    buf_release(&request->head);
    buf_release(&request->body);
    arena_release(&request->arena);
    *request = (struct request){ 0 };
}

bool request_begun(const struct request *request)
{
    return request->state != REQUEST_HEAD || request->head.length > 0;
}

static const char *find(const struct http_header *items, size_t count, const char *name,
                        int (*compare)(const char *, const char *))
{
    for (size_t i = 0; i < count; i++)
        if (compare(items[i].name, name) == 0)
            return items[i].value;
    return NULL;
}

const char *request_header(const struct request *request, const char *name)
{
    return find(request->headers, request->header_count, name, strcasecmp);
}

const char *request_parameter(const struct request *request, const char *name)
{
    return find(request->parameters, request->parameter_count, name, strcmp);
}

static bool refuse(struct request *request, int status, const char *why)
{
    request->state = REQUEST_REFUSED;
    request->refused_status = status;
    request->refused_why = why;
    return false;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return *text && text[strspn(text, allowed)] == '\0';
}

/* Visible characters only; blanks and tabs too when they are allowed. */
static bool is_clean(const char *text, bool blanks)
{
    for (; *text; text++) {
        unsigned char character = (unsigned char)*text;
        bool is_control = character < ' ' || character == 127;

        if (is_control && !(blanks && character == '\t'))
            return false;
        if (character == ' ' && !blanks)
            return false;
    }
    return true;
}

/* One name or value of a query; NULL: it is not percent-encoded. */
static const char *decode(struct request *request, const char *text, size_t length)
{
    auto_buf struct buf decoded;

    buf_init(&decoded, length);
    if (!uri_form_decode(&decoded, (struct span){ text, length }))
        return NULL;
    return arena_strndup(&request->arena, buf_text(&decoded), decoded.length);
}

static bool parse_query(struct request *request, const char *query)
{
    size_t count = 1;

    for (const char *at = query; *at; at++)
        count += *at == '&';
    request->parameters = arena_zero(&request->arena, count, sizeof(struct http_header));
    while (*query) {
        size_t length = strcspn(query, "&");
        size_t name_length = strcspn(query, "=&");
        size_t skip = name_length < length ? 1 : 0;
        struct http_header *parameter = &request->parameters[request->parameter_count];

        if (length > 0) {
            parameter->name = decode(request, query, name_length);
            parameter->value =
                decode(request, query + name_length + skip, length - name_length - skip);
            if (!parameter->name || !parameter->value)
                return refuse(request, 400, "the query is not percent-encoded");
            request->parameter_count++;
        }
        query += length + (query[length] == '&');
    }
    return true;
}

/* "/path?query" or, as sent to proxies, "http://host/path?query". */
static bool parse_target(struct request *request, char *target)
{
    if (strncasecmp(target, "http://", 7) == 0)
        target = strchrnul(target + 7, '/');
    if (*target != '/' || !is_clean(target, false))
        return refuse(request, 400, "the request target must be a path that begins with /");
    char *query = strchrnul(target, '?');
    request->path = target;
    if (!*query)
        return true;
    *query = '\0';
    return parse_query(request, query + 1);
}

static bool parse_request_line(struct request *request, char *line)
{
    char *target = strchrnul(line, ' ');
    char *version = *target ? strchrnul(target + 1, ' ') : target;

    if (!*version)
        return refuse(request, 400, "the request line must be METHOD TARGET HTTP/1.1");
    *target++ = *version++ = '\0';
    if (!is_token(line))
        return refuse(request, 400, "the method is not a token");
    request->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (!request->http_1_0 && strcmp(version, "HTTP/1.1") != 0)
        return refuse(request, strncmp(version, "HTTP/", 5) == 0 ? 505 : 400,
                      "the version must be HTTP/1.1");
    request->method = line;
    return parse_target(request, target);
}

static bool parse_header(struct request *request, char *line)
{
    char *colon = strchrnul(line, ':');
    char *end = colon + strlen(colon);

    if (!*colon)
        return refuse(request, 400, "a header line has no colon");
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (!is_token(line) || !is_clean(colon, true))
        return refuse(request, 400, "a header is malformed");
    request->headers[request->header_count++] = (struct http_header){ line, colon };
    return true;
}

/* A member of a comma-separated header such as Connection. */
static bool has_member(const char *value, const char *member)
{
    size_t length = strlen(member);

    while (value && *value) {
        value += strspn(value, " \t,");
        if (strncasecmp(value, member, length) == 0 && strchr(" \t,", value[length]))
            return true;
        value += strcspn(value, ",");
    }
    return false;
}

static bool parse_content_length(struct request *request)
{
    int64_t length = 0;
    bool seen = false;

    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        int64_t value;
        struct err err;

        if (strcasecmp(header->name, "Content-Length") != 0)
            continue;
        if (num_int64(span_of(header->value), 0, INT64_MAX, &value, &err) < 0 ||
            (seen && value != length))
            return refuse(request, 400, "Content-Length must be one number");
        length = value;
        seen = true;
    }
    if (length > (int64_t)request->body.maximum)
        return refuse(request, 413, "the body is too large");
    request->content_length = (size_t)length;
    return true;
}

/* What the headers say about the body and the connection. */
static bool interpret_headers(struct request *request)
{
    const char *connection = request_header(request, "Connection");

    if (request_header(request, "Transfer-Encoding"))
        return refuse(request, 411, "a body must be sent with Content-Length");
    if (!request->http_1_0 && !request_header(request, "Host"))
        return refuse(request, 400, "the Host header is missing");
    if (!parse_content_length(request))
        return false;
    request->keep_alive =
        request->http_1_0 ? has_member(connection, "keep-alive") : !has_member(connection, "close");
    request->expects_continue = has_member(request_header(request, "Expect"), "100-continue");
    return true;
}

static bool parse_head(struct request *request)
{
    char *line = request->head.data;
    size_t lines = 0;

    if (memchr(request->head.data, '\0', request->head.length))
        return refuse(request, 400, "the header holds a NUL");
    for (const char *at = line; *at; at++)
        lines += *at == '\n';
    request->headers = arena_zero(&request->arena, lines, sizeof(struct http_header));
    for (size_t i = 0; i + 1 < lines; i++) {
        char *end = strstr(line, "\r\n");

        if (!end || memchr(line, '\n', (size_t)(end - line)))
            return refuse(request, 400, "lines must end in CR LF");
        *end = '\0';
        if (!(i == 0 ? parse_request_line(request, line) : parse_header(request, line)))
            return false;
        line = end + 2;
    }
    return interpret_headers(request);
}

/* One line, or the part of it that is there. */
static size_t push_head(struct request *request, struct span piece)
{
    const char *newline = memchr(piece.data, '\n', piece.length);
    size_t taken = newline ? (size_t)(newline - piece.data) + 1 : piece.length;
    struct buf *head = &request->head;

    buf_append(head, piece.data, taken);
    if (head->overflow)
        refuse(request, 431, "the header is too large");
    else if (head->length == 2 && memcmp(head->data, "\r\n", 2) == 0)
        buf_clear(head); /* an empty line before a request is skipped (RFC 9112, 2.2) */
    else if (head->length >= 4 && memcmp(head->data + head->length - 4, "\r\n\r\n", 4) == 0 &&
             parse_head(request))
        request->state = request->content_length > 0 ? REQUEST_BODY : REQUEST_COMPLETE;
    return taken;
}

static size_t push_body(struct request *request, struct span piece)
{
    size_t missing = request->content_length - request->body.length;
    size_t taken = piece.length < missing ? piece.length : missing;

    buf_append(&request->body, piece.data, taken);
    if (taken == missing)
        request->state = REQUEST_COMPLETE;
    return taken;
}

size_t request_push(struct request *request, struct span piece)
{
    size_t taken = 0;

    while (taken < piece.length && request->state < REQUEST_COMPLETE) {
        struct span rest = { piece.data + taken, piece.length - taken };

        taken +=
            request->state == REQUEST_HEAD ? push_head(request, rest) : push_body(request, rest);
    }
    return taken;
}
