#include "net/http.h"

#include <curl/curl.h>
#include <limits.h>
#include <netdb.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/timer.h"
#include "net/guard.h"
#include "net/http_prepare.h"

enum {
    CONNECTIONS_KEPT = 16,
    HANDLES_KEPT = 16, /* of ended exchanges, for the next ones */
};

enum call_state {
    CALL_NEW,     /* not yet given to libcurl: that is forbidden within its callbacks */
    CALL_RUNNING, /* libcurl has it */
    CALL_DEAD,    /* over or canceled: to be released, no callback any more */
};

struct http {
    struct transport transport;
    struct http_options options;
    char *user_agent;
    CURLM *multi;
    struct timers timers;
    struct guard_peers own_peers;
    struct http_call *calls;
    CURL *spare[HANDLES_KEPT];
    size_t spare_count;
    uint64_t events; /* callbacks made: did a round do something? */
    bool has_new, has_dead;
};

struct http_call {
    struct http *http;
    CURL *easy;
    enum call_state state;
    struct http_lists lists;
    struct http_handler handler;
    void *context;
    char *what; /* "GET https://host/path", begins messages */
    enum host_guard guard;
    int64_t idle_ms;
    size_t idle_bytes, moved; /* since the timer was set */
    struct timer idle;        /* fires after too long a silence */
    curl_off_t sent;          /* of the body */
    struct buf header_lines;  /* of the last answer, as received */
    struct buf body;
    bool header_complete; /* the empty line after the header came */
    bool head_shown;
    bool failed, denied;
    struct err failure; /* failed: overrules libcurl's view */
    struct err denial;  /* denied: an address was refused, counts if the exchange fails */
    char text[CURL_ERROR_SIZE];
    struct http_call *next, *previous;
};

/* --- the end of an exchange --- */

static void mark_dead(struct http_call *call)
{
    call->state = CALL_DEAD;
    call->http->has_dead = true;
    timer_stop(&call->http->timers, &call->idle);
}

static void finish(struct http_call *call, const struct http_reply *reply,
                   const struct err *failure)
{
    mark_dead(call);
    call->http->events++;
    call->handler.on_done(call->context, reply, failure);
}

static int fail(struct http_call *call, enum err_kind kind, const char *text)
{
    call->failed = true;
    return err_set(&call->failure, kind, "%s: %s", call->what, text);
}

/* Splits the received lines in place. */
static size_t split_headers(struct buf *lines, struct http_header **ret_headers)
{
    size_t count = 0;
    char *line = lines->data, *next;

    for (size_t i = 0; i < lines->length; i++)
        count += lines->data[i] == '\n';
    struct http_header *headers = mem_zero(count, sizeof(*headers));
    for (count = 0; line && *line; line = next) {
        char *end = line + strcspn(line, "\r\n"), *colon = memchr(line, ':', (size_t)(end - line));

        next = end + strspn(end, "\r\n");
        if (!colon)
            continue;
        struct span value = span_trim((struct span){ colon + 1, (size_t)(end - colon) - 1 });
        size_t value_at = (size_t)(value.data - lines->data);
        *colon = '\0';
        lines->data[value_at + value.length] = '\0';
        headers[count++] = (struct http_header){ line, value.data };
    }
    *ret_headers = headers;
    return count;
}

/* on_head, once. The received lines are needed again: a copy is split. */
static int show_head(struct http_call *call, int status)
{
    auto_buf struct buf lines = { .maximum = LIMIT_HTTP_HEADERS };
    auto_free struct http_header *headers = NULL;

    if (!call->handler.on_head || call->head_shown || status < 200 || status >= 300)
        return 0;
    call->head_shown = true;
    call->http->events++;
    buf_append(&lines, call->header_lines.data, call->header_lines.length);
    size_t count = split_headers(&lines, &headers);
    struct http_reply head = { .status = status, .headers = headers, .header_count = count };
    call->failed = call->handler.on_head(call->context, &head, &call->failure) < 0;
    return call->failed ? -1 : 0;
}

static void finish_with_reply(struct http_call *call, int status)
{
    struct http_header *headers;
    size_t count = split_headers(&call->header_lines, &headers);

    finish(call,
           &(struct http_reply){ .status = status,
                                 .body = { call->body.data, call->body.length },
                                 .headers = headers,
                                 .header_count = count },
           NULL);
    free(headers);
}

static enum err_kind kind_of_code(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_INVALID;
    default:
        return ERR_RETRY;
    }
}

static const char *reason_of_code(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION ? HTTP_UNTRUSTED
           : code == CURLE_SSL_CONNECT_ERROR      ? HTTP_NO_TLS
                                                  : "";
}

static void finish_with_code(struct http_call *call, CURLcode code)
{
    long status = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    /* libcurl takes a connection that ends within the header for an empty answer */
    if (!call->failed && code == CURLE_OK && (!call->header_complete || status < 200))
        fail(call, ERR_RETRY, "the connection ended within the header of the answer");
    if (!call->failed && code == CURLE_OK && show_head(call, (int)status) == 0) {
        if (call->state == CALL_DEAD)
            return; /* on_head canceled it */
        finish_with_reply(call, (int)status);
        return;
    }
    if (!call->failed && call->denied) {
        call->failure = call->denial;
    } else if (!call->failed) {
        fail(call, kind_of_code(code), call->text[0] ? call->text : curl_easy_strerror(code));
        snprintf(call->failure.reason, sizeof(call->failure.reason), "%s", reason_of_code(code));
    }
    finish(call, NULL, &call->failure);
}

/* --- what libcurl calls --- */

/* So many bytes came or went: if that is enough, silence counts from now on. */
static void heard(struct http_call *call, size_t length)
{
    call->moved += length;
    if (call->idle_ms == 0 || call->moved < call->idle_bytes)
        return;
    call->moved = 0;
    timer_set(&call->http->timers, &call->idle, call->idle_ms);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t length = size * count;

    if (call->state == CALL_DEAD)
        return 0;
    heard(call, length);
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        buf_clear(&call->header_lines); /* the answer after a redirect or a 1xx */
        call->header_complete = false;
    } else if (bytes[0] == '\r' || bytes[0] == '\n') {
        call->header_complete = true;
    } else {
        buf_append(&call->header_lines, bytes, length);
    }
    if (!call->header_lines.overflow)
        return length;
    fail(call, ERR_TOO_BIG, "the header of the answer is too large");
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t length = size * count;
    long status = 0;

    if (call->state == CALL_DEAD)
        return 0;
    heard(call, length);
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (show_head(call, (int)status) < 0 || call->state == CALL_DEAD)
        return 0;
    if (call->handler.on_data && status >= 200 && status < 300) {
        call->http->events++;
        call->failed = call->handler.on_data(call->context, (struct span){ bytes, length },
                                             &call->failure) < 0;
        return call->failed || call->state == CALL_DEAD ? 0 : length;
    }
    buf_append(&call->body, bytes, length);
    if (!call->body.overflow)
        return length;
    auto_free char *text = mem_format("the answer is larger than %zu bytes", call->body.maximum);
    fail(call, ERR_TOO_BIG, text);
    return 0;
}

/* A body that goes out is a sign of life as well. When it is out, the server may think. */
static int on_progress(void *context, curl_off_t expected, curl_off_t received, curl_off_t to_send,
                       curl_off_t sent)
{
    struct http_call *call = context;

    (void)expected, (void)received;
    if (call->state != CALL_DEAD && sent > call->sent)
        heard(call, sent == to_send ? call->idle_bytes : (size_t)(sent - call->sent));
    call->sent = sent;
    return 0;
}

static void deny(struct http_call *call, const char *address)
{
    call->denied = true;
    err_set(&call->denial, ERR_DENIED,
            "%s: the host leads to %s, an address of this machine, link or cluster's API, which is "
            "not allowed",
            call->what, address);
}

/* Before a connection is made. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct http_call *call = context;

    (void)purpose;
    if (call->guard == HOST_PUBLIC && guard_is_local(&address->addr)) {
        char text[64] = "";

        if (address->family == AF_INET || address->family == AF_INET6)
            getnameinfo(&address->addr, address->addrlen, text, sizeof(text), NULL, 0,
                        NI_NUMERICHOST);
        deny(call, text);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Before a request is sent, on a new connection or a kept one (which another
 * exchange may have been allowed to open). */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct http_call *call = context;

    (void)local;
    (void)local_port;
    if (call->guard == HOST_PRIVATE)
        guard_remember(call->http->options.private_peers, peer, peer_port);
    if (call->guard != HOST_PUBLIC ||
        !(guard_is_local_text(peer) ||
          guard_remembers(call->http->options.private_peers, peer, peer_port)))
        return CURL_PREREQFUNC_OK;
    deny(call, peer);
    return CURL_PREREQFUNC_ABORT;
}

/* --- the life of a call --- */

static void on_silence(void *context)
{
    struct http_call *call = context;
    auto_free char *text = call->moved == 0
                               ? mem_format("nothing came for %" PRId64 " ms", call->idle_ms)
                               : mem_format("less than %zu bytes came in %" PRId64 " ms",
                                            call->idle_bytes, call->idle_ms);

    fail(call, ERR_RETRY, text);
    finish(call, NULL, &call->failure);
}

/* What start() found wrong is reported from run(). */
static void on_stillborn(void *context)
{
    struct http_call *call = context;

    finish(call, NULL, &call->failure);
}

static CURL *take_handle(struct http *http)
{
    CURL *easy = http->spare_count > 0 ? http->spare[--http->spare_count] : curl_easy_init();

    if (!easy)
        mem_exhausted();
    return easy;
}

static void give_back_handle(struct http *http, CURL *easy)
{
    if (http->spare_count == HANDLES_KEPT) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    http->spare[http->spare_count++] = easy;
}

static int set_callbacks(struct http_call *call, struct err *err)
{
    CURL *easy = call->easy;

    if (curl_easy_setopt(easy, CURLOPT_PRIVATE, call) ||
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->text) ||
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ||
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) ||
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, call->idle_ms > 0 ? 0L : 1L) ||
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) ||
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call) ||
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) ||
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) ||
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected) ||
        curl_easy_setopt(easy, CURLOPT_PREREQDATA, call))
        return err_set(err, ERR_INTERNAL, "libcurl refuses a callback");
    return 0;
}

static void link_call(struct http_call *call)
{
    struct http *http = call->http;

    call->next = http->calls;
    if (http->calls)
        http->calls->previous = call;
    http->calls = call;
}

static void unlink_call(struct http_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        call->http->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
}

static struct http_call *http_start(struct transport *transport, const struct http_request *request,
                                    const struct http_handler *handler, void *context)
{
    struct http *http = (struct http *)transport;
    struct http_call *call = mem_zero(1, sizeof(*call));

    call->http = http;
    call->handler = *handler;
    call->context = context;
    call->guard = request->guard;
    call->idle_ms = request->idle_ms;
    call->idle_bytes = request->idle_bytes;
    call->what = http_describe(request);
    call->idle = (struct timer){ .fire = on_silence, .context = call };
    buf_init(&call->header_lines, LIMIT_HTTP_HEADERS);
    buf_init(&call->body, request->maximum_body ? request->maximum_body : LIMIT_HTTP_BODY);
    call->easy = take_handle(http);
    link_call(call);
    if (http_prepare(call->easy, request, &http->options, &call->lists, &call->failure) < 0 ||
        set_callbacks(call, &call->failure) < 0) {
        err_wrap(&call->failure, "%s", call->what);
        call->failed = true;
        call->idle.fire = on_stillborn;
        timer_set(&http->timers, &call->idle, 0);
        return call;
    }
    if (call->lists.proxied)
        call->guard = HOST_ANY; /* the proxy's own address is no news */
    heard(call, call->idle_bytes);
    http->has_new = true;
    return call;
}

static void http_cancel(struct transport *transport, struct http_call *call)
{
    (void)transport;
    mark_dead(call);
}

static void call_free(struct http_call *call)
{
    unlink_call(call);
    timer_stop(&call->http->timers, &call->idle);
    curl_multi_remove_handle(call->http->multi, call->easy);
    give_back_handle(call->http, call->easy);
    http_lists_release(&call->lists);
    buf_release(&call->header_lines);
    buf_release(&call->body);
    free(call->what);
    free(call);
}

/* --- the loop --- */

/* Gives new calls to libcurl, in the order of their start. */
static void add_new(struct http *http)
{
    struct http_call *call = http->calls;

    if (!http->has_new)
        return;
    http->has_new = false;
    while (call && call->next)
        call = call->next;
    for (; call; call = call->previous) {
        if (call->state != CALL_NEW || call->failed)
            continue;
        call->state = CALL_RUNNING;
        CURLMcode code = curl_multi_add_handle(http->multi, call->easy);
        if (code != CURLM_OK) {
            fail(call, ERR_INTERNAL, curl_multi_strerror(code));
            call->idle.fire = on_stillborn;
            timer_set(&http->timers, &call->idle, 0);
        }
    }
}

static void release_dead(struct http *http)
{
    struct http_call *next;

    if (!http->has_dead)
        return;
    http->has_dead = false;
    for (struct http_call *call = http->calls; call; call = next) {
        next = call->next;
        if (call->state == CALL_DEAD)
            call_free(call);
    }
}

/* Reports what is over. The message's handle is read before anything is removed. */
static void report(struct http *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct http_call *call = NULL;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        if (message->msg == CURLMSG_DONE && call->state != CALL_DEAD)
            finish_with_code(call, code);
    }
}

/* Everything that can be done without waiting; returns the time to the next
 * timer, -1: none. */
static int64_t work(struct http *http)
{
    int running;

    release_dead(http);
    add_new(http);
    curl_multi_perform(http->multi, &running);
    report(http);
    int64_t next_ms = timers_run(&http->timers);
    release_dead(http);
    return http->has_new ? 0 : next_ms;
}

static void http_run(struct transport *transport, int64_t wait_ms)
{
    struct http *http = (struct http *)transport;
    uint64_t events = http->events;
    int64_t next_ms = work(http);

    if (wait_ms == 0 || http->events != events)
        return;
    if (wait_ms < 0 || wait_ms > INT_MAX)
        wait_ms = INT_MAX;
    if (next_ms >= 0 && next_ms < wait_ms)
        wait_ms = next_ms;
    curl_multi_poll(http->multi, NULL, 0, (int)wait_ms, NULL);
    work(http);
}

static void http_wake(struct transport *transport)
{
    curl_multi_wakeup(((struct http *)transport)->multi);
}

/* --- creation --- */

static int check_library(struct err *err)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    if (!(version->features & CURL_VERSION_ASYNCHDNS))
        return err_set(err, ERR_UNSUPPORTED,
                       "libcurl %s resolves names in the calling thread: a build with the "
                       "threaded resolver or c-ares is needed",
                       version->version);
    if (!(version->features & CURL_VERSION_SSL))
        return err_set(err, ERR_UNSUPPORTED, "libcurl %s has no TLS", version->version);
    return 0;
}

struct transport *http_transport_new(const struct http_options *options, struct err *err)
{
    static const struct transport_port port = { http_start, http_cancel, http_run, http_wake };

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, ERR_INTERNAL, "libcurl cannot be initialized");
        return NULL;
    }
    if (check_library(err) < 0) {
        curl_global_cleanup();
        return NULL;
    }
    struct http *http = mem_zero(1, sizeof(*http));
    http->transport.port = &port;
    http->options = *options;
    http->user_agent = options->user_agent ? mem_strdup(options->user_agent) : NULL;
    http->options.user_agent = http->user_agent;
    http->own_peers = (struct guard_peers)GUARD_PEERS_INIT;
    http->options.private_peers = options->private_peers ?: &http->own_peers;
    timers_init(&http->timers, &clock_system);
    http->multi = curl_multi_init();
    if (!http->multi)
        mem_exhausted();
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS,
                      options->maximum_connections > 0 ? options->maximum_connections
                                                       : (long)CONNECTIONS_KEPT);
    return &http->transport;
}

void http_transport_free(struct transport *transport)
{
    struct http *http = (struct http *)transport;

    if (!transport)
        return;
    while (http->calls) {
        /* do not wait for a resolver thread that hangs */
        curl_easy_setopt(http->calls->easy, CURLOPT_QUICK_EXIT, 1L);
        call_free(http->calls);
    }
    while (http->spare_count > 0)
        curl_easy_cleanup(http->spare[--http->spare_count]);
    curl_multi_cleanup(http->multi);
    timers_release(&http->timers);
    free(http->user_agent);
    free(http);
    curl_global_cleanup();
}
