#include "net/httpd.h"

#include <errno.h>
#include <libwebsockets.h>

#include "base/buf.h"
#include "base/limits.h"
#include "net/request.h"

enum {
    WRITE_BYTES = 64 * 1024, /* at most so much in one lws_write() */
    READ_BYTES = 16 * 1024,  /* of one read */
    STALLED_S = 60,          /* see struct httpd_options */
    IDLE_S = 180,            /* longer than clients keep idle connections (90 s to 118 s) */
    DRAIN_S = 5,             /* for a refused peer to read why */
};

/* Of what our own handlers write; bounded by them. */
#define UNBOUNDED (SIZE_MAX / 4)

struct httpd {
    struct lws_context *loop;
    struct lws_vhost *listener;
    httpd_handler handler;
    void *context;
    size_t maximum_body;
    int stalled_s;
    lws_sorted_usec_list_t deadline;  /* of the running httpd_run() */
    struct httpd_exchange *exchanges; /* all that are open */
    bool has_orphans;                 /* a stream was begun after its peer had gone */
    bool freeing;
};

/* Lives in libwebsockets' session memory, which comes zeroed. */
struct connection {
    struct lws *wsi;
    struct httpd *server;
    struct request request;          /* that is arriving */
    struct buf input;                /* bytes not looked at yet */
    struct buf output;               /* after LWS_PRE bytes that belong to lws */
    size_t sent;                     /* of output, LWS_PRE included */
    struct httpd_exchange *exchange; /* that is being answered */
    bool arriving;                   /* the time of the request that arrives runs */
    bool closing;                    /* no further request; close when all is sent */
    bool draining;                   /* refused: the peer closes, so that it reads why */
    bool aborted;
};

struct httpd_exchange {
    struct httpd *server;
    struct connection *connection; /* NULL: the peer is gone */
    struct request request;
    bool streaming, chunked;
    void (*on_close)(void *context);
    void *context;
    struct httpd_exchange *next, *previous;
};

/* --- exchanges --- */

static struct httpd_exchange *exchange_new(struct connection *connection)
{
    struct httpd_exchange *exchange = mem_zero(1, sizeof(*exchange));
    struct httpd *server = connection->server;

    exchange->server = server;
    exchange->connection = connection;
    exchange->request = connection->request;
    exchange->next = server->exchanges;
    if (server->exchanges)
        server->exchanges->previous = exchange;
    server->exchanges = exchange;
    return exchange;
}

static void exchange_free(struct httpd_exchange *exchange)
{
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        exchange->server->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    request_release(&exchange->request);
    free(exchange);
}

/* The answer is complete: the connection may take the next request. */
static void exchange_finish(struct httpd_exchange *exchange)
{
    struct connection *connection = exchange->connection;

    if (connection) {
        connection->exchange = NULL;
        if (!exchange->request.keep_alive)
            connection->closing = true;
        lws_callback_on_writable(connection->wsi);
    }
    exchange_free(exchange);
}

/* A stream whose peer is gone. */
static void exchange_close(struct httpd_exchange *exchange)
{
    void (*on_close)(void *context) = exchange->on_close;
    void *context = exchange->context;

    exchange_free(exchange);
    if (on_close)
        on_close(context);
}

/* --- connections --- */

static size_t unsent(const struct connection *connection)
{
    return connection->output.length - connection->sent;
}

static void send_bytes(struct connection *connection, struct span bytes)
{
    static const char room[LWS_PRE];

    if (connection->output.length == 0) {
        buf_append(&connection->output, room, sizeof(room));
        connection->sent = sizeof(room);
    }
    buf_append(&connection->output, bytes.data, bytes.length);
    lws_callback_on_writable(connection->wsi);
}

/* Nothing more is to be sent; idle connections hold no memory. */
static void forget_output(struct connection *connection)
{
    buf_release(&connection->output);
    buf_init(&connection->output, UNBOUNDED);
    connection->sent = 0;
}

/* Bounds how long a peer may stall; an open exchange may take any time. A request has its time as a
 * whole: a peer that sends a byte now and then would hold the connection for ever. */
static void set_timeout(struct connection *connection)
{
    bool arrives = unsent(connection) == 0 && request_begun(&connection->request);

    if (connection->aborted || (arrives && connection->arriving && !connection->draining))
        return;
    connection->arriving = arrives;
    if (connection->draining)
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, DRAIN_S);
    else if (arrives || unsent(connection) > 0)
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, connection->server->stalled_s);
    else if (!connection->exchange)
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, IDLE_S);
    else
        lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0);
}

static void append_head(struct buf *head, int status, const char *content_type,
                        const struct http_header *headers, size_t count)
{
    buf_format(head, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
    if (content_type)
        buf_format(head, "Content-Type: %s\r\n", content_type);
    for (size_t i = 0; i < count; i++)
        buf_format(head, "%s: %s\r\n", headers[i].name, headers[i].value);
}

/* Answers what request.c refused. What the peer still sends is thrown away until
 * it closes: closing first could make its kernel drop the answer unread. */
static void refuse(struct connection *connection)
{
    const struct request *request = &connection->request;
    struct buf answer;

    buf_init(&answer, LIMIT_HTTP_HEADERS);
    append_head(&answer, request->refused_status, "text/plain", NULL, 0);
    buf_format(&answer, "Connection: close\r\nContent-Length: %zu\r\n\r\n%s\n",
               strlen(request->refused_why) + 1, request->refused_why);
    send_bytes(connection, (struct span){ answer.data, answer.length });
    buf_release(&answer);
    connection->closing = connection->draining = true;
    buf_clear(&connection->input);
}

static void dispatch(struct connection *connection)
{
    struct httpd *server = connection->server;
    struct httpd_exchange *exchange = exchange_new(connection);

    connection->exchange = exchange;
    request_init(&connection->request, server->maximum_body);
    server->handler(server->context, exchange);
}

/* Takes requests from the input, one after the other: the next one when the
 * answer of the one before is sent. */
static void serve(struct connection *connection)
{
    struct request *request = &connection->request;

    while (!connection->exchange && !connection->closing && connection->input.length > 0 &&
           unsent(connection) == 0) {
        buf_consume(&connection->input,
                    request_push(request, (struct span){ connection->input.data,
                                                         connection->input.length }));
        if (request->state == REQUEST_COMPLETE)
            dispatch(connection);
        else if (request->state == REQUEST_REFUSED)
            refuse(connection);
        else if (request->state == REQUEST_BODY && request->expects_continue) {
            request->expects_continue = false;
            send_bytes(connection, span_of("HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }
    lws_rx_flow_control(connection->wsi, connection->input.length < LIMIT_HTTP_PIPELINE);
    set_timeout(connection);
}

static void connection_open(struct connection *connection, struct lws *wsi)
{
    connection->wsi = wsi;
    connection->server = lws_context_user(lws_get_context(wsi));
    request_init(&connection->request, connection->server->maximum_body);
    buf_init(&connection->input, LIMIT_HTTP_PIPELINE + READ_BYTES);
    buf_init(&connection->output, UNBOUNDED);
    set_timeout(connection);
}

static void connection_close(struct connection *connection)
{
    struct httpd_exchange *exchange = connection->exchange;

    request_release(&connection->request);
    buf_release(&connection->input);
    buf_release(&connection->output);
    if (!exchange)
        return;
    connection->exchange = NULL;
    exchange->connection = NULL;
    if (exchange->streaming && !connection->server->freeing)
        exchange_close(exchange);
}

static int connection_read(struct connection *connection, struct span bytes)
{
    if (connection->closing)
        return connection->aborted ? -1 : 0;
    buf_append(&connection->input, bytes.data, bytes.length);
    serve(connection);
    return connection->aborted ? -1 : 0;
}

/* One lws_write() at most, as libwebsockets demands. */
static int connection_write(struct connection *connection)
{
    size_t count = unsent(connection);

    if (connection->aborted)
        return -1;
    if (count == 0 && connection->closing && !connection->exchange && !connection->draining)
        return -1;
    if (count == 0) {
        serve(connection);
        return connection->aborted ? -1 : 0;
    }
    count = count < WRITE_BYTES ? count : WRITE_BYTES;
    if (lws_write(connection->wsi, (unsigned char *)connection->output.data + connection->sent,
                  count, LWS_WRITE_RAW) < 0)
        return -1;
    connection->sent += count;
    if (unsent(connection) == 0)
        forget_output(connection);
    else if (connection->sent > connection->output.length / 2) {
        buf_consume(&connection->output, connection->sent - LWS_PRE);
        connection->sent = LWS_PRE;
    }
    set_timeout(connection);
    lws_callback_on_writable(connection->wsi);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *session, void *bytes,
                    size_t length)
{
    struct connection *connection = session;

    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        connection_open(connection, wsi);
        return 0;
    case LWS_CALLBACK_RAW_RX:
        return connection_read(connection, (struct span){ bytes, length });
    case LWS_CALLBACK_RAW_WRITEABLE:
        return connection_write(connection);
    case LWS_CALLBACK_RAW_CLOSE:
        if (connection && connection->server)
            connection_close(connection);
        return 0;
    case LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION:
        return length ? 0 : 1; /* OpenSSL's verdict; libwebsockets takes ours instead of it */
    default:
        return 0;
    }
}

/* --- the server --- */

static const struct lws_protocols protocols[] = {
    { .name = "http",
      .callback = on_event,
      .per_session_data_size = sizeof(struct connection),
      .rx_buffer_size = READ_BYTES },
    { 0 },
};

static struct lws_context *loop_new(struct httpd *server, const struct httpd_options *options)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .gid = -1,
        .uid = -1,
        .user = server,
        .fd_limit_per_thread =
            options->maximum_connections ? options->maximum_connections : LIMIT_HTTP_CONNECTIONS,
        .pt_serv_buf_size = READ_BYTES,
    };

    if (options->tls_certificate_file)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    lws_set_log_level(0, NULL);
    return lws_create_context(&info);
}

static struct lws_vhost *listener_new(const struct httpd *server,
                                      const struct httpd_options *options)
{
    struct lws_context_creation_info info = {
        .port = (int)options->port,
        .iface = options->address,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
        .listen_accept_role = "raw-skt",
        .listen_accept_protocol = protocols[0].name,
        .alpn = "http/1.1",
        .ssl_cert_filepath = options->tls_certificate_file,
        .ssl_private_key_filepath = options->tls_key_file,
        .ssl_ca_filepath = options->tls_client_ca_file,
    };

    if (options->tls_certificate_file)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (options->tls_client_ca_file)
        info.options |= LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT;
    if (!strchr(options->address, ':'))
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    return lws_create_vhost(server->loop, &info);
}

/* libwebsockets serves without a certificate when its file is missing. */
static int check_tls_files(const struct httpd_options *options, struct err *err)
{
    const char *const paths[] = { options->tls_certificate_file, options->tls_key_file,
                                  options->tls_client_ca_file };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (paths[i] && access(paths[i], R_OK) < 0)
            return err_errno(err, errno, "%s", paths[i]);
    return 0;
}

struct httpd *httpd_new(const struct httpd_options *options, struct err *err)
{
    if (check_tls_files(options, err) < 0)
        return NULL;
    struct httpd *server = mem_zero(1, sizeof(*server));

    server->handler = options->handler;
    server->context = options->context;
    server->maximum_body = options->maximum_body ? options->maximum_body : LIMIT_HTTP_REQUEST_BODY;
    server->stalled_s = options->stalled_s ? options->stalled_s : STALLED_S;
    server->loop = loop_new(server, options);
    if (server->loop)
        server->listener = listener_new(server, options);
    if (!server->listener || lws_get_vhost_listen_port(server->listener) <= 0) {
        err_set(err, ERR_IO,
                "cannot serve on %s port %u: the address is in use or not of this machine%s",
                options->address, options->port,
                options->tls_certificate_file ? ", or certificate and key do not fit" : "");
        httpd_free(server);
        return NULL;
    }
    return server;
}

void httpd_free(struct httpd *server)
{
    if (!server)
        return;
    server->freeing = true;
    if (server->loop)
        lws_context_destroy(server->loop);
    while (server->exchanges)
        exchange_free(server->exchanges);
    free(server);
}

unsigned httpd_port(const struct httpd *server)
{
    return (unsigned)lws_get_vhost_listen_port(server->listener);
}

/* Streams that were begun when the peer had gone already: on_close comes from
 * here, never from within httpd_stream_begin(). */
static void close_orphans(struct httpd *server)
{
    while (server->has_orphans) {
        struct httpd_exchange *exchange = server->exchanges;

        while (exchange && (exchange->connection || !exchange->streaming))
            exchange = exchange->next;
        if (exchange)
            exchange_close(exchange);
        else
            server->has_orphans = false;
    }
}

static void on_deadline(lws_sorted_usec_list_t *deadline)
{
    (void)deadline; /* lws_service() returns: that is all */
}

void httpd_run(struct httpd *server, int64_t wait_ms)
{
    if (server->has_orphans)
        wait_ms = 0;
    close_orphans(server);
    if (wait_ms > 0)
        lws_sul_schedule(server->loop, 0, &server->deadline, on_deadline, wait_ms * LWS_US_PER_MS);
    lws_service(server->loop, wait_ms == 0 ? -1 : 0);
    lws_sul_cancel(&server->deadline);
    close_orphans(server);
}

void httpd_wake(struct httpd *server)
{
    lws_cancel_service(server->loop);
}

/* --- the request --- */

const char *httpd_method(const struct httpd_exchange *exchange)
{
    return exchange->request.method;
}

const char *httpd_path(const struct httpd_exchange *exchange)
{
    return exchange->request.path;
}

const char *httpd_query(const struct httpd_exchange *exchange, const char *name)
{
    return request_parameter(&exchange->request, name);
}

const char *httpd_header(const struct httpd_exchange *exchange, const char *name)
{
    return request_header(&exchange->request, name);
}

struct span httpd_body(const struct httpd_exchange *exchange)
{
    return (struct span){ exchange->request.body.data, exchange->request.body.length };
}

/* --- the answer --- */

static bool is_head(const struct httpd_exchange *exchange)
{
    return strcmp(exchange->request.method, "HEAD") == 0;
}

static void send_head(struct httpd_exchange *exchange, struct buf *head)
{
    if (!exchange->request.keep_alive)
        buf_string(head, "Connection: close\r\n");
    else if (exchange->request.http_1_0)
        buf_string(head, "Connection: keep-alive\r\n");
    buf_string(head, "\r\n");
    send_bytes(exchange->connection, (struct span){ head->data, head->length });
}

void httpd_reply(struct httpd_exchange *exchange, int status, const char *content_type,
                 struct span bytes, const struct http_header *headers, size_t header_count)
{
    if (exchange->connection) {
        bool has_body = status != 204 && status != 304;
        auto_buf struct buf head;

        buf_init(&head, UNBOUNDED);
        append_head(&head, status, content_type, headers, header_count);
        if (has_body)
            buf_format(&head, "Content-Length: %zu\r\n", bytes.length);
        send_head(exchange, &head);
        if (has_body && !is_head(exchange))
            send_bytes(exchange->connection, bytes);
    }
    exchange_finish(exchange);
}

void httpd_stream_begin(struct httpd_exchange *exchange, int status, const char *content_type,
                        void (*on_close)(void *context), void *context)
{
    exchange->streaming = true;
    exchange->on_close = on_close;
    exchange->context = context;
    if (!exchange->connection) {
        exchange->server->has_orphans = true;
        lws_cancel_service(exchange->server->loop);
        return;
    }
    auto_buf struct buf head;
    buf_init(&head, LIMIT_HTTP_HEADERS);
    append_head(&head, status, content_type, NULL, 0);
    exchange->chunked = !exchange->request.http_1_0;
    if (exchange->chunked)
        buf_string(&head, "Transfer-Encoding: chunked\r\n");
    else
        exchange->request.keep_alive = false; /* the end of the connection ends the body */
    send_head(exchange, &head);
}

void httpd_stream_write(struct httpd_exchange *exchange, struct span bytes)
{
    struct connection *connection = exchange->connection;
    char size[24];

    if (!connection || bytes.length == 0 || is_head(exchange))
        return;
    if (!exchange->chunked) {
        send_bytes(connection, bytes);
        return;
    }
    snprintf(size, sizeof(size), "%zx\r\n", bytes.length);
    send_bytes(connection, span_of(size));
    send_bytes(connection, bytes);
    send_bytes(connection, span_of("\r\n"));
}

size_t httpd_stream_queued(const struct httpd_exchange *exchange)
{
    return exchange->connection ? unsent(exchange->connection) : 0;
}

void httpd_stream_end(struct httpd_exchange *exchange)
{
    if (exchange->connection && exchange->chunked && !is_head(exchange))
        send_bytes(exchange->connection, span_of("0\r\n\r\n"));
    exchange_finish(exchange);
}

void httpd_abort(struct httpd_exchange *exchange)
{
    struct connection *connection = exchange->connection;

    if (connection) {
        connection->exchange = NULL;
        connection->closing = connection->aborted = true;
        /* also when the peer does not read: soon, from httpd_run() */
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
    exchange_free(exchange);
}
