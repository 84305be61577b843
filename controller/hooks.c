#include "hooks.h"

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"

#include "hook_keys.h"
#include "push.h"

#define FORWARD_MS 5000
#define CONFIRM_MS 10000
#define REFUSAL_MS 60000 /* between lines about refused pushes: anybody may send them */

struct hooks {
    struct hooks_options options;
    struct hook_keys *keys;
    struct pass *passes; /* all that are not answered */
    struct hook_counts counts;
    int64_t refusal_logged_ms; /* 0: never */
};

/* One push on its way. */
struct pass {
    struct hooks *hooks;
    struct hooks_request request;
    void (*done)(void *context, int status, const char *text);
    void *context;
    struct arena arena;
    struct jwt token;
    struct hook_keys_wait wait;
    struct push push;
    struct http_call *call;
    struct pass *next, *previous;
};

static void free_pass(struct pass *pass)
{
    if (pass->previous)
        pass->previous->next = pass->next;
    else
        pass->hooks->passes = pass->next;
    if (pass->next)
        pass->next->previous = pass->previous;
    hook_keys_cancel(&pass->wait);
    transport_cancel(pass->hooks->options.transport, pass->call);
    arena_release(&pass->arena);
    free(pass);
}

/* --- answers ---------------------------------------------------------------------- */

static void log_refusal(struct hooks *hooks, int status, const char *text)
{
    int64_t now_ms = clock_monotonic_ms(hooks->options.clock);

    if (status < 400 ||
        (hooks->refusal_logged_ms > 0 && now_ms < hooks->refusal_logged_ms + REFUSAL_MS))
        return;
    hooks->refusal_logged_ms = now_ms;
    log_write(LOG_WARNING, "a push was not taken", LOG_INT("status", status),
              LOG_TEXT("why", text));
}

static void answer(struct pass *pass, int status, const char *text)
{
    metrics_count_code(&pass->hooks->counts.answers, status);
    log_refusal(pass->hooks, status, text);
    pass->done(pass->context, status, text);
    free_pass(pass);
}

/* --- the leader ------------------------------------------------------------------- */

static void forwarded(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct pass *pass = context;
    int status = reply ? reply->status : 0;

    (void)failure; /* an address is nothing for senders */
    pass->call = NULL;
    if (status == 204 || status == 400 || status == 401 || status == 403)
        answer(pass, status, "answered by the leader");
    else
        answer(pass, 503, "the leader does not answer");
}

/* The leader believes as little as we do: it gets the token, too. */
static void forward(struct pass *pass, const char *address)
{
    static const struct http_handler handler = { .on_done = forwarded };
    const struct hooks_request *request = &pass->request;
    const char *authorization = request->authorization
                                    ? request->authorization
                                    : arena_format(&pass->arena, "Bearer %s", request->token);
    struct http_header headers[] = { { "Authorization", authorization },
                                     { "Content-Type", "application/json" },
                                     { HOOKS_FORWARDED, "1" } };

    pass->hooks->counts.forwarded++;
    pass->call = transport_start(
        pass->hooks->options.transport,
        &(struct http_request){ .method = "POST",
                                .url = arena_format(&pass->arena, "http://%s" HOOKS_PATH, address),
                                .headers = headers,
                                .header_count = ARRAY_SIZE(headers),
                                .body = request->body,
                                .timeout_ms = FORWARD_MS,
                                .guard = HOST_ANY },
        &handler, pass);
}

/* --- what a push says --------------------------------------------------------------- */

static void confirmed(void *context, const struct http_reply *reply, const struct err *failure)
{
    struct pass *pass = context;
    struct err err;

    pass->call = NULL;
    if (failure)
        err = *failure;
    if (failure || http_reply_check(reply, "confirming a subscription", &err) < 0) {
        answer(pass, 503, err.message);
        return;
    }
    log_write(LOG_INFO, "pushes of a topic are subscribed to", LOG_TEXT("topic", pass->push.topic));
    answer(pass, 204, "confirmed");
}

static void confirm(struct pass *pass)
{
    static const struct http_handler handler = { .on_done = confirmed };

    pass->call = transport_start(pass->hooks->options.transport,
                                 &(struct http_request){ .method = "GET",
                                                         .url = pass->push.subscribe_url,
                                                         .hide_path = true,
                                                         .timeout_ms = CONFIRM_MS,
                                                         .guard = HOST_PUBLIC },
                                 &handler, pass);
}

static void tell(struct pass *pass)
{
    const struct hooks_options *options = &pass->hooks->options;
    struct hook_counts *counts = &pass->hooks->counts;

    for (size_t i = 0; i < pass->push.uris.count; i++) {
        counts->objects++;
        counts->wakes += options->object_came(options->context, pass->push.uris.items[i]);
    }
    answer(pass, 204, "taken");
}

static void admit(struct pass *pass)
{
    const struct hooks_options *options = &pass->hooks->options;
    const char *address;
    struct err err;

    if (push_decode(pass->request.body, &pass->arena, &pass->push, &err) < 0) {
        answer(pass, 400, err.message);
    } else if (!options->leads(options->context)) {
        address = pass->request.forwarded ? NULL : options->leader_address(options->context);
        if (address)
            forward(pass, address);
        else
            answer(pass, 503, "no leader is known that could be told");
    } else if (pass->push.subscribe_url) {
        confirm(pass);
    } else {
        tell(pass);
    }
}

/* --- the issuer's token --------------------------------------------------------------- */

static void check_token(struct pass *pass, const struct jwt_keys *keys)
{
    const struct hooks_options *options = &pass->hooks->options;
    struct jwt_rules rules = { options->issuer, options->audience, options->emails };
    int64_t now_s = clock_wall_ms(options->clock) / 1000;
    struct err err;

    if (jwt_verify(&pass->token, keys, &err) < 0)
        answer(pass, 401, err.message);
    else if (jwt_check(&pass->token.claims, &rules, now_s, &err) < 0)
        answer(pass, err.kind == ERR_DENIED ? 403 : 401, err.message);
    else
        admit(pass);
}

static void keys_known(struct hook_keys_wait *wait, const struct jwt_keys *keys,
                       const struct err *failure)
{
    struct pass *pass = (struct pass *)((char *)wait - offsetof(struct pass, wait));

    (void)failure; /* logged where it happened */
    if (keys)
        check_token(pass, keys);
    else
        answer(pass, 503, "the issuer's keys are not known yet");
}

static void ask_issuer(struct pass *pass, const char *text)
{
    struct err err;

    if (jwt_parse(text, &pass->arena, &pass->token, &err) < 0) {
        answer(pass, 401, err.message);
        return;
    }
    pass->wait = (struct hook_keys_wait){ .done = keys_known, .key_id = pass->token.key_id };
    hook_keys_ask(pass->hooks->keys, &pass->wait);
}

/* --- the shared token ------------------------------------------------------------------- */

/* Without the line break that editors leave at the end. */
static int read_token(const char *path, struct buf *out, struct err *err)
{
    if (file_read(path, out, err) < 0)
        return -1;
    while (out->length > 0 && strchr("\r\n", out->data[out->length - 1]))
        out->data[--out->length] = '\0';
    if (out->length < HOOKS_TOKEN_MINIMUM || strlen(buf_text(out)) != out->length)
        return err_set(err, ERR_INVALID, "%s: must hold a token of at least %d characters", path,
                       HOOKS_TOKEN_MINIMUM);
    return 0;
}

static void wipe(struct buf *text)
{
    if (text->data)
        explicit_bzero(text->data, text->length);
    buf_release(text);
}

int hooks_check_token_file(const char *path, struct err *err)
{
    __attribute__((cleanup(wipe))) struct buf token = { 0 };

    buf_init(&token, LIMIT_TOKEN);
    return read_token(path, &token, err);
}

/* Takes as long for any two texts: the hashes are compared. */
static bool is_same_secret(struct span given, struct span wanted)
{
    char hashes[2][SHA256_HEX];

    sha256_of(given, hashes[0]);
    sha256_of(wanted, hashes[1]);
    return CRYPTO_memcmp(hashes[0], hashes[1], SHA256_HEX) == 0;
}

/* The secret of "Bearer SECRET", of "Basic base64(anybody:SECRET)", or of the query; NULL: none. */
static const char *given_secret(struct pass *pass)
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    const char *authorization = pass->request.authorization, *colon;
    auto_buf struct buf plain = { 0 };

    if (!authorization)
        return pass->request.token;
    if (strncasecmp(authorization, bearer, strlen(bearer)) == 0)
        return authorization + strlen(bearer);
    if (strncasecmp(authorization, basic, strlen(basic)) != 0)
        return NULL;
    buf_init(&plain, LIMIT_TOKEN);
    if (base64_decode(&plain, span_of(authorization + strlen(basic)), NULL) < 0)
        return NULL;
    colon = strchr(buf_text(&plain), ':');
    return colon ? arena_strdup(&pass->arena, colon + 1) : NULL;
}

/* 1: it is the shared token, 0: it is not, -1: that cannot be told. */
static int is_shared(const struct hooks *hooks, const char *secret)
{
    __attribute__((cleanup(wipe))) struct buf token = { 0 };
    struct err err;

    if (!hooks->options.token_file)
        return 0;
    buf_init(&token, LIMIT_TOKEN);
    if (read_token(hooks->options.token_file, &token, &err) < 0) {
        log_failure(LOG_WARNING, "the shared token of pushes cannot be read", &err);
        return -1;
    }
    return is_same_secret(span_of(secret), (struct span){ token.data, token.length });
}

static void authenticate(struct pass *pass)
{
    const char *secret = given_secret(pass);
    int shared = secret ? is_shared(pass->hooks, secret) : 0;

    if (!secret)
        answer(pass, 401, "a token is needed");
    else if (shared == 1)
        admit(pass);
    else if (pass->hooks->options.audience && strchr(secret, '.'))
        ask_issuer(pass, secret);
    else if (shared < 0)
        answer(pass, 503, "the shared token is not known");
    else
        answer(pass, 401, "the token is not the right one");
}

/* --- life --------------------------------------------------------------------------------- */

void hooks_take(struct hooks *hooks, const struct hooks_request *request,
                void (*done)(void *context, int status, const char *text), void *context)
{
    struct pass *pass = mem_zero(1, sizeof(*pass));

    *pass = (struct pass){
        .hooks = hooks, .request = *request, .done = done, .context = context, .next = hooks->passes
    };
    if (hooks->passes)
        hooks->passes->previous = pass;
    hooks->passes = pass;
    if (strcmp(request->path, HOOKS_PATH) != 0)
        answer(pass, 404, "only " HOOKS_PATH);
    else if (strcmp(request->method, "POST") != 0)
        answer(pass, 405, "only POST");
    else
        authenticate(pass);
}

struct hooks *hooks_new(const struct hooks_options *options)
{
    struct hooks *hooks = mem_zero(1, sizeof(*hooks));

    hooks->options = *options;
    hooks->keys = hook_keys_new(&(struct hook_keys_options){
        .transport = options->transport, .clock = options->clock, .url = options->keys_url });
    return hooks;
}

void hooks_free(struct hooks *hooks)
{
    if (!hooks)
        return;
    while (hooks->passes)
        answer(hooks->passes, 503, "the controller stops");
    hook_keys_free(hooks->keys);
    free(hooks);
}

void hooks_snapshot(const struct hooks *hooks, struct metrics *metrics)
{
    struct hook_keys_stats keys;

    hook_keys_stats(hooks->keys, &keys);
    metrics->hooks = hooks->counts;
    metrics->hooks.key_fetches = keys.fetches;
    metrics->hooks.key_failures = keys.failures;
}
