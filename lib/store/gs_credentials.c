#include "store/gs_credentials.h"

#include <pthread.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/uri.h"
#include "net/google_token.h"
#include "store/gs_key.h"

#define KEY_VARIABLE "GOOGLE_APPLICATION_CREDENTIALS"
/* So long before its end a token is not used any more. */
#define SECONDS_LEAST 60

struct gs_credentials {
    struct remote *remote;
    const struct tls_options *tls;
    struct arena arena;
    bool nobody, has_key;
    struct gs_key key;
    struct remote_signer signer;
    pthread_mutex_t mutex; /* of everything below */
    char *token;           /* by the key; NULL: none */
    int64_t expires_ms;
    struct remote_line *line;     /* of the metadata server's tokens */
    struct google_tokens *tokens; /* NULL: not asked yet */
};

/* What may still come right: an identity takes a while to be known (remote.h). */
static int not_known(const struct err *why, const char *advice, struct err *err)
{
    err_set(err, ERR_DENIED, "%s%s", why->message, advice);
    if (err)
        err->http_status = 401;
    return -1;
}

static void forget(struct gs_credentials *self)
{
    if (self->token)
        explicit_bzero(self->token, strlen(self->token));
    free(self->token);
    self->token = NULL;
}

/* --- by a key ---------------------------------------------------------------------- */

/* {"access_token": "...", "expires_in": 3599, "token_type": "Bearer"} */
static int take_token(struct gs_credentials *self, const struct http_reply *reply, struct err *err)
{
    auto_json json_t *json =
        jx_parse(reply->body, LIMIT_CREDENTIAL, "the answer of the token endpoint", err);
    const char *token = jx_string(json, "access_token", NULL);
    int64_t seconds = jx_int(json, "expires_in", 0);

    if (!json)
        return -1;
    if (!token || !*token || token[strcspn(token, " \r\n")] || seconds < 0 || seconds > INT32_MAX)
        return err_set(err, ERR_RETRY, "the answer of the token endpoint %s holds no token",
                       self->key.token_uri);
    forget(self);
    self->token = mem_strdup(token);
    self->expires_ms =
        clock_monotonic_ms(remote_clock(self->remote)) + (seconds - SECONDS_LEAST) * 1000;
    return 0;
}

static int exchange(struct gs_credentials *self, const char *assertion, struct err *err)
{
    static const struct http_header headers[] = {
        { "Content-Type", "application/x-www-form-urlencoded" },
    };
    auto_free char *what = mem_format("token of %s", self->key.email);
    auto_free char *form = mem_format(
        "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%s",
        assertion);
    auto_answer struct remote_answer answer = { 0 };
    struct remote_question question = {
        .what = what,
        .method = "POST",
        .url = self->key.token_uri,
        .headers = headers,
        .header_count = ARRAY_SIZE(headers),
        .body = span_of(form),
        .tls = self->tls,
    };
    struct err why;

    if (remote_ask(self->remote, &question, &answer, err))
        return -1;
    if (answer.reply.status != 200) { /* a new key takes a while to be known */
        remote_fail(&question, &answer.reply, &why);
        return not_known(&why, "", err);
    }
    return take_token(self, &answer.reply, err);
}

/* Called with the mutex held, as the next two. */
static int token_by_key(struct gs_credentials *self, bool refused, struct arena *arena,
                        const char **ret_token, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms(remote_clock(self->remote));

    if (refused)
        forget(self);
    if (!self->token || now_ms >= self->expires_ms) {
        auto_free char *assertion = gs_key_sign(
            &self->key, GS_SCOPE, clock_wall_ms(remote_clock(self->remote)) / 1000, err);

        if (!assertion || exchange(self, assertion, err))
            return -1;
    }
    *ret_token = arena_strdup(arena, self->token);
    return 0;
}

/* --- by the metadata server ------------------------------------------------------------ */

struct waiting {
    struct arena *arena;
    const char *token;
    bool over;
    struct err failure;
};

static void on_token(void *context, const char *token, const struct err *failure)
{
    struct waiting *waiting = context;

    waiting->over = true;
    if (token)
        waiting->token = arena_strdup(waiting->arena, token);
    else
        waiting->failure = *failure;
}

static int begin_tokens(struct gs_credentials *self, struct err *err)
{
    self->line = remote_take_line(self->remote, err);
    if (!self->line)
        return -1;
    self->tokens = google_tokens_new(&(struct google_tokens_options){
        .transport = remote_line_transport(self->line),
        .clock = remote_clock(self->remote),
        .metadata_host = remote_variable(self->remote, "GCE_METADATA_HOST"),
    });
    return 0;
}

static int token_by_identity(struct gs_credentials *self, bool refused, struct arena *arena,
                             const char **ret_token, struct err *err)
{
    struct waiting waiting = { .arena = arena };
    struct google_wait *wait;

    if (!self->tokens && begin_tokens(self, err))
        return -1;
    if (refused)
        google_token_reject(self->tokens);
    wait = google_token_get(self->tokens, on_token, &waiting);
    while (!waiting.over)
        if (remote_turn(self->remote, self->line, err)) {
            if (!waiting.over)
                google_token_cancel(wait);
            return -1;
        }
    if (!waiting.token)
        return not_known(&waiting.failure,
                         " (credentials are found by " KEY_VARIABLE
                         ", or by the workload identity of a pod or machine in Google Cloud)",
                         err);
    *ret_token = waiting.token;
    return 0;
}

/* --- both --------------------------------------------------------------------------------- */

static int sign(void *context, const struct http_request *request, bool refused,
                struct arena *arena, struct http_header *ret_headers, size_t *ret_count,
                struct err *err)
{
    struct gs_credentials *self = context;
    const char *token = NULL;
    int outcome;

    (void)request;
    pthread_mutex_lock(&self->mutex);
    outcome = self->has_key ? token_by_key(self, refused, arena, &token, err)
                            : token_by_identity(self, refused, arena, &token, err);
    pthread_mutex_unlock(&self->mutex);
    if (outcome)
        return -1;
    ret_headers[0] =
        (struct http_header){ "Authorization", arena_format(arena, "Bearer %s", token) };
    *ret_count = 1;
    return 0;
}

static int read_key(struct gs_credentials *self, const char *path, bool emulated, struct err *err)
{
    auto_buf struct buf text = { .maximum = LIMIT_CREDENTIAL };
    auto_free char *what = mem_format(KEY_VARIABLE " %s", path);
    struct err why;
    struct url url;
    int outcome;

    if (remote_read_file(self->remote, path, &text, &why))
        return err_set(err, ERR_DENIED, KEY_VARIABLE ": %s", why.message);
    outcome =
        gs_key_parse((struct span){ text.data, text.length }, what, &self->arena, &self->key, err);
    if (text.data)
        explicit_bzero(text.data, text.length);
    if (outcome)
        return -1;
    if (url_parse(self->key.token_uri, &url, &why) || (!url.https && !emulated))
        return err_set(err, ERR_INVALID, "%s: token_uri must be an https:// URL", what);
    self->has_key = true;
    return 0;
}

struct gs_credentials *gs_credentials_new(struct remote *remote, bool emulated,
                                          const struct tls_options *tls, struct err *err)
{
    struct gs_credentials *self = mem_zero(1, sizeof(*self));
    const char *path = remote_variable(remote, KEY_VARIABLE);
    const char *disabled = remote_variable(remote, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS");

    self->remote = remote;
    self->tls = tls;
    self->signer = (struct remote_signer){ sign, self };
    pthread_mutex_init(&self->mutex, NULL);
    if (path && read_key(self, path, emulated, err)) {
        gs_credentials_free(self);
        return NULL;
    }
    self->nobody = !path && (emulated || (disabled && strcasecmp(disabled, "true") == 0));
    return self;
}

void gs_credentials_free(struct gs_credentials *credentials)
{
    if (!credentials)
        return;
    google_tokens_free(credentials->tokens);
    remote_give_line(credentials->remote, credentials->line);
    forget(credentials);
    arena_release(&credentials->arena);
    pthread_mutex_destroy(&credentials->mutex);
    free(credentials);
}

const struct remote_signer *gs_credentials_signer(const struct gs_credentials *credentials)
{
    return credentials->nobody ? NULL : &credentials->signer;
}
