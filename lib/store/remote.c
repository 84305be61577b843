#include "store/remote.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/random.h"
#include "net/backoff.h"
#include "net/http.h"
#include "store/senders.h"

enum {
    PATIENCE_MS = 120 * 1000,
    DENIED_PATIENCE_MS = 60 * 1000,
    STALL_MS = 30 * 1000,
    ATTEMPT_MS = 600 * 1000, /* of small bodies; parts are put together in minutes */
    UPLOADS = 3,
    TURN_MS = 1000, /* how long a signal may go unnoticed that comes just before a wait */
    /* A body above this goes out from where it is, by large buffers. */
    BULK_BYTES = 64 * 1024,
};

static const struct backoff busy = { .base_ms = 500, .cap_ms = 15000 };
static const struct backoff denied = { .base_ms = 1000, .cap_ms = 5000 };

struct remote_line {
    struct transport *transport;
    struct remote_line *next;
};

struct remote {
    struct stores_options options;
    struct proxy_environment proxies;
    pthread_mutex_t mutex; /* of everything below */
    struct remote_line *idle;
    struct random random;
    bool was_denied;
    int64_t denied_ms; /* when it was first */
};

/* --- creation ---------------------------------------------------------------- */

static struct transport *new_transport(const struct stores_options *options, struct err *err)
{
    if (options->transport_new)
        return options->transport_new(options->context, err);
    return http_transport_new(&(struct http_options){ .user_agent = "churn-operator/" CHURN_VERSION,
                                                      .maximum_connections = 4,
                                                      .private_peers = options->private_peers },
                              err);
}

/* 0: the default; -1: none. */
static int64_t choose(int64_t chosen_ms, int64_t default_ms)
{
    return chosen_ms < 0 ? 0 : chosen_ms > 0 ? chosen_ms : default_ms;
}

struct remote *remote_new(const struct stores_options *options)
{
    struct remote *remote = mem_zero(1, sizeof(*remote));
    uint64_t seed = 0;

    remote->options = *options;
    if (!options->clock)
        remote->options.clock = &clock_system;
    if (!options->transport_new)
        remote->options.transport_free = http_transport_free;
    if (options->proxies)
        remote->proxies = *options->proxies;
    else if (options->variable)
        remote->proxies = proxy_environment_read(options->variable, options->context);
    remote->options.patience_ms = choose(options->patience_ms, PATIENCE_MS);
    remote->options.denied_patience_ms = choose(options->denied_patience_ms, DENIED_PATIENCE_MS);
    remote->options.stall_ms = choose(options->stall_ms, STALL_MS);
    /* Without a good seed, two processes may wait equally long: no harm. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
        seed = (uint64_t)clock_monotonic_ms(remote->options.clock);
    random_seed(&remote->random, seed);
    pthread_mutex_init(&remote->mutex, NULL);
    return remote;
}

void remote_free(struct remote *remote)
{
    struct remote_line *line;

    if (!remote)
        return;
    while ((line = remote->idle)) {
        remote->idle = line->next;
        remote->options.transport_free(line->transport);
        free(line);
    }
    pthread_mutex_destroy(&remote->mutex);
    free(remote);
}

const struct clock *remote_clock(const struct remote *remote)
{
    return remote->options.clock;
}

unsigned remote_uploads(const struct remote *remote)
{
    unsigned uploads = remote->options.uploads;

    return uploads == 0 ? UPLOADS : uploads < SENDERS_MAXIMUM ? uploads : SENDERS_MAXIMUM;
}

const char *remote_variable(const struct remote *remote, const char *name)
{
    const char *text =
        remote->options.variable ? remote->options.variable(remote->options.context, name) : NULL;

    return text && *text ? text : NULL;
}

/* A NUL would end the text for some of its readers, and not for others. */
static int check_text(const char *path, struct span text, struct err *err)
{
    const char *nul = memchr(text.data, '\0', text.length);

    return nul ? err_set(err, ERR_INVALID, "%s: expected text, but byte %zu is a NUL", path,
                         (size_t)(nul - text.data) + 1)
               : 0;
}

int remote_read_file(const struct remote *remote, const char *path, struct buf *out,
                     struct err *err)
{
    size_t before = out->length;
    int outcome = remote->options.read_file
                      ? remote->options.read_file(remote->options.context, path, out, err)
                      : file_read(path, out, err);

    if (outcome < 0)
        return -1;
    return check_text(path, (struct span){ buf_text(out) + before, out->length - before }, err);
}

/* --- lines --------------------------------------------------------------------- */

struct remote_line *remote_take_line(struct remote *remote, struct err *err)
{
    struct transport *transport;
    struct remote_line *line;

    pthread_mutex_lock(&remote->mutex);
    line = remote->idle;
    if (line)
        remote->idle = line->next;
    pthread_mutex_unlock(&remote->mutex);
    if (line)
        return line;
    transport = new_transport(&remote->options, err);
    if (!transport)
        return NULL;
    line = mem_zero(1, sizeof(*line));
    line->transport = transport;
    return line;
}

void remote_give_line(struct remote *remote, struct remote_line *take_line)
{
    if (!take_line)
        return;
    pthread_mutex_lock(&remote->mutex);
    take_line->next = remote->idle;
    remote->idle = take_line;
    pthread_mutex_unlock(&remote->mutex);
}

struct transport *remote_line_transport(struct remote_line *line)
{
    return line->transport;
}

/* --- waiting --------------------------------------------------------------------- */

static bool is_stopped(const struct remote *remote)
{
    return remote->options.stop && *remote->options.stop;
}

static int check_stop(const struct remote *remote, struct err *err)
{
    return is_stopped(remote) ? err_set(err, ERR_CANCELED, "stopped by a signal") : 0;
}

int remote_turn(struct remote *remote, struct remote_line *line, struct err *err)
{
    if (check_stop(remote, err))
        return -1;
    transport_run(line->transport, TURN_MS);
    return check_stop(remote, err);
}

static int64_t now_ms(const struct remote *remote)
{
    return clock_monotonic_ms(remote->options.clock);
}

static int wait_until(struct remote *remote, int64_t due_ms, struct err *err)
{
    struct remote_line *line = remote_take_line(remote, err);

    if (!line)
        return -1;
    for (int64_t rest; (rest = due_ms - now_ms(remote)) > 0 && !is_stopped(remote);)
        transport_run(line->transport, rest < TURN_MS ? rest : TURN_MS);
    remote_give_line(remote, line);
    return check_stop(remote, err);
}

static int64_t denied_deadline(struct remote *remote)
{
    int64_t first_ms;

    pthread_mutex_lock(&remote->mutex);
    if (!remote->was_denied)
        remote->denied_ms = now_ms(remote);
    remote->was_denied = true;
    first_ms = remote->denied_ms;
    pthread_mutex_unlock(&remote->mutex);
    return first_ms + remote->options.denied_patience_ms;
}

static int64_t choose_delay(struct remote *remote, const struct backoff *backoff,
                            const struct remote_tries *tries, const struct err *why)
{
    int64_t delay_ms;

    pthread_mutex_lock(&remote->mutex);
    delay_ms = backoff_delay_ms(backoff, tries->count - 1, why->retry_after_ms, &remote->random);
    pthread_mutex_unlock(&remote->mutex);
    return delay_ms;
}

static int give_up(const struct remote *remote, const struct remote_tries *tries,
                   const struct remote_question *question, const struct err *why, struct err *err)
{
    struct err failure = *why;
    int64_t seconds = (now_ms(remote) - tries->since_ms + 500) / 1000;

    if (why->kind == ERR_DENIED && question->right && why->http_status == 403)
        err_reason(&failure, why->kind, why->reason, "%s (the right needed is %s)", why->message,
                   question->right);
    else if (why->kind == ERR_RETRY && tries->count > 1)
        err_reason(&failure, why->kind, why->reason, "%s (%u attempts in %" PRId64 " s)",
                   why->message, tries->count, seconds);
    failure.http_status = why->http_status;
    failure.retry_after_ms = why->retry_after_ms;
    if (err)
        *err = failure;
    return -1;
}

int remote_try_again(struct remote *remote, const struct remote_question *question,
                     struct remote_tries *tries, const struct err *why, struct err *err)
{
    bool is_denied = why->kind == ERR_DENIED && why->http_status != 0;
    int64_t deadline_ms, delay_ms;

    if (tries->count++ == 0)
        tries->since_ms = now_ms(remote);
    if (!is_denied && why->kind != ERR_RETRY)
        return give_up(remote, tries, question, why, err);
    if (why->http_status == 401 && question->signer && !tries->refused) {
        tries->refused = true;
        return 0;
    }
    deadline_ms =
        is_denied ? denied_deadline(remote) : tries->since_ms + remote->options.patience_ms;
    if (question->patience_ms > 0 && deadline_ms > tries->since_ms + question->patience_ms)
        deadline_ms = tries->since_ms + question->patience_ms;
    delay_ms = choose_delay(remote, is_denied ? &denied : &busy, tries, why);
    if (now_ms(remote) + delay_ms > deadline_ms)
        return give_up(remote, tries, question, why, err);
    if (remote->options.on_trouble)
        remote->options.on_trouble(remote->options.context, why, delay_ms);
    return wait_until(remote, now_ms(remote) + delay_ms, err);
}

/* --- questions --------------------------------------------------------------------- */

void remote_answer_release(struct remote_answer *answer)
{
    arena_release(&answer->arena);
    *answer = (struct remote_answer){ 0 };
}

static int status_of(const struct remote_question *question, const struct http_reply *reply)
{
    return question->status ? question->status(reply) : reply->status;
}

int remote_fail(const struct remote_question *question, const struct http_reply *reply,
                struct err *err)
{
    struct http_reply meant = *reply;

    meant.status = status_of(question, reply);
    if (http_reply_check(&meant, question->what, err) < 0)
        return -1;
    return err_set(err, ERR_INTERNAL, "%s: the answer %d was not expected", question->what,
                   reply->status);
}

int64_t remote_walk_deadline_ms(const struct remote *remote)
{
    return remote->options.walk_ms > 0 ? now_ms(remote) + remote->options.walk_ms : INT64_MAX;
}

int remote_check_walk(const struct remote *remote, const char *what, int64_t deadline_ms,
                      struct err *err)
{
    if (now_ms(remote) < deadline_ms)
        return 0;
    return err_set(err, ERR_RETRY, "%s: the listing takes longer than %" PRId64 " s", what,
                   remote->options.walk_ms / 1000);
}

/* Whoever sends a byte now and then would hold us for ever: small bodies have their time, downloads
 * and large bodies their pace. */
static void set_bounds(const struct remote *remote, const struct remote_question *question,
                       struct http_request *request)
{
    request->timeout_ms = question->timeout_ms ? question->timeout_ms : remote->options.attempt_ms;
    request->idle_ms = remote->options.stall_ms;
    if (request->bulk)
        request->idle_bytes = REMOTE_LEAST_BYTES;
    else if (request->timeout_ms == 0)
        request->timeout_ms = ATTEMPT_MS;
}

struct http_call *remote_start(struct remote *remote, struct remote_line *line,
                               const struct remote_question *question, bool refused,
                               const struct http_handler *handler, void *context, struct err *err)
{
    auto_arena struct arena arena = { 0 };
    struct http_header *headers =
        arena_zero(&arena, question->header_count + REMOTE_SIGNATURE_HEADERS, sizeof(*headers));
    struct http_request request = {
        .method = question->method,
        .url = question->url,
        .hide_path = true,
        .headers = headers,
        .header_count = question->header_count,
        .body = question->body,
        .tls = question->tls,
        .proxy = question->own_host ? NULL : proxy_for(&remote->proxies, question->url),
        .bulk = handler->on_data || question->body.length > BULK_BYTES,
        .guard = remote->options.public_hosts_only && !question->own_host ? HOST_PUBLIC : HOST_ANY,
    };
    size_t count = 0;

    set_bounds(remote, question, &request);
    for (size_t i = 0; i < question->header_count; i++)
        headers[i] = question->headers[i];
    if (question->signer &&
        question->signer->sign(question->signer->context, &request, refused, &arena,
                               headers + question->header_count, &count, err))
        return NULL;
    request.header_count += count;
    return transport_start(line->transport, &request, handler, context);
}

struct asking {
    struct remote_answer *answer;
    bool over, failed;
    struct err failure;
};

/* Whatever bytes they are, with a NUL behind them. */
static struct span copy_bytes(struct span bytes, struct arena *arena)
{
    char *copy = arena_zero(arena, bytes.length + 1, 1);

    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    return (struct span){ copy, bytes.length };
}

static void keep_reply(struct remote_answer *answer, const struct http_reply *reply)
{
    struct arena *arena = &answer->arena;
    struct http_header *headers = arena_zero(arena, reply->header_count, sizeof(*headers));

    for (size_t i = 0; i < reply->header_count; i++)
        headers[i] = (struct http_header){ arena_strdup(arena, reply->headers[i].name),
                                           arena_strdup(arena, reply->headers[i].value) };
    answer->reply = (struct http_reply){
        .status = reply->status,
        .body = copy_bytes(reply->body, arena),
        .headers = headers,
        .header_count = reply->header_count,
    };
}

static void on_done(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct asking *asking = context;

    asking->over = true;
    asking->failed = failure != NULL;
    if (failure)
        asking->failure = *failure;
    else
        keep_reply(asking->answer, reply);
}

/* Is it to be judged by the driver? Else *ret_why says what to try again for. */
static bool is_answered(const struct remote_question *question, const struct asking *asking,
                        struct err *ret_why)
{
    if (asking->failed) {
        *ret_why = asking->failure;
        err_wrap(ret_why, "%s", question->what);
        return false;
    }
    asking->answer->reply.status = status_of(question, &asking->answer->reply);
    return http_reply_check(&asking->answer->reply, question->what, ret_why) == 0 ||
           (ret_why->kind != ERR_RETRY && ret_why->kind != ERR_DENIED);
}

static int turn_for(struct remote *remote, struct remote_line *line,
                    const struct remote_question *question, struct err *err)
{
    if (!question->farewell)
        return remote_turn(remote, line, err);
    transport_run(line->transport, TURN_MS); /* bounded by the attempt's time */
    return 0;
}

/* One attempt; -1 when it could not be made or shall not go on. */
static int attempt(struct remote *remote, struct remote_line *line,
                   const struct remote_question *question, bool refused, struct asking *asking,
                   struct err *err)
{
    static const struct http_handler handler = { .on_done = on_done };
    struct http_call *call = remote_start(remote, line, question, refused, &handler, asking, err);

    if (!call)
        return -1;
    while (!asking->over) {
        if (turn_for(remote, line, question, err) == 0)
            continue;
        if (!asking->over)
            transport_cancel(line->transport, call);
        return -1;
    }
    return 0;
}

int remote_ask_once(struct remote *remote, const struct remote_question *question,
                    const struct remote_tries *tries, struct remote_answer *ret_answer,
                    struct err *err)
{
    auto_answer struct remote_answer answer = { 0 };
    struct asking asking = { .answer = &answer };
    struct remote_line *line = remote_take_line(remote, err);
    struct err why;
    int outcome;

    if (!line)
        return -1;
    outcome = attempt(remote, line, question, tries->refused, &asking, err);
    remote_give_line(remote, line);
    if (outcome)
        return -1;
    if (!is_answered(question, &asking, &why)) {
        if (err)
            *err = why;
        return -1;
    }
    answer.attempts = 1;
    *ret_answer = answer;
    answer = (struct remote_answer){ 0 };
    return 0;
}

int remote_ask(struct remote *remote, const struct remote_question *question,
               struct remote_answer *ret_answer, struct err *err)
{
    struct remote_tries tries = { 0 };
    struct err why = { 0 };
    unsigned attempts = 1;

    while (remote_ask_once(remote, question, &tries, ret_answer, &why)) {
        if (remote_try_again(remote, question, &tries, &why, err))
            return -1;
        attempts++;
    }
    ret_answer->attempts = attempts;
    return 0;
}
